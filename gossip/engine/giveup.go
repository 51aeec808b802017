package engine

import (
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// agrees reports whether the peer's state is this node's, in all spaces, or in those that
// both have models for: who relays the others has no state to compare, and would keep those
// who find nobody for a rebase from giving up.
func (e *Engine) agrees(theirs []SpaceHash, shared bool) bool {
	if !shared && !e.allShared(theirs) {
		return false
	}
	for _, h := range theirs {
		s := e.spaces[h.Space]
		if shared && (h.Relayed || s == nil || s.model == nil) {
			continue
		}
		if s.hash != h.Hash {
			return false
		}
	}
	return true
}

// agreement is what a node knew and showed when a peer was seen to do the same. Both may
// change alone: a repair adds what is already known.
type agreement struct {
	changes uint64 // one more than the engine's; 0: there was none
	state   Hash   // of all spaces
}

// agreement returns what a peer agrees to that is the same as this node.
func (e *Engine) agreement() agreement {
	a := agreement{changes: e.changes + 1}
	for _, s := range e.spaceOrder {
		a.state = a.state.Plus(s.hash)
	}
	return a
}

// giveUp lets the horizon fall where what it names cannot come any more: of replicas
// that are no member's, when all members know the same and have the same state (R12). Who
// may retain what is dead goes on waiting for somebody who can tell, unless nobody else is
// known: a partition may hide one.
func (e *Engine) giveUp(now time.Time) {
	current, same := map[clock.Replica]bool{e.self: true}, e.agreement()
	for _, p := range e.peerOrder {
		if !e.isMember(now, p) {
			continue
		}
		if p.agreed != same {
			return
		}
		current[clock.Replica{Node: p.name, Epoch: p.epoch}] = true
	}
	for _, r := range e.order {
		if r.horizon > r.version && !current[r.id] {
			e.place(r, r.version, r.version)
			e.stats.GivenUp++
		}
	}
	v := e.look(now)
	if v.known > len(v.members)+1 {
		return // somebody else is known, who may have more
	}
	for _, r := range e.order {
		if !current[r.id] {
			r.head = r.version
		}
	}
	clear(e.heads)
	if e.zombies && e.covers(e.rebasedAt) {
		e.zombies, e.reset = false, false // nobody is left who knows better
		e.stats.GivenUp++
	}
}

// giveUpAlone makes a node clean that nobody can rebase: it is the only one that is known.
func (e *Engine) giveUpAlone(now time.Time) {
	if e.zombies && e.behind == 0 && e.look(now).known == 1 {
		e.zombies, e.reset = false, false
		e.stats.GivenUp++
	}
}
