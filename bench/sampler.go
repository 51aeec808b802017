package main

import (
	"container/heap"
	"math"
	"sync"
	"time"
)

// sampler measures how long writes take until they are visible on all nodes. It
// looks at the key of a sample on one node where it is missing, at first every fraction of
// a millisecond, then after every 5 % of the sample's age, and no more often than 5 % of what
// the last one took. Samples of one key share what is seen: so it takes a small part of a
// processor, and is not late itself, whatever comes out.
type sampler struct {
	fleet fleet

	mu      sync.Mutex
	fresh   []sample
	stopped bool
	news    chan struct{} // has one for what has changed above

	done    sync.WaitGroup
	trails  map[string]*trail // by key; the loop's until it has ended, as is what follows
	pending trails            // those with samples
	taken   []float64         // milliseconds
	last    time.Duration     // of the sample that was visible last
}

// sample is a write that is followed.
type sample struct {
	writer int
	key    string
	seq    int
	at     time.Time
}

// trail is what is known of one key.
type trail struct {
	seen    []int    // by node: the number of the write that was visible last; of its writer all
	samples []sample // not visible everywhere yet, oldest first
	next    time.Time
}

const (
	// sampleGrowth is what part of its age a sample is looked at after.
	sampleGrowth = 20
	// busyFrom is from how many processors on the process is busy. Its timers are precise
	// then. Before, a nap is; but the runtime leaves a processor to a system call that is
	// short, and to the next one: of two, one was kept from the nodes for up to 18 ms.
	busyFrom = 0.5
	// busyFor is how long that is measured for.
	busyFor = 100 * time.Millisecond
)

// startSampler begins to follow what add is called for.
func startSampler(f fleet) *sampler {
	s := &sampler{fleet: f, news: make(chan struct{}, 1), trails: map[string]*trail{}}
	s.done.Go(s.loop)
	return s
}

// add follows a write made at a moment by a node, whose own map has it. Later writes to a
// key have larger numbers.
func (s *sampler) add(writer int, key string, seq int, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = append(s.fresh, sample{writer, key, seq, at})
	s.tell()
}

func (s *sampler) tell() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// end stops following and returns all times in milliseconds. Samples that are not
// visible everywhere count with their age: they take at least that long.
func (s *sampler) end() []float64 {
	s.mu.Lock()
	s.stopped = true
	s.tell()
	s.mu.Unlock()
	s.done.Wait()
	now := time.Now()
	for _, t := range s.pending {
		for _, w := range t.samples {
			s.taken = append(s.taken, milliseconds(now.Sub(w.at)))
		}
	}
	return s.taken
}

func (s *sampler) loop() {
	busy, used, since := false, cpuSeconds(), time.Now()
	for {
		if len(s.pending) == 0 {
			<-s.news
		}
		s.mu.Lock()
		fresh, stopped := s.fresh, s.stopped
		s.fresh = nil
		s.mu.Unlock()
		for _, w := range fresh {
			s.follow(w)
		}
		if stopped {
			return
		}
		for now := time.Now(); len(s.pending) > 0 && !s.pending[0].next.After(now); now = time.Now() {
			s.look(now)
		}
		if d := time.Since(since); d >= busyFor {
			before := used
			used, since = cpuSeconds(), time.Now()
			busy = used-before > busyFrom*d.Seconds()
		}
		switch d := max(lookEvery, s.last/sampleGrowth); {
		case len(s.pending) == 0: // there will be news
		case busy:
			time.Sleep(d)
		default:
			nap(d)
		}
	}
}

// follow adds a sample to the trail of its key.
func (s *sampler) follow(w sample) {
	t := s.trails[w.key]
	if t == nil {
		t = &trail{seen: make([]int, len(s.fleet))}
		t.seen[w.writer] = math.MaxInt
		s.trails[w.key] = t
	}
	t.samples = append(t.samples, w)
	if len(t.samples) == 1 {
		t.next = w.at
		heap.Push(&s.pending, t)
	}
}

// look looks where the first pending sample, and others of its key, are still missing.
func (s *sampler) look(now time.Time) {
	t := s.pending[0]
	for len(t.samples) > 0 && s.isVisible(t) {
		s.last = time.Since(t.samples[0].at)
		s.taken = append(s.taken, milliseconds(s.last))
		t.samples = t.samples[1:]
	}
	if len(t.samples) == 0 {
		heap.Pop(&s.pending)
		return
	}
	t.next = now.Add(max(lookEvery, now.Sub(t.samples[0].at)/sampleGrowth))
	heap.Fix(&s.pending, 0)
}

// isVisible reports whether the oldest sample of a trail is visible everywhere. Where it is
// missing on one node, the others do not matter yet.
func (s *sampler) isVisible(t *trail) bool {
	oldest := t.samples[0]
	for i, seen := range t.seen {
		if seen >= oldest.seq {
			continue
		}
		value, _ := s.fleet[i].get(oldest.key)
		if t.seen[i] = seqOf(value); t.seen[i] < oldest.seq {
			return false
		}
	}
	return true
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// trails is a heap of trails, the one to be looked at next on top.
type trails []*trail

func (s trails) Len() int           { return len(s) }
func (s trails) Less(i, j int) bool { return s[i].next.Before(s[j].next) }
func (s trails) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *trails) Push(x any)        { *s = append(*s, x.(*trail)) }
func (s *trails) Pop() any {
	old := *s
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*s = old[:len(old)-1]
	return last
}
