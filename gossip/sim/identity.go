package sim

import (
	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

var (
	_ model.SelfHost   = (*host)(nil)
	_ model.StableHost = (*host)(nil)
	_ model.MemberHost = (*host)(nil)
)

// Self implements model.SelfHost; an oracle is nobody.
func (h *host) Self() clock.Replica {
	if h.node == nil {
		return clock.Replica{}
	}
	return h.node.engine.Self()
}

// Stable implements model.StableHost.
func (h *host) Stable() clock.Timestamp {
	if h.node == nil {
		return 0
	}
	through, _ := h.node.engine.Stable()
	return through
}

// Standing implements model.MemberHost; for an oracle everybody is present.
func (h *host) Standing(node string, _ clock.Timestamp) model.Standing {
	if h.node == nil || node == h.node.name {
		return model.Present
	}
	b, known := h.node.peers[h.sim.byName[node]]
	switch {
	case known && b.state == engine.PeerAlive:
		return model.Present
	case known && b.state == engine.PeerFailed && h.node.Clock().Sub(b.since) < h.node.removeAfter:
		return model.Absent
	}
	return model.Removed
}

// First implements model.MemberHost.
func (h *host) First() bool {
	if h.node == nil {
		return false
	}
	for p, b := range h.node.peers { // order: any is enough
		if b.state == engine.PeerAlive && p.name < h.node.name {
			return false
		}
	}
	return true
}

// noteMember tells a node's watchers that it takes another for something else.
func (n *Node) noteMember(peer string) {
	for _, w := range n.watchers {
		if m, ok := w.Watcher.(model.MemberWatcher); ok {
			m.NoteMember(peer)
		}
	}
}
