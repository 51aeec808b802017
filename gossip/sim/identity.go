package sim

import (
	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

var (
	_ model.SelfHost   = (*host)(nil)
	_ model.StableHost = (*host)(nil)
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
