package modeltest

import (
	"context"
	"errors"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

var (
	_ model.Host     = (*host)(nil)
	_ model.SelfHost = (*host)(nil)

	errFull   = errors.New("modeltest: the history is full")
	errMisuse = errors.New("modeltest: the host was misused")
)

// host is the node of one handle: single-threaded, so what would be a deadlock
// on a real node is noticed here.
type host struct {
	model.Host // nil: for the methods of which the laws say nothing

	self clock.Replica // zero for models that are not written to

	// issue makes updates of drafts and applies them; nil while nothing may be
	// written.
	issue   func([]model.Draft) error
	reading bool
	reader  int // what the last RLock returned
	writing bool
	misuse  string // the first broken rule of model.Host
}

// Self implements model.SelfHost.
func (h *host) Self() clock.Replica { return h.self }

// RLock implements model.Host.
func (h *host) RLock() (reader int) {
	switch {
	case h.writing:
		h.broke("RLock within the function of a Write")
	case h.reading:
		h.broke("RLock after RLock")
	}
	h.reading = true
	h.reader++
	return h.reader
}

// RUnlock implements model.Host.
func (h *host) RUnlock(reader int) {
	switch {
	case !h.reading:
		h.broke("RUnlock without RLock")
	case reader != h.reader:
		h.broke("RUnlock with what another RLock returned")
	}
	h.reading = false
}

// Write implements model.Host.
func (h *host) Write(ctx context.Context, _ bool, f func(*model.Tx) error) error {
	switch {
	case h.writing:
		h.broke("Write within the function of a Write")
		return errMisuse
	case h.reading:
		h.broke("Write between RLock and RUnlock")
		return errMisuse
	case h.issue == nil:
		h.broke("Write outside of Config.Write")
		return errMisuse
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var tx model.Tx
	h.writing = true
	err := f(&tx)
	h.writing = false
	if err != nil || len(tx.Drafts()) == 0 {
		return err
	}
	return h.issue(tx.Drafts())
}

// check returns how the handle broke the rules in a call that has ended.
func (h *host) check() *Failure {
	if h.reading {
		h.broke("RLock without RUnlock")
		h.reading = false
	}
	if h.misuse == "" {
		return nil
	}
	return failf(Locking, "the handle calls its host in a way that a node does not allow: %s", h.misuse)
}

func (h *host) broke(rule string) {
	if h.misuse == "" {
		h.misuse = rule
	}
}
