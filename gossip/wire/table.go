package wire

import (
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// few is how many keys a table searches one by one.
const few = 8

// table numbers the names of one message: a name is written where it is used
// first, and referred to by its number, from 1, from then on.
type table[K comparable] struct {
	keys  []K
	index map[K]int // the number of every key; nil while there are few
}

// ref returns the number of k, or 0 when it is new; then it has the next number.
func (t *table[K]) ref(k K) int {
	if t.index == nil {
		for i := range t.keys {
			if t.keys[i] == k {
				return i + 1
			}
		}
	} else if i, ok := t.index[k]; ok {
		return i
	}
	t.keys = append(t.keys, k)
	switch {
	case t.index != nil:
		t.index[k] = len(t.keys)
	case len(t.keys) > few:
		t.index = make(map[K]int, 2*len(t.keys))
		for i, k := range t.keys {
			t.index[k] = i + 1
		}
	}
	return 0
}

// truncate forgets all but the first n keys.
func (t *table[K]) truncate(n int) {
	if t.index != nil {
		for _, k := range t.keys[n:] {
			delete(t.index, k)
		}
	}
	t.keys = t.keys[:n]
}

// replicas numbers the replicas of one message: the sender, then those of the
// digest, which are in order already and need no table, then others.
type replicas struct {
	self   clock.Replica
	digest []engine.DigestEntry // all but self are numbered in this order
	at     int                  // index of self in digest, its length if it is not there
	others table[clock.Replica]
}

// ref is table.ref.
func (t *replicas) ref(r clock.Replica) int {
	if r == t.self {
		return 1
	}
	if i, ok := slices.BinarySearchFunc(t.digest, r, compareEntry); ok {
		if i > t.at {
			i--
		}
		return i + 2
	}
	n := t.others.ref(r)
	if n == 0 {
		return 0
	}
	if t.at < len(t.digest) {
		n--
	}
	return n + 1 + len(t.digest)
}

func compareEntry(e engine.DigestEntry, r clock.Replica) int { return e.Replica.Compare(r) }
