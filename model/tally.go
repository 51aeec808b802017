package model

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// tally is how much one replica has added to a counter, and taken from it, since it
// began to count. Both only grow, so of two tallies of a replica the larger one knows
// what the other does.
type tally struct {
	by          clock.Replica
	plus, minus uint64
	update      *Update // that carries it; nil in what a reset has seen
}

// compare tells which of two tallies of one replica is the later one.
func (t tally) compare(o tally) int {
	return cmp.Or(cmp.Compare(t.plus, o.plus), cmp.Compare(t.minus, o.minus))
}

// add counts n; false if that is too much for one replica to count.
func (t *tally) add(n int64) bool {
	side, by := &t.plus, uint64(n)
	if n < 0 {
		side, by = &t.minus, -uint64(n)
	}
	sum, carry := bits.Add64(*side, by, 0)
	if carry == 0 {
		*side = sum
	}
	return carry == 0
}

// find returns where in tallies, ascending by replica, that of a replica is, or
// belongs.
func find(tallies []tally, by clock.Replica) (int, bool) {
	n := len(tallies)
	if n > 0 && tallies[n-1].by.Compare(by) < 0 {
		return n, false
	}
	return slices.BinarySearchFunc(tallies, by, func(t tally, by clock.Replica) int { return t.by.Compare(by) })
}

// covers reports whether tallies know at least as much as one of them.
func covers(tallies []tally, t tally) bool {
	i, ok := find(tallies, t.by)
	return ok && tallies[i].compare(t) >= 0
}

// coversAll reports whether a know at least as much as b.
func coversAll(a, b []tally) bool {
	return !slices.ContainsFunc(b, func(t tally) bool { return !covers(a, t) })
}

// raise makes tallies know what one more knows.
func raise(tallies []tally, t tally) []tally {
	t.update = nil
	i, ok := find(tallies, t.by)
	switch {
	case !ok:
		return slices.Insert(tallies, i, t)
	case tallies[i].compare(t) < 0:
		tallies[i] = t
	}
	return tallies
}

// A tally is written without its node: that is the node of the update, which may be
// issued again by a later replica of it.

func (t tally) append(b []byte) []byte {
	b = binary.AppendUvarint(b, t.by.Epoch)
	b = binary.AppendUvarint(b, t.plus)
	return binary.AppendUvarint(b, t.minus)
}

// tallyOf returns the tally in an update; one that counts nothing if the bytes make
// no sense.
func tallyOf(u *Update) tally {
	r := reader{u.Value}
	t := tally{by: clock.Replica{Node: u.Replica.Node, Epoch: r.uint()}, plus: r.uint(), minus: r.uint(), update: u}
	if r.bytes == nil {
		t.plus, t.minus = 0, 0
	}
	return t
}

// appendTallies writes tallies with their nodes.
func appendTallies(b []byte, tallies []tally) []byte {
	for _, t := range tallies {
		b = appendString(b, t.by.Node)
		b = t.append(b)
	}
	return b
}

// talliesOf returns the tallies in an update, as far as the bytes make sense.
func talliesOf(u *Update) []tally {
	var all []tally
	for r := (reader{u.Value}); len(r.bytes) > 0; {
		t := tally{by: clock.Replica{Node: r.string(), Epoch: r.uint()}, plus: r.uint(), minus: r.uint()}
		if r.bytes == nil {
			break
		}
		all = raise(all, t)
	}
	return all
}

// wide is a sum that does not overflow: 128 bits, in two's complement.
type wide struct {
	high int64
	low  uint64
}

// add adds what a tally counts.
func (w *wide) add(t tally) { w.shift(t.plus, t.minus) }

// sub takes what a tally counts.
func (w *wide) sub(t tally) { w.shift(t.minus, t.plus) }

func (w *wide) shift(plus, minus uint64) {
	var carry, borrow uint64
	w.low, carry = bits.Add64(w.low, plus, 0)
	w.low, borrow = bits.Sub64(w.low, minus, 0)
	w.high += int64(carry) - int64(borrow)
}

// clamp returns the sum, or the nearest number that an int64 can be.
func (w wide) clamp() int64 {
	switch {
	case w.high == int64(w.low)>>63: // the upper bits only repeat the sign
		return int64(w.low)
	case w.high < 0:
		return math.MinInt64
	default:
		return math.MaxInt64
	}
}

// isExact reports whether an int64 can be the sum.
func (w wide) isExact() bool { return w.high == int64(w.low)>>63 }
