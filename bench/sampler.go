package main

import (
	"container/heap"
	"sync"
	"time"
)

// sampler measures how long writes take until they are visible on all nodes. It
// looks at each sample on one node where it is missing, at first every fraction of
// a millisecond, then after every 5 % of the sample's age: so it takes the same
// small part of a processor whatever comes out.
type sampler struct {
	fleet fleet

	mu      sync.Mutex
	fresh   []*sample
	stopped bool

	done    sync.WaitGroup
	pending samples   // the loop's until it has ended
	taken   []float64 // milliseconds; the loop's, too
}

// sample is a write that is followed.
type sample struct {
	key   string
	seq   int
	at    time.Time
	nodes []int // where it is not visible yet
	next  time.Time
}

const sampleGrowth = 20 // the next look is after a twentieth of the age

// startSampler begins to follow what add is called for.
func startSampler(f fleet) *sampler {
	s := &sampler{fleet: f}
	s.done.Go(s.loop)
	return s
}

// add follows a write made at a moment by a node, whose own map has it.
func (s *sampler) add(writer int, key string, seq int, at time.Time) {
	w := &sample{key: key, seq: seq, at: at, next: at}
	for i := range s.fleet {
		if i != writer {
			w.nodes = append(w.nodes, i)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = append(s.fresh, w)
}

// end stops following and returns all times in milliseconds. Samples that are not
// visible everywhere count with their age: they take at least that long.
func (s *sampler) end() []float64 {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.done.Wait()
	now := time.Now()
	for _, w := range s.pending {
		s.taken = append(s.taken, milliseconds(now.Sub(w.at)))
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
			heap.Push(&s.pending, w)
		}
		if stopped {
			return
		}
		for now := time.Now(); len(s.pending) > 0 && !s.pending[0].next.After(now); now = time.Now() {
			s.look(now)
		}
		nap(lookEvery)
	}
}

// look looks for the first pending sample where it is still missing.
func (s *sampler) look(now time.Time) {
	w := s.pending[0]
	for len(w.nodes) > 0 { // where one is missing, the others do not matter yet
		if value, _ := s.fleet[w.nodes[0]].get(w.key); seqOf(value) < w.seq {
			break
		}
		w.nodes = w.nodes[1:]
	}
	if len(w.nodes) == 0 {
		s.taken = append(s.taken, milliseconds(time.Since(w.at)))
		heap.Pop(&s.pending)
		return
	}
	w.next = now.Add(max(lookEvery, now.Sub(w.at)/sampleGrowth))
	heap.Fix(&s.pending, 0)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// samples is a heap of samples, the one to be looked at next on top.
type samples []*sample

func (s samples) Len() int           { return len(s) }
func (s samples) Less(i, j int) bool { return s[i].next.Before(s[j].next) }
func (s samples) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *samples) Push(x any)        { *s = append(*s, x.(*sample)) }
func (s *samples) Pop() any {
	old := *s
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*s = old[:len(old)-1]
	return last
}
