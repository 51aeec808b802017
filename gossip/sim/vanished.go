package sim

import (
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// known returns what a node knows: its vector, and all of replicas that have vanished,
// as they were then (R13).
func (c *checker) known(n *Node) clock.Vector {
	now, before, i := n.engine.Vector(), n.watch.vector, 0
	for j := range before.Len() {
		e := before.At(j)
		for i < now.Len() && now.At(i).Replica.Compare(e.Replica) < 0 {
			i++
		}
		isHere := i < now.Len() && now.At(i).Replica == e.Replica
		if !isHere && e.Version > 0 && n.watch.over.Version(e.Replica) == 0 && n.engine.IsVanished(e.Replica) {
			c.checkVanished(n, e.Replica, e.Version)
		}
	}
	return c.withVanished(n, now)
}

// withVanished adds what is known of replicas that have vanished at a node.
func (c *checker) withVanished(n *Node, v clock.Vector) clock.Vector {
	w := &n.watch
	w.waiting = append(w.waiting, c.final[w.finals:]...)
	w.finals = len(c.final)
	w.waiting = slices.DeleteFunc(w.waiting, func(e clock.Entry) bool {
		if !n.engine.IsVanished(e.Replica) {
			return false
		}
		w.over.Set(e.Replica, e.Version)
		w.vanished += c.entryHash(clock.Entry{Replica: e.Replica})
		return true
	})
	v.Merge(w.over)
	return v
}

// checkVanished compares how much a node knew of a replica that has just vanished there
// with what the first one knew: a clean node that shows anything knew the same. Who got
// something late, after all had agreed, knew more, and is not clean.
func (c *checker) checkVanished(n *Node, id clock.Replica, version clock.Version) {
	k := slices.IndexFunc(c.final, func(e clock.Entry) bool { return e.Replica == id })
	if k < 0 {
		c.final = append(c.final, clock.Entry{Replica: id, Version: version})
		for _, p := range c.sim.nodes { // all that know that it has vanished know so much of it
			if p != n && p.Up() {
				c.look(p)
			}
		}
		for _, p := range c.sim.nodes {
			if p == n || p.engine.IsVanished(id) || !c.sim.isMember(n, p) {
				continue
			}
			for _, probe := range p.watch.probes { // order: it only asks whether there is one
				for r := range probe.retained.records { // order: as above
					if p.Up() && r.Replica == id && !r.Collectable() {
						_ = c.sim.violate("R13", n, "%v has vanished here, but %s retains %s", id, p.name, describe(&r.Update))
						return
					}
				}
			}
		}
		return
	}
	retains := slices.ContainsFunc(n.engine.Spaces(), func(s engine.SpaceStatus) bool { return s.Updates > 0 })
	final := c.final[k].Version
	if version > final && !c.isCut(n, id) && n.engine.Clean() || version < final && n.engine.Clean() && retains {
		_ = c.sim.violate("R13", n, "%v has vanished here at version %d, elsewhere at %d", id, version, final)
	}
}

// isCut reports whether a node has taken away what a replica wrote after its node was
// declared lost.
func (c *checker) isCut(n *Node, id clock.Replica) bool {
	return slices.ContainsFunc(n.engine.Retired(), func(t engine.Retirement) bool {
		return t.Node == id.Node && t.Gone == id.Epoch && n.engine.Vector().Version(id) <= t.Final
	})
}
