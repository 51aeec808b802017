package sim

import (
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// checkGrowth compares a vector with what it was: it grows (I1), but for what a
// node wrote under an identity that was stolen (R1).
func (c *checker) checkGrowth(n *Node, before glance) {
	now := n.watch.vector
	if contains(now, before.vector) {
		return
	}
	self := clock.Replica{Node: n.name, Epoch: before.epoch}
	for r, version := range before.vector.All() {
		switch {
		case now.Version(r) >= version || r == self && before.epoch != n.watch.epoch:
		case c.isCut(n, r), n.engine.IsVanished(r) && !n.engine.Clean(): // the latter knew what came late
			c.giveUp(before.vector) // what it superseded may be gone everywhere
		default:
			_ = c.sim.violate("I1", n, "the vector went from %v to %v", before.vector, now)
			return
		}
	}
}

// checkBatches looks for the batches behind every move of a vector (I8), and
// counts closed holes among them.
func (c *checker) checkBatches(n *Node, before glance, batches []engine.Batch) {
	for r, version := range n.watch.vector.All() {
		old := before.vector.Version(r)
		if version <= old || r == n.engine.Self() || n.engine.IsVanished(r) {
			continue
		}
		i := slices.IndexFunc(batches, func(b engine.Batch) bool {
			return b.Replica == r && b.From <= old && old < b.Through && version <= b.Through
		})
		if i < 0 {
			_ = c.sim.violate("I8", n, "%v went from %d to %d without a batch that starts there", r, old, version)
			return
		}
		b := &batches[i]
		c.sim.counts.when(countClosedHole, b.Closed && clock.Version(len(b.Updates)) < b.Through-b.From)
	}
}

// checkTime compares the time of a write with those of all that its writer knew, whether it
// has seen them or not: it is later (DESIGN §4). The latest of each replica is its last.
// Of one that has vanished it need not have seen anything; its clock may have been too far
// ahead to be believed.
func (c *checker) checkTime(n *Node, r *record) {
	unbelieved := c.sim.cfg.Engine.MaxDrift > 0 // less than clocks differ
	for id, version := range r.saw.All() {
		known := c.history.author(id).written[version]
		if known != nil && known.Time >= r.Time && id != r.Replica && !(unbelieved && n.engine.IsVanished(id)) {
			_ = c.sim.violate("HLC", n, "%s is not after %s, which its writer knew", describe(&r.Update), describe(&known.Update))
			return
		}
	}
}

// checkDeps looks for what an update builds on: it is known before (DESIGN §5).
func (c *checker) checkDeps(n *Node, u *model.Update) {
	v := c.known(n)
	for _, d := range u.Deps.All() {
		if !v.Covers(d) && !c.isCut(n, d.Replica) {
			_ = c.sim.violate("Deps", n, "%s came before %v, on which it builds, at %v", describe(u), d, v)
		}
	}
}

// collect returns the batches of all parts of a message that have come.
func (c *checker) collect(n *Node, m *engine.Message) []engine.Batch {
	parts := n.watch.parts
	key := partKey{m.From, m.Kind, m.Exchange}
	a := parts[key]
	if a == nil {
		a = &arrived{}
		parts[key] = a
		if len(parts)%64 == 0 {
			for k, old := range parts { // order: each is judged alone
				if old != a && c.sim.now-old.last > forgetAfter {
					delete(parts, k)
				}
			}
		}
	}
	a.last = c.sim.now
	a.batches = append(a.batches, m.Batches...)
	return a.batches
}

// checkHorizon compares the horizon with what the sender of an open hole knew when
// it encoded it (I5).
func (c *checker) checkHorizon(n *Node, p *packet, m *engine.Message) {
	if p.knew == nil {
		return
	}
	h := c.withVanished(n, n.engine.Horizon())
	if !contains(h, p.knew.vector) || !contains(h, p.knew.horizon) {
		_ = c.sim.violate("I5", n, "it applied an open hole from %v; its horizon is %v, the sender's vector was %v, its horizon %v",
			m.From, h, p.knew.vector, p.knew.horizon)
	}
}

// checkRepeated looks at a message whose batches are all known: it changes
// nothing (I13).
func (c *checker) checkRepeated(n *Node, before glance, m *engine.Message) {
	if m.Kind == engine.Repair || m.Digest.Parts > 1 || len(m.Retired) > 0 || before.epoch != n.watch.epoch {
		return
	}
	for i := range m.Batches {
		if b := &m.Batches[i]; b.Through > before.vector.Version(b.Replica) {
			return
		}
	}
	_ = c.sim.violate("I13", n, "a %v from %v that brings nothing new changed something: vector %v, before %v", m.Kind, m.From, n.watch.vector, before.vector)
}

// knowledge returns what a node knows when it sends m to a peer, to judge an open
// hole in it by.
func (c *checker) knowledge(n *Node, to string, m *engine.Message) *knowledge {
	w := &n.watch
	if w.knew == nil {
		w.knew = &knowledge{vector: n.engine.Vector()}
	}
	if m.From != n.engine.Self() {
		return nil // it was made before a new life began, in the same step
	}
	k := w.knew
	if !n.clean {
		k = &knowledge{vector: w.knew.vector, horizon: n.engine.Horizon()}
	}
	key := servedKey{m.From.Epoch, to, m.Exchange}
	switch {
	case m.Kind == engine.Ack && m.Cleaning:
		c.forgetServed(w)
		taken := *k
		taken.used = c.sim.now
		w.served[key] = &taken
	case m.Kind == engine.Push && len(w.served) > 0:
		if taken := w.served[key]; taken != nil {
			taken.used = c.sim.now
			return taken // it speaks for then (R5)
		}
	}
	return k
}

// forgetServed drops cleaning exchanges that are over.
func (c *checker) forgetServed(w *watch) {
	for key, k := range w.served { // order: each is judged alone
		if c.sim.now-k.used > forgetAfter {
			delete(w.served, key)
		}
	}
}

// checkSize compares a message's size with its channel's limit (I11), and counts
// digests that hold a replica back.
func (c *checker) checkSize(n *Node, p *packet, m *engine.Message) {
	c.sim.counts.when(countHeld, slices.ContainsFunc(m.Digest.Entries, func(d engine.DigestEntry) bool { return d.Held }))
	size := len(p.bytes)
	if n.encoder == nil {
		size = n.codec.Size(m)
	}
	limit, channel := n.maxDatagram, "datagram"
	if p.stream {
		limit, channel = n.maxStream, "stream message"
	}
	if size > limit {
		_ = c.sim.violate("I11", n, "a %v of %d bytes as a %s, at most %d", m.Kind, size, channel, limit)
	}
}
