package gossip

import (
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// handover follows how many of this node's own updates have reached somebody: a
// peer's digest tells, or its answer that its vector equals the one offered. The
// zero value is ready.
type handover struct {
	self    clock.Replica
	reached clock.Version // some peer has shown that it knows self up to here
	syn     uint64        // the latest exchange begun
	offered clock.Version // self's version in it
}

// sent notes what leaves.
func (h *handover) sent(self clock.Replica, m *engine.Message) {
	h.be(self)
	if m.Kind != engine.Syn {
		return
	}
	if m.Exchange != h.syn {
		h.syn, h.offered = m.Exchange, 0
	}
	h.offered = max(h.offered, versionIn(m.Digest, self)) // a digest may come in parts
}

// received notes what a peer says.
func (h *handover) received(self clock.Replica, m *engine.Message) {
	h.be(self)
	h.reached = max(h.reached, versionIn(m.Digest, self))
	if m.Kind == engine.Ack && m.Same && m.Exchange == h.syn {
		h.reached = max(h.reached, h.offered)
	}
}

// be forgets what concerned an earlier epoch.
func (h *handover) be(self clock.Replica) {
	if h.self != self {
		*h = handover{self: self}
	}
}

func versionIn(d engine.Digest, r clock.Replica) clock.Version {
	i, ok := slices.BinarySearchFunc(d.Entries, r, func(e engine.DigestEntry, r clock.Replica) int {
		return e.Replica.Compare(r)
	})
	if !ok {
		return 0
	}
	return d.Entries[i].Version
}
