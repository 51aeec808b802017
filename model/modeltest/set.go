package modeltest

import (
	"iter"
	"math/bits"
)

// set is a set of updates, by the order in which they were issued.
type set uint64

func only(id int) set { return 1 << id }

func (s set) has(id int) bool { return s&only(id) != 0 }

func (s set) len() int { return bits.OnesCount64(uint64(s)) }

// all iterates in ascending order.
func (s set) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for ; s != 0; s &= s - 1 {
			if !yield(bits.TrailingZeros64(uint64(s))) {
				return
			}
		}
	}
}
