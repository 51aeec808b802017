package gossip

import (
	"context"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

var _ model.Host = (*host)(nil)

// host is one space of a node, as its handle sees it.
type host struct {
	node  *Node
	space string
}

// RLock implements model.Host.
func (h *host) RLock() { h.node.mu.RLock() }

// RUnlock implements model.Host.
func (h *host) RUnlock() { h.node.mu.RUnlock() }

// Write implements model.Host. Nothing throttles writes, so wait does not matter.
func (h *host) Write(ctx context.Context, _ bool, f func(*model.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n := h.node
	return n.do(func(now time.Time) (engine.Output, error) {
		if n.leaving {
			return engine.Output{}, ErrClosed
		}
		var tx model.Tx
		if err := f(&tx); err != nil || len(tx.Drafts()) == 0 {
			return engine.Output{}, err
		}
		return n.engine.Write(now, h.space, tx.Drafts())
	})
}
