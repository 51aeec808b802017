package engine_test

import (
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// lane is one direction of a link. What goes over it arrives in order, one message at a
// time, or is lost when it breaks.
type lane struct {
	from, to string
	life     int
	busy     bool
	stuck    bool // the far end does not read
	passed   int  // messages that arrived
}

// connect makes the links that nodes want.
func (w *world) connect() {
	w.lanes = map[[2]string]*lane{}
	for _, n := range w.nodes {
		for _, peer := range n.e.Neighbours() {
			for _, p := range [][2]string{{n.name, peer}, {peer, n.name}} {
				if w.lanes[p] == nil {
					w.lanes[p] = &lane{from: p[0], to: p[1]}
				}
			}
		}
	}
	for _, a := range w.nodes {
		for _, b := range w.nodes {
			if w.lanes[[2]string{a.name, b.name}] != nil {
				w.link(a, b, true)
			}
		}
	}
}

// link tells a node of a link.
func (w *world) link(n, peer *node, up bool) {
	before := w.vector(n)
	w.after(n, before, nil, n.e.SetLink(w.clock(n), peer.name, up))
}

// snap breaks the link of two nodes and makes another: what was under way is lost.
func (w *world) snap(a, b *node) {
	for _, p := range [][2]*node{{a, b}, {b, a}} {
		x := w.lanes[[2]string{p[0].name, p[1].name}]
		x.life++
		x.busy = false
	}
	w.link(a, b, true)
	w.link(b, a, true)
}

// feed gives a node's links what they can take.
func (w *world) feed(n *node) {
	for more := w.lanes != nil; more; {
		var ready []string
		for _, p := range w.nodes {
			if x := w.lanes[[2]string{n.name, p.name}]; x != nil && !x.busy {
				ready = append(ready, p.name)
			}
		}
		out := n.e.Feed(w.clock(n), ready)
		for _, env := range out.Live {
			b := w.codec.Encode(env.Message)
			if limit := n.cfg.MaxStream; limit > 0 && len(b) > limit {
				w.t.Fatalf("a live message from %s has %d bytes, limit %d (I11)", n.name, len(b), limit)
			}
			for _, to := range env.To {
				x := w.lanes[[2]string{n.name, to}]
				x.busy = true
				d := delivery{to: to, bytes: b, lane: x, life: x.life, seq: w.seq}
				d.at = w.now.Add(time.Duration(w.rng.Int63n(int64(w.faults.delay) + 1)))
				w.seq++
				w.queue = append(w.queue, d)
			}
		}
		more = out.Fresh
	}
}

// arrive reports whether a message that went over a link arrives; then the link can take
// more.
func (w *world) arrive(d delivery) bool {
	switch {
	case d.lane.life != d.life:
		return false
	case d.lane.stuck:
		d.at = d.at.Add(time.Second)
		w.queue = append(w.queue, d)
		return false
	}
	d.lane.busy = false
	d.lane.passed++
	if i := slices.IndexFunc(w.nodes, func(n *node) bool { return n.name == d.lane.from && n.up }); i >= 0 {
		w.feed(w.nodes[i])
	}
	return true
}

// pass lets a time pass, and no more: run goes on to the end of what it has begun.
func (w *world) pass(d time.Duration) {
	for end := w.now.Add(d); ; w.step() {
		next := end.Add(1)
		for _, n := range w.nodes {
			if n.up && n.due().Before(next) {
				next = n.due()
			}
		}
		for i := range w.queue {
			if w.queue[i].at.Before(next) {
				next = w.queue[i].at
			}
		}
		if next.After(end) {
			w.now = end
			return
		}
	}
}

// checkLive compares a horizon with what it was before a live message: it is not raised
// above what is known.
func (w *world) checkLive(n *node, before clock.Vector) {
	v := n.e.Vector()
	for r, version := range n.e.Horizon().All() {
		if version > v.Version(r) && version > before.Version(r) {
			w.t.Fatalf("%s: a live message raised the horizon of %v to %d, it knows %d", n.name, r, version, v.Version(r))
		}
	}
}

// sum adds up a figure of all nodes.
func (w *world) sum(of func(engine.Stats) uint64) uint64 {
	n := uint64(0)
	for _, x := range w.nodes {
		n += of(x.e.Stats())
	}
	return n
}
