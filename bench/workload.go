package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

// workload lets all nodes of a cluster write at a rate: each one its own keys, in turn,
// again and again.
type workload struct {
	fleet  fleet
	keys   int     // of each node
	rate   float64 // writes per second of all nodes
	wrote  []int   // by each node so far: the number of its last write
	sample int     // every how many writes of a node one is followed
}

const (
	// sampleShare is the part of writes that are followed, where that is enough.
	sampleShare = 0.01
	// sampleLeast is how many per second are, if there are so many.
	sampleLeast = 100.0
	// clockEvery is every how many writes that are late a writer looks at the clock, besides
	// those that are followed. To look at each takes a twentieth of what writers take.
	clockEvery = 16
)

func newWorkload(f fleet, keys int, rate float64) *workload {
	share := min(1, max(sampleShare, sampleLeast/rate))
	return &workload{fleet: f, keys: keys, rate: rate, wrote: make([]int, len(f)), sample: max(1, int(1/share))}
}

// run writes for a time, following some of the writes with s, unless it is nil. It
// returns how long that took: longer if writers had to wait at the end.
func (l *workload) run(ctx context.Context, d time.Duration, s *sampler) (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begin := time.Now()
	failed := make(chan error, len(l.fleet))
	var wg sync.WaitGroup
	for node := range l.fleet {
		wg.Go(func() {
			if err := l.write(ctx, node, begin, d, s); err != nil {
				failed <- err
				cancel()
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	close(failed)
	return took, errors.Join(<-failed, context.Cause(ctx))
}

// write is one node's writer. It makes up for what it is late, but not for what it
// has had to wait for its turn.
func (l *workload) write(ctx context.Context, node int, begin time.Time, d time.Duration, s *sampler) error {
	each := l.rate / float64(len(l.fleet))
	// Nodes do not write in step, nor are their writes followed in step: what holds up one
	// of these would hold up all.
	offset := float64(node) / float64(len(l.fleet))
	turn := node * l.sample / len(l.fleet)
	value := make([]byte, valueBytes)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for i := 0; ; {
		now := time.Now()
		if now.Sub(begin) >= d {
			return nil
		}
		for due := now.Sub(begin).Seconds()*each - offset; float64(i) < due && ctx.Err() == nil; i++ {
			seq := l.wrote[node] + 1
			followed := s != nil && (seq+turn)%l.sample == 0
			at := now
			if followed || i%clockEvery == 0 {
				if at = time.Now(); at.Sub(begin) >= d {
					return nil
				}
			}
			l.wrote[node] = seq
			key := recordKey(node, seq%l.keys)
			fillValue(value, seq)
			if err := l.fleet[node].put(ctx, key, value); err != nil {
				return err
			}
			if followed {
				s.add(node, key, seq, at)
			}
		}
		pause.Reset(max(time.Millisecond, time.Duration((float64(i)+1+offset)/each*float64(time.Second))-time.Since(begin)))
		select {
		case <-pause.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// total is how many writes there were.
func (l *workload) total() int {
	n := 0
	for _, w := range l.wrote {
		n += w
	}
	return n
}

// settled waits until all that was written is visible everywhere, for at most
// patience, and reports whether it is.
func (l *workload) settled(ctx context.Context, patience time.Duration) bool {
	last := func() bool { return l.visible(1) } // which is soon looked at
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * lookEvery) {
		if await(ctx, time.Until(deadline), last) != nil {
			return false
		}
		if l.visible(l.keys) {
			return true
		}
	}
	return false
}

// visible reports whether the last writes of every node, so many, are visible on all
// nodes.
func (l *workload) visible(writes int) bool {
	for writer, last := range l.wrote {
		for seq := last; seq > max(0, last-writes); seq-- {
			key := recordKey(writer, seq%l.keys)
			for _, c := range l.fleet {
				if value, _ := c.get(key); seqOf(value) != seq {
					return false
				}
			}
		}
	}
	return true
}
