package engine

import (
	"time"
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
	theirs []DigestEntry // P
	spaces []*space      // that both have models for
	union  *repair       // the second step; nil before
	united bool
	after  uint64    // the first exchange that shows Q
	until  time.Time // without progress it is over
}

// startRebase notes that a clean peer has this vector and attaches these spaces. It
// reports whether this node can be rebased on that.
func (e *Engine) startRebase(now time.Time, p *peer, theirs []DigestEntry, spaces []SpaceHash) bool {
	if e.rebase.peer != nil && now.Before(e.rebase.until) || !e.allShared(spaces) || e.holesAbove(theirs) {
		return false
	}
	e.rebase = rebase{peer: p, theirs: theirs, until: now.Add(e.cfg.Timeout)}
	for _, h := range spaces {
		if s := e.spaces[h.Space]; s != nil {
			e.rebase.spaces = append(e.rebase.spaces, s) // allShared: it has models here and there
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
		if r.id == e.self {
			continue // all of it was written here
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
	rb := &e.rebase
	if rb.peer != p || !rb.united || exchange < rb.after || !e.roomFor(theirs, nil, nil) {
		return
	}
	e.rebase = rebase{}
	for _, r := range e.order {
		e.place(r, r.version, r.since)
	}
	e.raiseAll(theirs, nil)
	e.dirtySince = now
	e.stats.Rebased++
}
