package gossip

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

var _ model.MemberHost = (*host)(nil)

// standings is what membership said last of every other node that it named, for models
// that ask. It changes under Node.order and Node.mu.
type standings struct {
	of map[string]model.Standing
	// known is when this node has been there for RemoveAfter: who is gone by then, and
	// was not named, may be forgotten by all.
	known time.Time
}

// maxStandings bounds how many nodes are kept in mind of which membership has said that
// they are gone.
const maxStandings = 10_000

// Standing implements model.MemberHost.
func (h *host) Standing(node string, heard clock.Timestamp) model.Standing {
	n := h.node
	if node == n.cfg.Name {
		return model.Present
	}
	if s, ok := n.standings.of[node]; ok {
		return s
	}
	// Its updates may be here before membership names it, or long after.
	now := time.Now()
	if now.Before(n.standings.known) || now.Before(heard.Time().Add(n.cfg.RemoveAfter)) {
		return model.Absent
	}
	return model.Removed
}

// First implements model.MemberHost.
func (h *host) First() bool {
	for name, s := range h.node.standings.of { // order: any is enough
		if s == model.Present && name < h.node.cfg.Name {
			return false
		}
	}
	return true
}

// setStandings notes what has become of peers, and tells whoever wants to know. It is
// called under order and mu.
func (n *Node) setStandings(moved []peerMove) {
	for _, m := range moved {
		switch m.state {
		case engine.PeerAlive:
			n.standings.of[m.name] = model.Present
		case engine.PeerFailed:
			n.standings.of[m.name] = model.Absent
		default:
			n.standings.of[m.name] = model.Removed
		}
	}
	if len(n.standings.of) > maxStandings {
		maps.DeleteFunc(n.standings.of, func(_ string, s model.Standing) bool { return s == model.Removed })
	}
	for _, m := range moved {
		n.watches.noteMember(m.name)
	}
	if len(moved) > 0 {
		n.described.signal()
		n.tenders.signal()
	}
}

// noteMember tells all who watch members that something has become of one. It is called
// under Node.order.
func (w *watches) noteMember(node string) {
	for _, all := range w.spaces { // order: they do not see each other
		for _, s := range all {
			if m, ok := s.watcher.(model.MemberWatcher); ok {
				w.do(s, func() { m.NoteMember(node) })
			}
		}
	}
}

// do lets a watcher note something.
func (w *watches) do(s *watch, note func()) {
	s.mu.Lock()
	note()
	more := w.measure(s) > 0
	s.mu.Unlock()
	if !more {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default: // it has not seen the last one yet
	}
}

// tenders are the handles that are asked to put their spaces in order.
type tenders struct {
	spaces map[string]model.Tender // changes under Node.order, by set
	wake   chan struct{}           // capacity 1: there may be something to do

	// Guarded by Node.order: one space is written to again and again, more often than not.
	last   string // that was looked up
	tended bool   // it is in spaces
}

// set makes a handle the tender of a space; nil: none is. Node.order is held.
func (t *tenders) set(space string, tender model.Tender) {
	if t.last, t.tended = "", false; tender == nil {
		delete(t.spaces, space)
	} else {
		t.spaces[space] = tender
	}
}

// has reports whether a space has a tender. Node.order is held.
func (t *tenders) has(space string) bool {
	if t.last != space {
		t.last, t.tended = space, t.spaces[space] != nil
	}
	return t.tended
}

func (t *tenders) signal() {
	select {
	case t.wake <- struct{}{}:
	default: // it has not seen the last one yet
	}
}

// noteTended wakes the loop that tends spaces when one of these has changed. Node.order
// is held.
func (n *Node) noteTended(changed []model.Change) {
	for i := 0; i < len(changed); {
		space := spaceOf(changed[i])
		if n.tenders.has(space) {
			n.tenders.signal()
		}
		if space == metadataSpace {
			n.described.signal()
		}
		for i++; i < len(changed) && spaceOf(changed[i]) == space; i++ {
		}
	}
}

// tend puts spaces in order whenever that may be needed, until the node is closed.
func (n *Node) tend() {
	again := n.cfg.RemoveAfter // from then on others may be gone
	for {
		select {
		case <-n.done:
			return
		case <-n.tenders.wake:
		case <-time.After(again):
		}
		select { // changes come in bursts
		case <-n.done:
			return
		case <-time.After(n.cfg.MinInterval):
		}
		again = n.cfg.RemoveAfter
		if err := n.tendAll(context.Background()); err != nil { // a write ends with the node
			n.log.Debug("space not in order yet", "error", err)
			again = n.cfg.Interval
		}
	}
}

func (n *Node) tendAll(ctx context.Context) error {
	n.order.Lock()
	all := make([]model.Tender, 0, len(n.tenders.spaces))
	for _, t := range n.tenders.spaces { // order: spaces do not see each other
		all = append(all, t)
	}
	n.order.Unlock()
	err := n.described.settle(ctx)
	for _, t := range all {
		err = errors.Join(err, t.Tend(ctx))
	}
	return err
}
