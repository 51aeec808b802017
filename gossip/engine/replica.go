package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// replica is what the engine knows of one replica.
type replica struct {
	id       clock.Replica
	version  clock.Version // V: everything up to here is known
	horizon  clock.Version // H: an open hole may hide what only updates up to here explain (R4)
	since    clock.Version // what open holes raised H to since the latest rebase began
	floor    clock.Version // the highest version that collection dropped (R8)
	head     clock.Version // the highest version that is known to exist (R7)
	log      log           // retained; versions ≤ version
	replaced replacements
	arrivals arrivals
	emptied  clock.Timestamp // when something was last known of it, if nothing is retained
	grown    uint64          // the engine's changes when the vector last moved
	over     bool            // it has vanished elsewhere: only a rebase can tell what it retains (R13)
	doubt    doubt           // of what is above the vector
	alien    clock.Version   // the highest version that something other than a later update of this replica replaced
	source   string          // the peer whose live messages bring it first, in a large cluster; "": not known
	missed   int             // exchanges in a row that have brought news of it first
	fresh    bool            // it is in Engine.live.fresh, from …
	base     clock.Version   // … when this was the vector
	streamed time.Time       // when a live message of its writer last brought what is new; zero: not since something was missing
	held     time.Time       // apply nothing of it before: something about its next update must wait; zero: not held
	awaited  clock.Dot       // … or, if this is not zero, before this is known
}

// isHeld reports whether updates of r are not accepted now.
func (e *Engine) isHeld(now time.Time, r *replica) bool {
	return !r.held.IsZero() && now.Before(r.held) && (r.awaited == clock.Dot{} || !e.isKnown(r.awaited))
}

// hold makes r wait, for an update if that is not zero: the digest says so, and peers
// send others first.
func (e *Engine) hold(r *replica, until time.Time, awaited clock.Dot) {
	r.held, r.awaited = until, awaited
	e.changes++
}

// lookup returns the state of a replica, nil when there is none.
func (e *Engine) lookup(id clock.Replica) *replica {
	if e.last != nil && e.last.id == id {
		return e.last
	}
	r := e.replicas[id]
	if r != nil {
		e.last = r
	}
	return r
}

// replica returns the state of a replica and makes it if need be; nil when the
// limit of replicas is reached, or it has vanished (R13).
func (e *Engine) replica(id clock.Replica) *replica {
	if r := e.lookup(id); r != nil {
		return r
	}
	if len(e.order) >= e.cfg.MaxReplicas || e.IsVanished(id) {
		return nil
	}
	r := &replica{id: id, head: e.heads[id]}
	delete(e.heads, id)
	e.replicas[id] = r
	i, _ := slices.BinarySearchFunc(e.order, id, func(r *replica, id clock.Replica) int { return r.id.Compare(id) })
	e.order = slices.Insert(e.order, i, r)
	e.last = r
	return r
}

// advance sets V of r.
func (e *Engine) advance(r *replica, version clock.Version) {
	if r.version != version {
		e.changes++
		r.emptied, r.grown = e.hlc.Last(), e.changes
	}
	e.place(r, version, r.horizon)
}

// raise raises the horizon of r to at least version.
func (e *Engine) raise(r *replica, version clock.Version) {
	r.since = max(r.since, version)
	e.place(r, r.version, max(r.horizon, version))
}

// place sets V and H of r and keeps count of what is behind the horizon.
func (e *Engine) place(r *replica, version, horizon clock.Version) {
	if r.version < r.horizon {
		e.behind--
	}
	if version < horizon {
		e.behind++
	}
	r.version, r.horizon = version, horizon
	r.head = max(r.head, version, horizon)
}

// integrate lets the model see u, an update of r, retains it if it counts, and
// drops what it supersedes.
func (e *Engine) integrate(r *replica, s *space, o owned, out *Output) {
	u := o.update
	if s.model != nil {
		effect := s.model.Apply(u)
		if effect.Redundant {
			r.alien = max(r.alien, u.Version)
			return
		}
		for _, d := range effect.Superseded {
			e.drop(s, d, r, u.Version)
		}
		s.show(u, effect.Superseded, out)
	}
	r.log.insert(o.entry)
	account(s, o, +1)
	if s.model == nil {
		e.relayed++
	}
	e.bury(r, u)
}

// drop takes an update of a space out of the log that version of by made redundant.
func (e *Engine) drop(s *space, u *model.Update, by *replica, version clock.Version) {
	r := e.lookup(u.Replica)
	if r == nil {
		panic(fmt.Sprintf("engine: the model of %q superseded %v, which is not retained", u.Space, u.Dot))
	}
	alien := r.alien
	e.forget(s, r, u)
	if by == r && version > u.Version {
		r.alien = alien
	}
	r.replaced.add(u.Version, by, version, len(e.order))
}

// forget takes an update of r in a space out of the log.
func (e *Engine) forget(s *space, r *replica, u *model.Update) {
	en, ok := r.log.remove(u.Version)
	if !ok {
		panic(fmt.Sprintf("engine: update %v of %q is not retained", u.Dot, u.Space))
	}
	account(s, e.hasher.ofEntry(en), -1)
	if s.model == nil {
		e.relayed--
	}
	r.alien = max(r.alien, u.Version)
	r.emptied = e.hlc.Last()
}

// account adds an update to the figures of its space (sign +1) or takes it out (-1).
func account(s *space, o owned, sign int) {
	u := o.update
	bytes := int64(sign) * bytesOf(u)
	s.updates += sign
	s.bytes += bytes
	switch {
	case u.IsTombstone():
		s.tombstones += sign
		s.deadBytes += bytes
	case s.isPast(u):
		s.expired += sign
		s.deadBytes += bytes
	case u.Expires != 0:
		s.expiring += sign
	}
	if sign > 0 {
		s.hash = s.hash.Plus(o.member)
	} else {
		s.hash = s.hash.Minus(o.member)
	}
}
