package sim

import (
	"context"
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

var _ model.Host = (*host)(nil)

// host is what a handle knows of its node.
type host struct {
	sim   *Sim
	node  *Node // nil: an oracle's, which nobody writes to or watches
	space string
}

// RLock implements model.Host: there is nothing to hold off.
func (h *host) RLock() int { return 0 }

// RUnlock implements model.Host.
func (h *host) RUnlock(int) {}

// Write implements model.Host. It never waits.
func (h *host) Write(ctx context.Context, _ bool, f func(*model.Tx) error) error {
	if h.node == nil {
		return ErrDown
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var tx model.Tx
	if err := f(&tx); err != nil || len(tx.Drafts()) == 0 {
		return err
	}
	return h.sim.Write(h.node, h.space, tx.Drafts()...)
}

// Watch implements model.Host. While the loop waits it moves the simulation on: it
// ends with the simulation, too, and at once where an event is under way already.
func (h *host) Watch(ctx context.Context, w model.Watcher) func(yield func() bool) {
	return func(yield func() bool) {
		w.Start()
		if h.node == nil {
			return
		}
		life := h.node.engine
		n := h.node
		n.watchers = append(n.watchers, watcher{w, h.space})
		defer func() {
			n.watchers = slices.DeleteFunc(n.watchers, func(o watcher) bool { return o.Watcher == w })
		}()
		for ctx.Err() == nil {
			switch {
			case w.Take():
				if !yield() {
					return
				}
			case h.sim.stepping, n.state == down, n.engine != life, h.sim.next() == never, h.sim.Step() != nil:
				return
			}
		}
	}
}

// watcher is a watcher of one space of a node.
type watcher struct {
	model.Watcher
	space string
}

// noteChanges tells a node's watchers what a call of its engine changed.
func (n *Node) noteChanges(out *engine.Output) {
	if len(n.watchers) == 0 {
		return
	}
	for _, c := range out.Changed {
		u := c.New
		if u == nil {
			u = c.Old
		}
		for _, w := range n.watchers {
			if w.space == u.Space {
				w.Note(c)
			}
		}
	}
}
