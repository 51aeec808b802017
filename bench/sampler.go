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
	// napBelow is how soon writes are visible everywhere on machines that are not busy. A
	// nap keeps a processor from everybody else for some time, and is precise in any case;
	// on a machine that is busy timers are, too.
	napBelow = 4 * time.Millisecond
)

// startSampler begins to follow what add is called for.
func startSampler(f fleet) *sampler {
	s := &sampler{fleet: f, trails: map[string]*trail{}}
	s.done.Go(s.loop)
	return s
}

// add follows a write made at a moment by a node, whose own map has it. Later writes to a
// key have larger numbers.
func (s *sampler) add(writer int, key string, seq int, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = append(s.fresh, sample{writer, key, seq, at})
}

// end stops following and returns all times in milliseconds. Samples that are not
// visible everywhere count with their age: they take at least that long.
func (s *sampler) end() []float64 {
	s.mu.Lock()
	s.stopped = true
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
	for {
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
		if s.last < napBelow {
			nap(lookEvery)
		} else {
			time.Sleep(s.last / sampleGrowth)
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
