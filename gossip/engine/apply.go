package engine

import (
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// applyAll applies the batches of a message from p. theirs is the sender's
// vector when it encoded the message, nil when it is not known; then batches
// with open holes are refused (R4). It reports whether anything was applied.
func (e *Engine) applyAll(now time.Time, p *peer, m *Message, theirs []DigestEntry, out *Output) bool {
	before := e.changes
	var gaps []*replica
	open, closed := false, false
	for i := range m.Batches {
		b := &m.Batches[i]
		r := e.replica(b.Replica)
		if r == nil {
			e.stats.BatchesRefused++
			continue
		}
		if b.From > r.version {
			e.stats.Gaps++
			gaps = append(gaps, r)
			continue
		}
		delete(p.pulls, b.Replica)
		e.findForks(r, b)
		if b.Through <= r.version || r.isHeld(now) {
			e.stats.UpdatesRedundant += uint64(len(b.Updates))
			continue
		}
		if hasHole(b, r.version) {
			e.holes++
			if b.Closed {
				closed = true
			} else if theirs == nil || b.Floor > r.version || !e.roomFor(theirs, m.Exceptions) {
				e.stats.BatchesRefused++
				continue
			} else {
				e.stats.OpenHoles++
				open = true
			}
		}
		e.apply(now, r, b, out)
	}
	if open && !e.cfg.Unsafe.Classic {
		e.raiseAll(theirs, m.Exceptions)
	}
	if closed && !e.cfg.Unsafe.Classic {
		e.raiseBatches(m)
	}
	e.pullGaps(now, p, m.Exchange, gaps, out)
	return e.changes != before
}

// hasHole reports whether a version in (known, b.Through] has no update in b.
func hasHole(b *Batch, known clock.Version) bool {
	n := 0
	for i := len(b.Updates) - 1; i >= 0 && b.Updates[i].Version > known; i-- {
		n++
	}
	return clock.Version(n) != b.Through-known
}

// roomFor reports whether a horizon over all of these fits the limit of replicas.
func (e *Engine) roomFor(theirs []DigestEntry, exceptions []clock.Entry) bool {
	room := e.cfg.MaxReplicas - len(e.order)
	if len(theirs)+len(exceptions) <= room {
		return true
	}
	for _, d := range theirs {
		if e.lookup(d.Replica) == nil {
			room--
		}
	}
	for _, x := range exceptions {
		if e.lookup(x.Replica) == nil {
			room--
		}
	}
	return room >= 0
}

// raiseBatches raises the horizon to the ends of a message's batches: a closed
// hole was superseded by one of their updates. When all batches were applied
// this changes nothing; when one was not, this node is dirty until it is.
func (e *Engine) raiseBatches(m *Message) {
	for i := range m.Batches {
		if r := e.replica(m.Batches[i].Replica); r != nil {
			e.raise(r, m.Batches[i].Through)
		}
	}
}

// raiseAll raises the horizon to everything that the sender of an open hole
// knew, or had behind its own horizon (R4).
func (e *Engine) raiseAll(theirs []DigestEntry, exceptions []clock.Entry) {
	for _, d := range theirs {
		if r := e.replica(d.Replica); r != nil {
			e.raise(r, d.Version)
		}
	}
	for _, x := range exceptions {
		if r := e.replica(x.Replica); r != nil {
			e.raise(r, x.Version)
		}
	}
}

// apply integrates the updates of a batch that are above the vector and moves
// the vector to its end, or to just before the first update that must wait.
func (e *Engine) apply(now time.Time, r *replica, b *Batch, out *Output) {
	limit := clock.TimestampOf(now.Add(e.cfg.MaxDrift))
	for _, u := range b.Updates {
		if u.Version <= r.version {
			e.stats.UpdatesRedundant++
			continue
		}
		if u.Time > limit {
			r.held = u.Time.Time().Add(-e.cfg.MaxDrift)
			e.stats.Held++
			e.changes++ // the digest changes
			return
		}
		s := e.space(u.Space)
		if s == nil || !e.depsKnown(u) {
			e.stats.BatchesRefused++
			return
		}
		e.hlc.Observe(u.Time)
		kept := retain(u, s.name)
		e.advance(r, u.Version)
		e.integrate(r, s, entry{kept, e.hasher.content(kept)}, out)
		e.stats.UpdatesApplied++
	}
	e.advance(r, b.Through)
	if !r.held.IsZero() {
		r.held = time.Time{}
		e.changes++
	}
}

// retain copies an update out of its message: key and value in one piece.
func retain(u *model.Update, space string) *model.Update {
	kept := *u
	kept.Space = space
	buf := make([]byte, len(u.Key)+len(u.Value))
	n := copy(buf, u.Key)
	copy(buf[n:], u.Value)
	kept.Key, kept.Value = buf[:n:n], buf[n:]
	return &kept
}

// depsKnown reports whether everything that u builds on is known.
func (e *Engine) depsKnown(u *model.Update) bool {
	for _, d := range u.Deps {
		r := e.lookup(d.Replica)
		if r == nil || r.version < d.Version {
			return false
		}
	}
	return true
}

// findForks looks in a batch for updates that are retained here with another
// content: two writers used one identity. The larger hash stays, the replica is
// frozen, and repair makes all nodes agree (R1).
func (e *Engine) findForks(r *replica, b *Batch) {
	for _, u := range b.Updates {
		if u.Version > r.version {
			return
		}
		if en, ok := r.log.get(u.Version); ok {
			if content := e.hasher.content(u); content != en.content {
				e.fork(r, en, u, content)
			}
		}
	}
}

// fork settles two contents of one dot: the larger hash wins.
func (e *Engine) fork(r *replica, have entry, u *model.Update, content uint64) {
	e.stats.Forks++
	if !r.frozen {
		r.frozen = true
		e.changes++
	}
	if content < have.content {
		return
	}
	var out Output
	e.discard(r, have)
	if s := e.space(u.Space); s != nil {
		e.integrate(r, s, entry{retain(u, s.name), content}, &out)
	}
}

// discard removes a retained update from the log and from its model, without
// another taking its place.
func (e *Engine) discard(r *replica, en entry) {
	if s := e.spaces[en.update.Space]; s.model != nil {
		s.model.Remove(en.update)
	}
	e.forget(r, en.update)
}
