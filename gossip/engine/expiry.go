package engine

import (
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// lapseMost is about how many updates one call lets expire, so that it does not hold
// its caller's lock for long.
const lapseMost = 4096

// Now returns what this node takes for the time: its clock, or the latest that it
// has heard of, which no later update is before.
func (e *Engine) Now(now time.Time) clock.Timestamp {
	return max(e.hlc.Last(), clock.TimestampOf(now))
}

// Expire lets updates expire that are due. So do Step and Tick: it is for a caller who
// is about to look.
func (e *Engine) Expire(now time.Time) Output {
	var out Output
	e.lapse(now, &out)
	return out
}

// lapse tells models what has expired, in the order in which it does. From then on
// it is dead, and waits to be collected like a tombstone. Nothing is said of it to
// anybody: the others find out by themselves.
//
// What lapsed stays so when the wall clock steps back, and later writes are later.
func (e *Engine) lapse(now time.Time, out *Output) {
	at := e.Now(now)
	var last grave
	for n := 0; e.alarms.Len() > 0 && e.alarms.first().time <= at; n++ {
		if n >= lapseMost && e.alarms.first().time != last.time { // space.past tells no two of one time apart
			return
		}
		g := e.alarms.pop()
		if g == last {
			continue // it was retained twice
		}
		last = g
		en, ok := g.replica.log.get(g.version)
		if !ok {
			continue
		}
		u := en.update
		if s := e.spaces[u.Space]; s.expirer != nil && u.Expires == g.time && !u.IsTombstone() {
			s.past = g.time
			s.expiring--
			s.expired++
			s.deadBytes += bytesOf(u)
			e.stats.Expired++
			e.bury(g.replica, u)
			e.hlc.Observe(g.time)
			s.expirer.Expire(u)
			out.Changed = append(out.Changed, model.Change{Old: u})
		}
	}
}

// nextExpiry returns when lapse may have something to do.
func (e *Engine) nextExpiry() (time.Time, bool) {
	switch {
	case e.alarms.Len() == 0:
		return time.Time{}, false
	case e.alarms.first().time <= e.hlc.Last():
		return e.round, true // at once
	}
	return e.alarms.first().time.Reached(), true
}

// isPast reports whether the model of s was told that u has expired, or is not to
// show it at all because of that.
func (s *space) isPast(u *model.Update) bool { return u.Expires != 0 && u.Expires <= s.past }

// isDead reports whether u only hides what is older: it may go once that is known to
// nobody any more. Where there is no model nothing is known to be dead (R14).
func (s *space) isDead(u *model.Update) bool {
	return s.model != nil && (u.IsTombstone() || s.isPast(u))
}

// deadSince returns the time that must be stable before a dead update may go (R8).
func deadSince(u *model.Update) clock.Timestamp {
	if u.IsTombstone() {
		return u.Time
	}
	return max(u.Time, u.Expires)
}

// expiring counts the updates that will expire, in attached spaces.
func (e *Engine) expiring() int {
	n := 0
	for _, s := range e.spaceOrder {
		if s.expirer != nil {
			n += s.expiring
		}
	}
	return n
}

// show adds to the output what users see of a change: u comes, unless it is nil, and
// others go. What has expired was gone already.
func (s *space) show(u *model.Update, gone []*model.Update, out *Output) {
	var c model.Change
	if u != nil && !s.isPast(u) {
		c.New = u
	}
	for _, old := range gone {
		if c.Old == nil && !s.isPast(old) {
			c.Old = old
		}
	}
	if c != (model.Change{}) {
		out.Changed = append(out.Changed, c)
	}
}
