package gossip

import (
	"sync"
	"testing"
)

// Writers are alone; readers are not, also when there are more of them than slots.
func TestLock(t *testing.T) {
	l := newLock()
	var a, b int
	var all sync.WaitGroup
	for range 2 * maxSlots {
		all.Go(func() {
			for range 500 {
				reader := l.RLock()
				if a != b {
					t.Errorf("a reader sees half of a write: %d and %d", a, b)
				}
				l.RUnlock(reader)
			}
		})
	}
	const writers, writes = 4, 200
	for range writers {
		all.Go(func() {
			for range writes {
				l.Lock()
				a++
				b++
				l.Unlock()
			}
		})
	}
	all.Wait()
	if a != writers*writes {
		t.Errorf("%d writes, want %d: some were lost", a, writers*writes)
	}

	var reading sync.WaitGroup // each waits for all others while it holds the lock
	reading.Add(4 * maxSlots)
	for range 4 * maxSlots {
		all.Go(func() {
			defer l.RUnlock(l.RLock())
			reading.Done()
			reading.Wait()
		})
	}
	all.Wait()
}

// BenchmarkLock is what a reader pays on all processors, and a writer.
func BenchmarkLock(b *testing.B) {
	l := newLock()
	b.Run("read", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				l.RUnlock(l.RLock())
			}
		})
	})
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			l.Lock()
			l.Unlock() //nolint:staticcheck // what is measured is the lock
		}
	})
}
