package engine

import (
	"cmp"
	"slices"
	"strings"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// Retirement is what is over of a node (R13). It only grows; what two nodes know of a
// third is merged.
type Retirement struct {
	Node string
	// Gone: lives up to this epoch never write again. The node left in order, or
	// somebody declared it lost. 0: none.
	Gone uint64
	// Final is the last version of the life Gone that counts.
	Final clock.Version
	// Vanished are the epochs of lives of which no member retains anything, and all know
	// everything: nobody needs to know any more that they were. Ascending.
	Vanished []uint64
	// Before stands for the oldest of them: all lives up to it have vanished, but those
	// Kept. 0: none. A node that was away for so long that it does not know of these
	// loses what it alone knows of such a life.
	Before uint64
	Kept   []uint64 // ascending
	// Proof names what the members agreed on when the last of them vanished: who had
	// reported that knows what it missed, if anything.
	Proof uint64
}

// retireFirst is how many retirements a message carries at first to a peer that has
// others: those that changed last. With each exchange that ends no better it is twice
// as many.
const retireFirst = 32

// vanishedMost is how many epochs of one node are named; then the older half of them is
// told by a number.
const vanishedMost = 64

// proofsLen is how many of its own reports a node remembers to know a Proof by.
const proofsLen = 64

// retired is what is over, of all nodes.
type retired struct {
	slots   []*retiredSlot // ascending by node
	sum     uint64         // over all slots: equal sums, equal retirements
	gone    Hash           // over Gone and Final: all members must agree on them (R7)
	changes uint64
	proofs  []witnessed // that this node agreed to, in its latest reports
}

type retiredSlot struct {
	Retirement
	changed uint64
}

// witnessed is a proof, and the engine's changes when this node last agreed to it.
type witnessed struct{ proof, at uint64 }

// witness notes that this node agrees to what a proof names.
func (rt *retired) witness(proof, at uint64) {
	if n := len(rt.proofs); n == 0 || rt.proofs[n-1].proof != proof {
		rt.proofs = append(rt.proofs[max(0, n+1-proofsLen):], witnessed{proof: proof})
	}
	rt.proofs[len(rt.proofs)-1].at = at
}

// agreed returns the engine's changes when this node last agreed to a proof, if it did.
func (rt *retired) agreed(proof uint64) (at uint64, ok bool) {
	for _, w := range slices.Backward(rt.proofs) {
		if w.proof == proof {
			return w.at, true
		}
	}
	return 0, false
}

// find returns the slot of a node, and where it is or would be.
func (rt *retired) find(node string) (*retiredSlot, int) {
	i, ok := slices.BinarySearchFunc(rt.slots, node, func(s *retiredSlot, n string) int { return strings.Compare(s.Node, n) })
	if !ok {
		return nil, i
	}
	return rt.slots[i], i
}

// vanished reports whether a life has vanished.
func (t *Retirement) vanished(epoch uint64) bool {
	if epoch <= t.Before {
		_, kept := slices.BinarySearch(t.Kept, epoch)
		return !kept
	}
	_, ok := slices.BinarySearch(t.Vanished, epoch)
	return ok
}

// latest returns the last epoch that is over, 0 if there is none.
func (t *Retirement) latest() uint64 {
	last := max(t.Gone, t.Before)
	if n := len(t.Vanished); n > 0 {
		last = max(last, t.Vanished[n-1])
	}
	return last
}

// union returns the epochs of two lists that fit, ascending.
func union(a, b []uint64, fits func(uint64) bool) []uint64 {
	all := slices.DeleteFunc(slices.Concat(a, b), func(epoch uint64) bool { return !fits(epoch) })
	slices.Sort(all)
	return slices.Clip(slices.Compact(all))
}

// merge returns what either of two retirements of one node says.
func (t Retirement) merge(o Retirement) Retirement {
	m := Retirement{Node: t.Node, Gone: t.Gone, Final: t.Final, Before: max(t.Before, o.Before), Proof: t.Proof}
	if c := cmp.Or(cmp.Compare(o.Gone, t.Gone), cmp.Compare(o.Final, t.Final)); c > 0 {
		m.Gone, m.Final = o.Gone, o.Final
	}
	m.Vanished = union(t.Vanished, o.Vanished, func(epoch uint64) bool { return epoch > m.Before })
	m.Kept = union(t.Kept, o.Kept, func(epoch uint64) bool { return !t.vanished(epoch) && !o.vanished(epoch) })
	switch more, less := t.covers(o), o.covers(t); {
	case more == less: // either proves all, or only a part; the same one everywhere
		m.Proof = max(t.Proof, o.Proof)
	case less:
		m.Proof = o.Proof
	}
	return m
}

// covers reports whether all lives have vanished by t that have by o.
func (t *Retirement) covers(o Retirement) bool {
	return o.Before <= t.Before && !slices.ContainsFunc(t.Kept, o.vanished) &&
		!slices.ContainsFunc(o.Vanished, func(epoch uint64) bool { return !t.vanished(epoch) })
}

// IsVanished reports whether a replica is one that nobody needs to know of any more.
func (e *Engine) IsVanished(id clock.Replica) bool {
	if len(e.retired.slots) == 0 {
		return false
	}
	s, _ := e.retired.find(id.Node)
	return s != nil && s.vanished(id.Epoch)
}

// isOver reports whether a replica never writes again, for all that is known.
func (e *Engine) isOver(id clock.Replica) bool {
	s, _ := e.retired.find(id.Node)
	return s != nil && (id.Epoch <= s.Gone || s.vanished(id.Epoch))
}

// final returns the last version of a replica that counts, if it never writes again and
// that is known.
func (e *Engine) final(id clock.Replica) (clock.Version, bool) {
	if s, _ := e.retired.find(id.Node); s != nil && s.Gone == id.Epoch {
		return s.Final, true
	}
	return 0, false
}
