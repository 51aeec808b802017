package gossip

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// lock is a read-write lock for many short reads: readers that run at once on several
// processors do not write to the same memory, which would cost each of them more than what
// it reads. There is a slot for each processor, up to maxSlots. A reader locks the one that
// its processor used last, a writer locks all of them.
type lock struct {
	slots []slot
	used  sync.Pool     // of *slot: what one puts in it mostly gets back on the same processor
	next  atomic.Uint32 // number of the slot that a processor without one gets
}

// maxSlots bounds what a writer has to lock.
const maxSlots = 16

// slot has memory of its own: what processors exchange are lines of 64 bytes, often in pairs.
type slot struct {
	sync.RWMutex
	number int
	_      [96]byte
}

func newLock() *lock {
	l := &lock{slots: make([]slot, min(runtime.GOMAXPROCS(0), maxSlots))}
	for i := range l.slots {
		l.slots[i].number = i
	}
	l.used.New = func() any { return &l.slots[int(l.next.Add(1))%len(l.slots)] }
	return l
}

// RLock locks for reading and returns what RUnlock wants.
func (l *lock) RLock() int {
	s := l.used.Get().(*slot)
	l.used.Put(s) // somebody else may take it, too
	s.RLock()
	return s.number
}

// RUnlock ends what RLock began.
func (l *lock) RUnlock(number int) { l.slots[number].RUnlock() }

// Lock locks for writing.
func (l *lock) Lock() {
	for i := range l.slots {
		l.slots[i].Lock()
	}
}

// Unlock ends what Lock began.
func (l *lock) Unlock() {
	for i := range l.slots {
		l.slots[i].Unlock()
	}
}
