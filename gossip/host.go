package gossip

import (
	"context"
	"errors"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

var (
	_ model.Host      = (*host)(nil)
	_ model.DraftHost = (*host)(nil)
)

// host is one space of a node, as its handle sees it.
type host struct {
	node  *Node
	space string
	model model.Model

	// Guarded by Node.mu.
	detached bool
	conflict string   // of model types, if one was logged
	tx       model.Tx // of the write under way
}

// RLock implements model.Host.
func (h *host) RLock() (reader int) { return h.node.mu.RLock() }

// RUnlock implements model.Host.
func (h *host) RUnlock(reader int) { h.node.mu.RUnlock(reader) }

// Write implements model.Host.
func (h *host) Write(ctx context.Context, wait bool, f func(*model.Tx) error) error {
	return h.submit(ctx, wait, request{f: f})
}

// WriteDraft implements model.DraftHost.
func (h *host) WriteDraft(ctx context.Context, wait bool, d model.Draft) error {
	return h.submit(ctx, wait, request{one: [1]model.Draft{d}})
}

// request is what is to be written.
type request struct {
	f   func(*model.Tx) error // puts drafts; nil: there is one
	one [1]model.Draft
}

// drafts returns what is to be written; tx may keep it.
func (r *request) drafts(tx *model.Tx) ([]model.Draft, error) {
	if r.f == nil {
		return r.one[:], nil
	}
	err := r.f(tx)
	return tx.Drafts(), err
}

// submit does a write, when it is its turn.
func (h *host) submit(ctx context.Context, wait bool, r request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := h.write(&r, false)
	for wait && errors.Is(err, ErrJoining) {
		if err := h.node.awaitAdmission(ctx); err != nil {
			return err
		}
		err = h.write(&r, false)
	}
	switch {
	case !errors.Is(err, ErrThrottled):
		return err
	case !wait:
		h.node.throttle.refused.Add(1)
		return err
	}
	return h.wait(ctx, &r)
}

// wait does a write when it is its turn.
func (h *host) wait(ctx context.Context, r *request) error {
	n := h.node
	begin := time.Now()
	defer func() { n.metrics.waited(time.Since(begin)) }()
	n.throttle.waiting.Add(1)
	defer n.throttle.waiting.Add(-1)
	pass, err := n.throttle.await(ctx, n.done)
	switch {
	case errors.Is(err, ErrClosed):
		return n.Err()
	case err != nil:
		return err
	}
	defer pass()
	return h.write(r, true)
}

// write does a write unless it has to wait: for that it returns ErrThrottled. A
// write that has waited goes through.
func (h *host) write(r *request, waited bool) error {
	n := h.node
	return n.do(func(now time.Time) (engine.Output, error) {
		switch {
		case n.leaving:
			return engine.Output{}, ErrClosed
		case h.detached:
			return engine.Output{}, model.ErrDetached
		}
		open := waited || n.throttle.isOpen(now)
		if !open && !n.throttle.hasUnsent(n.engine) {
			return engine.Output{}, n.throttle.refuse(now)
		}
		defer h.tx.Reset()
		drafts, err := r.drafts(&h.tx)
		if err != nil || len(drafts) == 0 {
			return engine.Output{}, err
		}
		if !open && !n.throttle.isFree(n.engine, h.space, drafts) {
			return engine.Output{}, n.throttle.refuse(now)
		}
		out, err := n.engine.Write(now, h.space, drafts)
		n.throttle.charge(now, n.engine, out.Changed)
		return out, err
	})
}
