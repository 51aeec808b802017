package sim

import (
	"fmt"
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// checkValue compares what a node retains with what the oracle does that was given all
// updates that the node's vector covers.
//
// A clean node retains the same (I3), but for tombstones, and what has expired, that it
// has collected, and:
//   - it may show an update that is older than a tombstone that it has collected, if the
//     writer had not heard of that, nor its writer of the update (R11; otherwise I7);
//   - after somebody has given up waiting for lost updates, what those superseded may be
//     missing, or not (R12); and what was deleted may be back, by deletes that he knew of
//     then: all who knew better were gone before they could tell. Later ones count.
//
// A dirty node differs only by what something supersedes that its horizon covers, and
// its vector does not: that is what a horizon is for (R4). Where tombstones are
// collected there are other reasons to be dirty, and nothing is said of it.
//
// Clean nodes with equal vectors have equal state hashes (I4), as long as nothing is late
// or lost.
func (c *checker) checkValue(n *Node) {
	w := &n.watch
	if !n.clean && c.sim.collects {
		return
	}
	a := c.agreed[w.hash+w.vanished]
	if a == nil || a.vanished != w.vanished || a.vector.Compare(w.vector) != clock.Equal {
		w.oracle.follow(c, w.vector)
		a = &agreed{vector: w.vector, vanished: w.vanished, sums: make([]sums, len(c.sim.spaces)), shown: make([]shown, len(c.sim.spaces))}
		for i := range a.sums {
			a.sums[i] = w.oracle.spaces[i].retained.sums
		}
		c.agree(w.hash+w.vanished, a)
	}
	for i, space := range c.sim.spaces {
		if p := w.probes[space]; p != nil && p.retained.sums != a.sums[i] {
			w.oracle.follow(c, w.vector)
			c.compare(n, p, i)
		}
	}
	if n.clean {
		c.checkAgreed(n, a)
	}
}

// checkAgreed compares a clean node's state hashes with those of others that had its
// vector (I4).
func (c *checker) checkAgreed(n *Node, a *agreed) {
	for _, s := range n.engine.Spaces() {
		i, ok := slices.BinarySearch(c.sim.spaces, s.Space)
		if !ok || !s.Attached {
			continue
		}
		switch h := s.Hash.Bytes(); {
		case a.shown[i].by == nil:
			a.shown[i] = shown{n, h}
		case a.shown[i].hash != h && !c.late && !c.lost:
			_ = c.sim.violate("I4", n, "clean at %v like %s, but the state hashes of space %q differ", n.watch.vector, a.shown[i].by.name, s.Space)
		}
	}
}

// compare judges a node that does not retain what its oracle does in a space. What the
// oracle was given in the order in which the node learned it may retain too much: a
// context leaves out what all members knew to be dead when it was written, and who hears of
// that later must not believe it. So it is believed only if it says the same when it is given
// everything in the order of time.
func (c *checker) compare(n *Node, p *probe, space int) {
	w := &n.watch
	if invariant, _ := c.judge(n, p, &w.oracle.spaces[space].retained); invariant == "" {
		return
	}
	w.oracle = oracle{}
	w.oracle.follow(c, w.vector)
	if invariant, what := c.judge(n, p, &w.oracle.spaces[space].retained); invariant != "" {
		_ = c.sim.violate(invariant, n, "%s", what)
	}
}

// judge returns the invariant that what a node retains breaks, and how; "" if none.
func (c *checker) judge(n *Node, p *probe, o *retention) (invariant, what string) {
	floors := n.engine.Floors()
	more, less := p.retained.without(o), o.without(&p.retained)
	differs := func(what string, e *record) (string, string) {
		state := "clean"
		if !n.clean {
			state = "dirty"
		}
		return "I3", fmt.Sprintf("%s at %v, but %s %s and nothing explains that; in all it lacks %s and has %s",
			state, n.watch.vector, what, describe(&e.Update), list(less), list(more))
	}
	for _, e := range less {
		collected := n.isDead(e) && e.Version <= floors.Version(e.Replica) || n.engine.IsVanished(e.Replica)
		if !collected && !c.explained(n, p.Model, e) {
			return differs("it lacks", e)
		}
	}
	for _, e := range more {
		late := c.collectedOver(n, p.Model, floors, o, e)
		switch {
		case late && n.isDead(e): // it hides only what the collected one hid
			continue
		case late && c.deleted(n, p.Model, e):
			return "I7", fmt.Sprintf("it shows %s, though somebody deleted that who had seen it", describe(&e.Update))
		case !late && !c.explained(n, p.Model, e):
			return differs("it has", e)
		}
		c.late = c.late || late
	}
	return "", ""
}

// explained reports whether something that the node does not know supersedes e: of a
// dirty node its horizon must cover that, of a clean one it must have been given up.
func (c *checker) explained(n *Node, m model.Model, e *record) bool {
	if n.clean && !c.lost {
		return false
	}
	horizon := n.engine.Horizon()
	for _, a := range c.history.authors { // order: it only asks whether there is one
		for _, w := range a.written {
			if w.Space == e.Space && !n.watch.vector.Covers(w.Dot) && (c.lost || horizon.Covers(w.Dot)) && m.Supersedes(&w.Update, &e.Update) {
				return true
			}
		}
	}
	return false
}
