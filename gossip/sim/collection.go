package sim

import (
	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// isDead reports whether a node may have collected an update.
func (n *Node) isDead(r *record) bool {
	return r.IsTombstone() || r.Expires != 0 && r.Expires <= n.engine.Now(n.Clock())
}

// checkCollected looks at the dead updates that a node has just collected: every member
// knows them (I6), if it lived when they were written. Those that were taken over from
// another node's floor are judged there (R12).
func (c *checker) checkCollected(n *Node, m *engine.Message) {
	w := &n.watch
	removed := w.removed
	w.removed = nil
	collected := n.engine.Stats().Collected
	if collected == w.buried || m != nil || c.sim.cfg.Uniform {
		w.buried = collected
		return
	}
	w.buried = collected
	for _, p := range c.sim.nodes {
		if p == n || !c.sim.isMember(n, p) {
			continue
		}
		for _, t := range removed {
			if p.began <= t.at && !p.watch.vector.Covers(t.Dot) {
				_ = c.sim.violate("I6", n, "it has collected %s, which %s does not know at %v", describe(&t.Update), p.name, p.watch.vector)
				return
			}
		}
	}
}

// collectedOver reports whether a dead update that supersedes e was collected, by floors
// or because its replica has vanished.
func (c *checker) collectedOver(n *Node, m model.Model, floors clock.Vector, o *retention, e *record) bool {
	for t := range o.records { // order: it only asks whether there is one
		gone := t.Version <= floors.Version(t.Replica) || n.engine.IsVanished(t.Replica)
		if gone && n.isDead(t) && t.Space == e.Space && m.Supersedes(&t.Update, &e.Update) {
			return true
		}
	}
	return false
}

// deleted reports whether a node knows a tombstone over e, or what expires, whose writer
// had seen e; and which nobody may have forgotten by giving up: it may have been superseded
// by what is lost, or have been collected by nodes that are.
func (c *checker) deleted(n *Node, m model.Model, e *record) bool {
	for _, a := range c.history.authors { // order: it only asks whether there is one
		for _, t := range a.written {
			if t.Collectable() && t.Space == e.Space && n.watch.vector.Covers(t.Dot) && !c.forgot.Covers(t.Dot) && t.saw.Covers(e.Dot) && m.Supersedes(&t.Update, &e.Update) {
				return true
			}
		}
	}
	return false
}
