package engine

import (
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// rebase is how a dirty node whose horizon names what died with its holders becomes
// clean, whatever is written meanwhile (R5; R9 for as long as nothing is collected):
//
//  1. a peer says, at its vector P, that it is clean;
//  2. this node unites what both retain up to P (R12), whoever changes meanwhile;
//  3. the next ACK of the peer shows its vector Q after that. The horizon becomes Q,
//     and what open holes raised since the first step.
//
// Then V ≥ H still means clean. What counts among the updates ≤ P the peer retained
// at first, and at the union unless it had seen what supersedes it: that is ≤ Q. What
// is above P came in batches since then, whose holes raised the horizon; or before,
// and then it must have been without open holes: else the first step does not count.
type rebase struct {
	peer   *peer
	theirs []DigestEntry                   // P
	spaces []*space                        // that both have models for
	floors map[clock.Replica]clock.Version // of the peer, where they are higher than here
	doomed []clock.Dot                     // retained here and not at the peer, which covers them
	dirty  bool                            // the peer was, or this node is not fit: H does not fall
	unsure bool                            // the peer cannot tell what is dead here: this node goes on waiting
	union  *repair                         // nil before the second step
	united bool
	after  uint64    // the first exchange that shows Q
	until  time.Time // without progress it is over
}

// startRebase notes that a clean peer has this vector and, as its message says, attaches
// spaces and knows what is over. It reports whether this node can be rebased on that. Who
// has not heard of all that has vanished here may be clean because it knows nothing: it
// cannot tell what this node missed; and who waits for a rebase itself may have taken over
// floors, and not yet what comes with them.
func (e *Engine) startRebase(now time.Time, p *peer, theirs []DigestEntry, m *Message) bool {
	if e.rebase.peer != nil && now.Before(e.rebase.until) || !e.roomFor(theirs, m.Exceptions, nil) {
		return false
	}
	vouched, heard := e.vouchedFor(m.Hashes), e.floorsBelow(theirs) && m.RetiredSum == e.retired.sum
	unfit := !vouched || !e.Clean() && (!heard || e.holesAbove(theirs))
	if unfit && !e.isDesperate(now) {
		return false // two that are dirty may each have collected what the other does not know of
	}
	e.rebase = rebase{
		peer: p, theirs: theirs, floors: map[clock.Replica]clock.Version{}, until: now.Add(e.cfg.Timeout),
		dirty: unfit, unsure: m.Unsure || !vouched || !heard,
	}
	for _, h := range m.Hashes {
		if s := e.space(h.Space); s != nil && !h.Relayed {
			e.rebase.spaces = append(e.rebase.spaces, s)
		}
	}
	for _, r := range e.order {
		r.since = 0
	}
	return true
}

// isRebasing reports whether a rebase on p waits for the union.
func (e *Engine) isRebasing(now time.Time, p *peer) bool {
	rb := &e.rebase
	return rb.peer == p && rb.union == nil && now.Before(rb.until)
}

// forgetRebase ends a rebase on p: it is gone, or lives anew.
func (e *Engine) forgetRebase(p *peer) {
	if e.rebase.peer == p {
		e.rebase = rebase{}
	}
}

// holesAbove reports whether this node knows something above a vector of which it
// cannot tell what superseded it.
func (e *Engine) holesAbove(theirs []DigestEntry) bool {
	i := 0
	for _, r := range e.order {
		for i < len(theirs) && theirs[i].Replica.Compare(r.id) < 0 {
			i++
		}
		c := candidate{replica: r}
		if i < len(theirs) && theirs[i].Replica == r.id {
			c.from = min(theirs[i].Version, r.version)
		}
		if r.id == e.self || r.over {
			continue // all of it was written here; none of it counts
		}
		holes := c.span() - uint64(c.pending())
		if holes > maxHoles {
			return true
		}
		for v := c.from + 1; holes > 0; v++ {
			if _, ok := c.replica.log.get(v); ok {
				continue
			}
			if _, _, ok := c.replica.heir(v); !ok {
				return true
			}
			holes--
		}
	}
	return false
}

// united goes on to the last step of a rebase: the peer's vector of now.
func (e *Engine) united(now time.Time, p *peer, out *Output) {
	e.begin(now, p, out)
	rb := &e.rebase
	rb.united, rb.after, rb.until = true, p.mine.id, now.Add(e.cfg.Timeout)
}

// settle ends a rebase on p, if this exchange does.
func (e *Engine) settle(now time.Time, p *peer, exchange uint64, theirs []DigestEntry) {
	rb := e.rebase
	if rb.peer != p || !rb.united || exchange < rb.after || !e.roomFor(theirs, nil, nil) {
		return
	}
	for id, floor := range rb.floors { // order: each is for itself
		if r := e.lookup(id); r != nil {
			e.lift(r, floor)
		}
	}
	for _, r := range e.order {
		if !r.over {
			continue
		}
		for en := range r.log.after(0) {
			rb.doomed = append(rb.doomed, en.update.Dot)
		}
	}
	if e.rebasedAt = theirs; len(rb.doomed) > 0 {
		e.dooms = append(e.dooms[max(0, len(e.dooms)+1-doomsMost):], doom{rb.doomed, theirs})
	}
	e.rebase = rebase{}
	for _, r := range e.order {
		if !rb.dirty {
			e.place(r, r.version, r.since)
		}
	}
	e.raiseAll(theirs, nil)
	if !rb.unsure {
		e.reset, e.zombies = false, false
	}
	e.dirtySince = now
	e.stats.Rebased++
}

// floorsBelow reports whether a vector covers all that was collected here: a peer
// that does not know of it may bring it back (R9).
func (e *Engine) floorsBelow(theirs []DigestEntry) bool {
	i := 0
	for _, r := range e.order {
		for i < len(theirs) && theirs[i].Replica.Compare(r.id) < 0 {
			i++
		}
		if r.floor > 0 && !r.over && (i == len(theirs) || theirs[i].Replica != r.id || theirs[i].Version < r.floor) {
			return false
		}
	}
	return true
}

// passFloor reports whether an open hole below the sender's floor may be applied: a
// tombstone that this node never saw may have been collected there (R9). Only in the
// cleaning exchange of a rebase: that finds out what else is dead. Otherwise this node
// needs one.
func (e *Engine) passFloor(now time.Time, p *peer, m *Message, r *replica, floor clock.Version) bool {
	if e.cfg.Unsafe.PerReplica {
		e.lift(r, floor)
		return true
	}
	e.needReset(now)
	if !e.cleansWith(now, p, m.Exchange) || !e.isRebasing(now, p) {
		return false
	}
	e.lift(r, floor)
	return true
}

// needReset notes that this node may retain what is dead: only a dotted sync can tell,
// and until then it is not clean (R9).
func (e *Engine) needReset(now time.Time) {
	if e.Clean() {
		e.dirtySince = now
	}
	e.zombies = true
	if !e.reset {
		e.reset, e.resetSince = true, now
	}
}

// doom are updates that are retained here and, so a rebase showed, dead elsewhere. They go
// when this node knows all that the peer knew then: until then what took their place may be
// missing. What the peer of a later rebase knew may not have it.
type doom struct {
	dots []clock.Dot
	at   []DigestEntry
}

// doomsMost is of how many rebases the dooms are kept, the latest ones: those of others wait
// for what is most likely lost.
const doomsMost = 8

// noteDead notes updates that a clean peer covers and does not retain.
func (e *Engine) noteDead(updates []*model.Update) {
	for _, u := range updates {
		e.rebase.doomed = append(e.rebase.doomed, u.Dot)
	}
}

// bringDoom removes what a rebase found to be dead, once its horizon is reached.
func (e *Engine) bringDoom(out *Output) {
	e.dooms = slices.DeleteFunc(e.dooms, func(o doom) bool {
		if !e.covers(o.at) {
			return false
		}
		for _, d := range o.dots {
			if r := e.lookup(d.Replica); r != nil {
				if en, ok := r.log.get(d.Version); ok {
					e.stats.Dead++
					e.stats.DeadBytes += uint64(bytesOf(en.update))
					e.discard(r, en, out)
				}
			}
		}
		e.stats.Resets++
		return true
	})
}

// covers reports whether this node knows all that a digest says.
func (e *Engine) covers(theirs []DigestEntry) bool {
	return !slices.ContainsFunc(theirs, func(d DigestEntry) bool {
		r := e.lookup(d.Replica)
		return (r == nil || r.version < d.Version) && !e.IsVanished(d.Replica)
	})
}

// vouchedFor reports whether a peer with these spaces has models for all updates that
// this node retains; it need not have any itself (R14).
func (e *Engine) vouchedFor(theirs []SpaceHash) bool {
	known := map[string]bool{}
	for _, h := range theirs {
		if h.Relayed || e.space(h.Space) == nil {
			return false
		}
		known[h.Space] = true
	}
	for _, s := range e.spaceOrder {
		if s.updates > 0 && !known[s.name] {
			return false
		}
	}
	return true
}
