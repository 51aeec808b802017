package sim

import (
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// pipe is one direction of a link. What goes through it arrives in order, one message at
// a time, or is lost when the link breaks.
type pipe struct {
	life  uint64 // of the link; 0: there is none
	known uint64 // the life that its sender knows of; 0: none
	busy  bool
	last  time.Duration // when the last message arrives
}

// noticeLink is how long an end of a link takes to notice what became of it, at most.
const noticeLink = 50 * time.Millisecond

// pipe returns the direction of a link from n to a peer.
func (n *Node) pipe(peer *Node) *pipe {
	p := n.pipes[peer]
	if p == nil {
		p = &pipe{}
		n.pipes[peer] = p
	}
	return p
}

// relink makes and breaks links as it must be now: two nodes that are up and hear each
// other have one if one of them wants it.
func (s *Sim) relink() {
	if s.cfg.Live == nil {
		return
	}
	for _, a := range s.nodes {
		for _, b := range s.nodes[a.index+1:] {
			up := a.Up() && b.Up() && !s.isCut(a, b) && !s.isCut(b, a) &&
				(slices.Contains(a.engine.Neighbours(), b.name) || slices.Contains(b.engine.Neighbours(), a.name))
			if up != (a.pipe(b).life > 0) {
				s.replace(a, b, up)
			}
		}
	}
}

// Snap breaks the link between two nodes, if there is one, and makes another: what was
// under way is lost. Both notice a moment later.
func (s *Sim) Snap(a, b *Node) {
	if a != b && s.cfg.Live != nil && a.pipe(b).life > 0 {
		s.trace.event(s, "snap", a, b)
		s.replace(a, b, true)
	}
}

// replace ends a link, and makes another if there is to be one.
func (s *Sim) replace(a, b *Node, up bool) {
	life := uint64(0)
	if up {
		s.links++
		life = s.links
	}
	for _, p := range [][2]*Node{{a, b}, {b, a}} {
		n, peer := p[0], p[1]
		n.pipe(peer).life = life
		s.after(time.Duration(s.wires.Int63n(int64(noticeLink))), func() { s.noticeLinks(n) })
	}
}

// noticeLinks tells a node what became of its links.
func (s *Sim) noticeLinks(n *Node) {
	if n.state != running {
		return
	}
	for _, peer := range s.nodes {
		p := n.pipes[peer]
		if p == nil || p.known == p.life {
			continue
		}
		p.known, p.busy = p.life, false
		s.done(n, nil, nil, n.engine.SetLink(n.Clock(), peer.name, p.life > 0))
	}
}

// feed gives the links of a node what they can take.
func (s *Sim) feed(n *Node) {
	for more := s.cfg.Live != nil && n.state == running; more; {
		var ready []string
		for _, peer := range s.nodes {
			if p := n.pipes[peer]; p != nil && p.known > 0 && !p.busy {
				ready = append(ready, peer.name)
			}
		}
		out := n.engine.Feed(n.Clock(), ready)
		n.reschedule()
		for i := range out.Live {
			for _, to := range out.Live[i].To {
				s.pipe(n, s.byName[to], out.Live[i].Message)
			}
		}
		more = out.Fresh
	}
}

// pipe lets a live message go over a link.
func (s *Sim) pipe(n, to *Node, m *engine.Message) {
	pkt := &packet{from: n, to: to, stream: true}
	if n.encoder == nil {
		pkt.message = m
	} else {
		pkt.bytes = n.encoder.Encode(m)
	}
	if s.check != nil {
		s.check.checkSize(n, pkt, m)
	}
	s.trace.packet(s, "feed", pkt)
	s.remember(pkt)
	p, from := n.pipe(to), n.engine
	p.busy = true
	p.last = max(p.last, s.now+max(s.cfg.Live(s.wires), 0))
	life := p.known
	s.At(p.last, func() {
		if p.known == life {
			p.busy = false
		}
		if p.life == life {
			s.arrive(pkt)
		} else {
			s.counts.add(countLiveLost, 1)
			s.trace.fate(s, "lost with its link", pkt)
		}
		if n.engine == from {
			s.feed(n)
		}
	})
}

// checkLive compares a horizon with what it was before a live message came: it is not
// raised above what is known.
func (c *checker) checkLive(n *Node, before clock.Vector) {
	known := c.known(n)
	for r, version := range n.engine.Horizon().All() {
		if version > known.Version(r) && version > before.Version(r) && n.watch.epoch == n.engine.Self().Epoch {
			_ = c.sim.violate("R3", n, "a live message raised the horizon of %v to %d, above what is known", r, version)
			return
		}
	}
}
