package sim

import "github.com/insecure-scuttlebutt/scuttlebutt/model"

// buried reports whether a node retains no tombstone that the oracle does not, and lacks
// only those that were collected (R8).
func (c *checker) buried(n *Node, p *probe, o *retention) bool {
	for r := range p.retained.tombs { // order: each is judged alone
		if _, ok := o.tombs[r]; !ok {
			return false
		}
	}
	if len(p.retained.tombs) == len(o.tombs) {
		return true
	}
	floors := n.engine.Floors()
	for r := range o.tombs { // order: each is judged alone
		if _, ok := p.retained.tombs[r]; !ok && r.Version > floors.Version(r.Replica) {
			return false
		}
	}
	return true
}

// isLate reports whether a node differs from the oracle only by updates that came after
// what supersedes them was collected, from a writer that had not heard of it: they are
// shown, for want of anything that says otherwise. One whose deleter had seen it must
// not be (I7).
func (c *checker) isLate(n *Node, p *probe, o *retention) bool {
	if !c.buried(n, p, o) || len(o.without(&p.retained)) > 0 {
		return false
	}
	more := p.retained.without(o)
	for _, e := range more {
		if !c.collectedOver(n, p.Model, o, e) || c.deleted(n, p.Model, e) {
			return false
		}
	}
	return len(more) > 0
}

// collectedOver reports whether the node has collected a tombstone that supersedes e.
func (c *checker) collectedOver(n *Node, m model.Model, o *retention, e *record) bool {
	floors := n.engine.Floors()
	for t := range o.tombs { // order: it only asks whether there is one
		if t.Space == e.Space && t.Version <= floors.Version(t.Replica) && m.Supersedes(&t.Update, &e.Update) {
			return true
		}
	}
	return false
}

// deleted reports whether the node knows a tombstone over e whose writer had seen e.
func (c *checker) deleted(n *Node, m model.Model, e *record) bool {
	for _, a := range c.history.authors { // order: it only asks whether there is one
		for _, t := range a.written {
			if t.IsTombstone() && t.Space == e.Space && n.watch.vector.Covers(t.Dot) && t.saw.Covers(e.Dot) && m.Supersedes(&t.Update, &e.Update) {
				return true
			}
		}
	}
	return false
}
