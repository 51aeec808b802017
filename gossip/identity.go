package gossip

import (
	"math/rand/v2"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

var (
	_ model.SelfHost   = (*host)(nil)
	_ model.StableHost = (*host)(nil)
	_ model.SeedHost   = (*host)(nil)
)

// Self implements model.SelfHost.
func (h *host) Self() clock.Replica { return h.node.engine.Self() }

// Stable implements model.StableHost.
func (h *host) Stable() clock.Timestamp {
	through, _ := h.node.engine.Stable()
	return through
}

// Seed implements model.SeedHost.
func (h *host) Seed() uint64 { return rand.Uint64() }
