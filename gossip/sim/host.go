package sim

import (
	"context"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

var _ model.Host = (*host)(nil)

// host is what a handle knows of its node.
type host struct {
	sim   *Sim
	node  *Node
	space string
}

// RLock implements model.Host: there is nothing to hold off.
func (h *host) RLock() {}

// RUnlock implements model.Host.
func (h *host) RUnlock() {}

// Write implements model.Host. It never waits.
func (h *host) Write(ctx context.Context, _ bool, f func(*model.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var tx model.Tx
	if err := f(&tx); err != nil || len(tx.Drafts()) == 0 {
		return err
	}
	return h.sim.Write(h.node, h.space, tx.Drafts()...)
}

// Watch implements model.Host: there is nobody to wait, so the loop ends at once.
func (h *host) Watch(_ context.Context, w model.Watcher) func(yield func() bool) {
	return func(func() bool) { w.Start() }
}
