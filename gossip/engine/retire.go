package engine

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// Errors of Retire.
var (
	// ErrUnknownNode is returned by Retire for a name of which nothing is known.
	ErrUnknownNode = errors.New("engine: no such node")
	// ErrAlive is returned by Retire for a node that is alive: it can leave.
	ErrAlive = errors.New("engine: the node is alive")
)

// Retired returns what is over of nodes, by name. The slice is the caller's.
func (e *Engine) Retired() []Retirement {
	all := make([]Retirement, len(e.retired.slots))
	for i, s := range e.retired.slots {
		all[i] = s.Retirement
	}
	return all
}

// Retire declares a node lost for good: what it wrote stays, what nobody here has of it
// is not waited for, and it does not count for majorities any more (R7, R13). A node
// that comes back all the same becomes a new replica, and what it wrote that was not
// known here is written again.
func (e *Engine) Retire(now time.Time, node string) error {
	if p := e.peers[node]; node == e.self.Node || p != nil && p.state == PeerAlive {
		return fmt.Errorf("%w: %q", ErrAlive, node)
	}
	epoch := e.lastEpoch(node)
	if s, _ := e.reports.find(node); s != nil {
		epoch = max(epoch, s.Member.Epoch)
	}
	if p := e.peers[node]; p != nil {
		epoch = max(epoch, p.epoch)
	}
	for id := range e.heads { // order: the largest is taken
		if id.Node == node {
			epoch = max(epoch, id.Epoch)
		}
	}
	if epoch == 0 {
		return fmt.Errorf("%w: %q", ErrUnknownNode, node)
	}
	var out Output // nothing: it is not this node
	e.takeRetirement(now, Retirement{Node: node, Gone: epoch, Final: e.versionOf(clock.Replica{Node: node, Epoch: epoch})}, &out)
	e.hurry(now)
	return nil
}

// Depart says that this node will not write again: it leaves in order. Its peers learn
// that by gossip; HasDeparted tells when.
func (e *Engine) Depart(now time.Time) {
	e.departed = true
	var out Output // nothing: it is known here
	e.takeRetirement(now, Retirement{Node: e.self.Node, Gone: e.self.Epoch, Final: e.lookup(e.self).version}, &out)
	e.hurry(now)
}

// IsDeparting reports whether Depart was called.
func (e *Engine) IsDeparting() bool { return e.departed }

// Rejoin takes a Depart back: the node goes on as a new replica.
func (e *Engine) Rejoin() { e.departed, e.goodbye = false, false }

// HasDeparted reports whether a peer knows that this node will not write again.
func (e *Engine) HasDeparted() bool { return e.departed && e.goodbye }

// takeRetirements merges those of a message with what is known here.
func (e *Engine) takeRetirements(now time.Time, all []Retirement, out *Output) {
	for i := range all {
		if t := &all[i]; t.Node != "" && len(t.Node) <= MaxName && slices.IsSorted(t.Kept) && slices.IsSorted(t.Vanished) {
			e.takeRetirement(now, *t, out)
		}
	}
}

func (e *Engine) takeRetirement(now time.Time, t Retirement, out *Output) {
	s, i := e.retired.find(t.Node)
	before := Retirement{Node: t.Node}
	switch {
	case s != nil:
		before = s.Retirement
	case len(e.retired.slots) >= e.cfg.MaxReplicas:
		return
	}
	after := before.merge(t)
	if s != nil && before.covers(after) && after.Gone == before.Gone && after.Final == before.Final && after.Proof == before.Proof {
		return
	}
	if s == nil {
		s = &retiredSlot{}
		e.retired.slots = slices.Insert(e.retired.slots, i, s)
	} else {
		e.retired.sum -= e.hasher.retirement(&before)
		e.retired.gone = e.retired.gone.Minus(e.hasher.gone(&before))
	}
	e.retired.changes++
	s.Retirement, s.changed = after, e.retired.changes
	e.retired.sum += e.hasher.retirement(&after)
	e.retired.gone = e.retired.gone.Plus(e.hasher.gone(&after))
	e.changes++
	if p := e.peers[t.Node]; p != nil {
		p.assembly = nil // nothing more is taken from a life that is over
	}
	if after.Gone != before.Gone || after.Final != before.Final {
		e.cut(now, after, out)
	}
	if !before.covers(after) {
		e.vanish(now, t)
	}
}

// vanish forgets replicas of a node that have vanished. If this node was not among those
// that agreed on it, it may have missed what superseded something that it retains, or will
// be sent by somebody who has missed it, too: then only a rebase can tell (R9). Nor can it
// if something of a replica came late, after this node had agreed: others never see that.
func (e *Engine) vanish(now time.Time, t Retirement) {
	at, proved := e.retired.agreed(t.Proof)
	if !proved {
		e.needReset(now)
	}
	for id := range e.heads { // order: each is for itself
		if e.IsVanished(id) {
			delete(e.heads, id)
		}
	}
	e.order = slices.DeleteFunc(e.order, func(r *replica) bool {
		if r.id.Node != t.Node || r.id == e.self || !e.IsVanished(r.id) {
			return false
		}
		e.stats.Vanished++
		e.place(r, r.version, r.version)
		if r.grown > at {
			e.needReset(now)
		} else if proved {
			e.raiseFloor(r, r.version, e.hlc.Last()) // others have collected what is dead of it already
		}
		if r.over = true; r.log.len() > 0 {
			return false // until the rebase
		}
		e.release(r)
		return true
	})
}

// release forgets a replica that is taken out of the order of all.
func (e *Engine) release(r *replica) {
	e.forgetLive(r)
	delete(e.replicas, r.id)
	if e.last == r {
		e.last = nil
	}
}

// sweep forgets replicas that have vanished and whose last updates are gone by now.
func (e *Engine) sweep() {
	e.order = slices.DeleteFunc(e.order, func(r *replica) bool {
		gone := r.over && r.log.len() == 0
		if gone {
			e.release(r)
		}
		return gone
	})
}

// dropVanished drops what is retained of replicas that have vanished. A rebase does that when
// all is here that may have taken its place; a node that finds nobody for one can only trust
// that the members agreed that nothing of it is left.
func (e *Engine) dropVanished(out *Output) {
	for _, r := range e.order {
		if r.over {
			for _, en := range slices.Collect(r.log.after(0)) {
				e.discard(r, en, out)
			}
		}
	}
}

// cut takes away what a life that is gone wrote after its final version: nobody else
// will know of it. What it superseded here is missing then, until a rebase.
func (e *Engine) cut(now time.Time, t Retirement, out *Output) {
	for id := range e.heads { // order: each is for itself
		if id.Node == t.Node && id.Epoch <= t.Gone && (id.Epoch < t.Gone || e.heads[id] > t.Final) {
			delete(e.heads, id)
		}
	}
	if t.Node == e.self.Node && e.self.Epoch <= t.Gone {
		return // it begins anew first
	}
	r := e.lookup(clock.Replica{Node: t.Node, Epoch: t.Gone})
	if r == nil {
		return
	}
	r.head, r.floor = min(r.head, t.Final), min(r.floor, t.Final)
	if r.version <= t.Final {
		return
	}
	e.needReset(now)
	for _, en := range slices.Collect(r.log.after(t.Final)) {
		e.discard(r, en, out)
	}
	e.forgetHeirs()
	e.rebase = rebase{}
	e.place(r, t.Final, r.horizon)
	r.head = t.Final
	e.changes++
}

// addRetirements puts retirements into a message to a peer whose have this sum, if it
// has others, and as many as there is room for.
func (e *Engine) addRetirements(p *peer, m *Message, theirs uint64) {
	if theirs == e.retired.sum {
		p.retireTries = 0
		return
	}
	chosen := slices.SortedFunc(slices.Values(e.retired.slots), func(a, b *retiredSlot) int { return cmp.Compare(b.changed, a.changed) })
	if n := retireFirst << min(p.retireTries, 16); theirs != 0 && n < len(chosen) {
		chosen = chosen[:n]
	}
	if p.retireTries%2 == 1 { // those that there was no room for, too
		e.cfg.Rand.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	}
	p.retireTries++
	all := make([]Retirement, len(chosen))
	for i, s := range chosen {
		all[i] = s.Retirement
	}
	m.Retired = all[:sort.Search(len(all), func(i int) bool {
		m.Retired = all[:i+1]
		return !e.hasRoom(m)
	})]
}

// isIdle reports whether a replica may vanish, once all members know what is known of
// it here: it retains nothing and never writes again, for it is over, or its node has
// begun a later life.
func (e *Engine) isIdle(r *replica, v *view) bool {
	if r.log.len() > 0 || r.version == 0 || r.over || r.id == e.self || r.version < max(r.head, r.horizon) {
		return false
	}
	return r.id.Epoch < max(v.current[r.id.Node], e.lastEpoch(r.id.Node)) || e.isOver(r.id)
}

// bid lets replicas vanish that never write again, of which nothing is retained, and of
// which all members know that (R13): they know all that was known here when it was so.
func (e *Engine) bid(now time.Time, v *view, stable clock.Timestamp) {
	var out Output // nothing: it is not about this node's present life
	e.retired.witness(v.proof, e.changes)
	for i := 0; i < len(e.order); {
		j := i + 1
		for j < len(e.order) && e.order[j].id.Node == e.order[i].id.Node {
			j++
		}
		t := Retirement{Node: e.order[i].id.Node, Proof: v.proof}
		var others []uint64
		for _, r := range e.order[i:j] {
			if e.isIdle(r, v) && r.emptied <= stable {
				t.Vanished = append(t.Vanished, r.id.Epoch)
			} else if !r.over {
				others = append(others, r.id.Epoch)
			}
		}
		i = j
		if len(t.Vanished) > 0 {
			known := Retirement{Node: t.Node}
			if s, _ := e.retired.find(t.Node); s != nil {
				known = s.Retirement
			}
			if len(known.Vanished)+len(t.Vanished) > vanishedMost {
				all := known.merge(t).Vanished
				t.Before = all[len(all)-vanishedMost/2]
				t.Kept = union(known.Kept, others, func(epoch uint64) bool { return epoch <= t.Before })
			}
			n := len(e.order)
			e.takeRetirement(now, t, &out)
			i -= n - len(e.order)
		}
	}
}
