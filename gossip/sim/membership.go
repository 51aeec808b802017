package sim

import (
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// belief is what one node takes another for.
type belief struct {
	state engine.PeerState
	since time.Time // by its own clock
}

// membership returns what everybody knows of a node, who knows all.
func (n *Node) membership() engine.PeerState {
	switch {
	case n.Up():
		return engine.PeerAlive
	case n.gone:
		return engine.PeerRemoved
	}
	return engine.PeerFailed
}

// setPeer tells a node what membership says of another.
func (s *Sim) setPeer(at, peer *Node, state engine.PeerState) {
	if b, ok := at.peers[peer]; !ok || b.state != state {
		self := peer.engine.Self()
		s.counts.when(countReturn, ok && state == engine.PeerAlive && !s.isMember(at, peer) &&
			at.engine.Vector().Version(self) < peer.engine.Vector().Version(self))
		at.peers[peer] = belief{state, at.Clock()}
	}
	at.engine.SetPeer(at.Clock(), peer.name, state)
	at.noteMember(peer.name)
	at.reschedule()
	s.relink()
}

// announce tells all living nodes what has become of n: those that it reaches, where
// failures are detected.
func (s *Sim) announce(n *Node) {
	if s.cfg.Uniform {
		return
	}
	for _, p := range s.nodes {
		if p != n && p.Up() && (s.cfg.Detect == 0 || s.connected(p, n)) {
			s.setPeer(p, n, n.membership())
		}
	}
}

// introduce tells a node that begins to run of all others.
func (s *Sim) introduce(n *Node) {
	if s.cfg.Uniform {
		return
	}
	for _, p := range s.nodes {
		if p != n {
			s.setPeer(n, p, p.membership())
		}
	}
	if s.cfg.Detect > 0 {
		s.noticeAll()
	}
}

// noticeAll lets all nodes notice what has become of the others: each of each after
// about Config.Detect. Without that only crashes are noticed, at once.
func (s *Sim) noticeAll() {
	if s.cfg.Uniform {
		return
	}
	for _, at := range s.nodes {
		for _, peer := range s.nodes {
			switch {
			case at == peer || !at.Up():
			case s.cfg.Detect > 0:
				d := s.cfg.Detect/2 + time.Duration(s.net.Int63n(int64(s.cfg.Detect)))
				s.after(d, func() { s.notice(at, peer) })
			case !peer.Up() && at.peers[peer].state == engine.PeerAlive:
				s.setPeer(at, peer, engine.PeerFailed)
			}
		}
	}
}

// notice lets a node take another for alive if messages pass both ways, and for failed
// if not. One that was removed stays removed.
func (s *Sim) notice(at, peer *Node) {
	b, known := at.peers[peer]
	if !at.Up() || known && b.state == engine.PeerRemoved {
		return
	}
	now := engine.PeerFailed
	switch {
	case peer.gone && !peer.Up():
		now = engine.PeerRemoved
	case peer.state == running && s.connected(at, peer):
		now = engine.PeerAlive
	}
	if !known || b.state != now {
		s.counts.when(countDetected, now == engine.PeerFailed)
		s.trace.event(s, [...]string{"finds alive", "finds failed", "finds gone"}[now], at, peer)
		s.setPeer(at, peer, now)
	}
}

// isMember reports whether a node counts another as a member (R10).
func (s *Sim) isMember(at, peer *Node) bool {
	b, known := at.peers[peer]
	return known && (b.state == engine.PeerAlive || b.state == engine.PeerFailed && at.Clock().Sub(b.since) < at.removeAfter)
}

// Forget lets one node take another for gone, whatever it does: a false removal.
func (s *Sim) Forget(at, peer *Node) {
	s.counts.add(countForget, 1)
	s.trace.event(s, "forget", at, peer)
	s.setPeer(at, peer, engine.PeerRemoved)
}

// Recall ends a Forget: the node learns again what the other one is.
func (s *Sim) Recall(at, peer *Node) {
	s.trace.event(s, "recall", at, peer)
	s.setPeer(at, peer, peer.membership())
}

// drawPeer lets n forget its peer, and know another one. That one counts as failed:
// engines hurry to meet a peer that has come to life, and this is none.
func (s *Sim) drawPeer(n *Node) {
	if n.peer != nil {
		n.engine.SetPeer(n.Clock(), n.peer.name, engine.PeerRemoved)
		n.peer = nil
	}
	if len(s.living) < 2 {
		return
	}
	i := s.draws.Intn(len(s.living) - 1)
	if i == n.alive {
		i = len(s.living) - 1
	}
	n.peer = s.living[i]
	n.engine.SetPeer(n.Clock(), n.peer.name, engine.PeerFailed)
}
