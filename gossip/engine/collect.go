package engine

import (
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

const (
	// collectMost bounds how many updates one Tick collects, so that it does not hold its
	// caller's lock for more than about half a millisecond (BenchmarkCollect).
	collectMost = 256
	// collectPause is how long it is until the next Tick collects more, for each replica
	// that there is: that one looks at all of them first.
	collectPause = 100 * time.Nanosecond
)

// bury notes an update that is retained from now on, if it is dead or will expire.
func (e *Engine) bury(r *replica, u *model.Update) {
	if !u.Collectable() {
		return
	}
	switch s := e.spaces[u.Space]; {
	case s.isDead(u):
		e.graves.add(grave{deadSince(u), r, u.Version}, e.dead)
	case s.expirer != nil && u.Expires != 0:
		e.alarms.add(grave{u.Expires, r, u.Version}, e.expiring)
	}
}

// dead counts the updates that wait to be collected, in attached spaces.
func (e *Engine) dead() int {
	n := 0
	for _, s := range e.spaceOrder {
		if s.model != nil {
			n += s.tombstones + s.expired
		}
	}
	return n
}

// tend writes a report when one is due and collects what has become stable; both at
// most once per Interval or ReportInterval, or as soon as may be while collecting is not
// finished, and nothing where nothing waits.
func (e *Engine) tend(now time.Time) {
	if !e.cfg.Collect || now.Before(e.tendAt) {
		return
	}
	e.tendAt, e.unfinished = now.Add(min(e.cfg.Interval, e.cfg.ReportInterval)), false
	e.sweep()
	if e.cfg.Unsafe.Grace > 0 {
		e.collectSome(now, clock.TimestampOf(now.Add(-e.cfg.Unsafe.Grace)))
		return
	}
	if e.graves.Len() == 0 && e.collected == 0 && len(e.reports.slots) == 0 && !e.hasEmpty() {
		return
	}
	for e.graves.Len() > 0 && !e.graves.first().isRetained() {
		e.graves.pop()
	}
	v := e.look(now)
	if e.reportDue(now, v) {
		e.writeReport(now, v)
		v = e.look(now)
	}
	if e.dead() == 0 && !v.idle {
		e.stableAt, e.unstable = 0, nil
		return
	}
	if e.stableAt, e.unstable = e.stable(v); e.stableAt > 0 {
		e.collectSome(now, e.stableAt)
		e.bid(now, v, e.stableAt)
	}
}

// OldestDead returns when the oldest of the tombstones and expired updates that wait to be
// collected in attached spaces died, about; 0 if none wait.
func (e *Engine) OldestDead() clock.Timestamp {
	if e.graves.Len() == 0 || e.dead() == 0 {
		return 0
	}
	return e.graves.first().time
}

// hasEmpty reports whether there is a replica that wrote and of which nothing is
// retained: it may vanish one day.
func (e *Engine) hasEmpty() bool {
	return slices.ContainsFunc(e.order, func(r *replica) bool { return r.version > 0 && r.log.len() == 0 && r.id != e.self })
}

// collectSome collects, and if some is left sees to it that a Tick comes soon. That one
// looks anew at what is stable.
func (e *Engine) collectSome(now time.Time, through clock.Timestamp) {
	if e.unfinished = e.collect(through); e.unfinished {
		e.tendAt = now.Add(time.Duration(len(e.order)) * collectPause)
	}
}

// collect drops what is dead up to a stable time, in attached spaces, and raises the
// floors of its replicas (R8). It reports whether some is left for the next Tick.
func (e *Engine) collect(through clock.Timestamp) (more bool) {
	for n := 0; n < collectMost && e.graves.Len() > 0 && e.graves.first().time <= through; n++ {
		g := e.graves.pop()
		en, ok := g.replica.log.get(g.version)
		u := en.update
		if !ok || !e.spaces[u.Space].isDead(u) || deadSince(u) > through {
			continue
		}
		s := e.spaces[u.Space]
		s.model.Discard(u)
		e.forget(s, g.replica, u)
		e.lift(g.replica, g.version)
		e.collected = max(e.collected, g.time)
		e.countCollected(u)
	}
	return e.graves.Len() > 0 && e.graves.first().time <= through
}

// raiseFloor adopts the floor of a replica from the peer of a repair, if all up to
// there is known here: what is dead up to the higher floor of the two was proved to be
// known to all (R12). Versions go by time, so that is true of all up to there, of what
// has not expired yet, too: that stays. What has expired goes if it has by the peer's
// clock, hlc, as well: so both drop the same, and nothing by a clock that is wrong.
func (e *Engine) raiseFloor(r *replica, floor clock.Version, hlc clock.Timestamp) {
	if floor > r.version {
		return
	}
	e.lift(r, floor)
	var dead []*model.Update
	for en := range r.log.after(0) {
		if en.update.Version > r.floor {
			break
		}
		if u := en.update; e.spaces[u.Space].isDead(u) && deadSince(u) <= max(u.Time, hlc) {
			dead = append(dead, u)
		}
	}
	for _, u := range dead {
		s := e.spaces[u.Space]
		s.model.Discard(u)
		e.forget(s, r, u)
		e.countCollected(u)
	}
}

func (e *Engine) countCollected(u *model.Update) {
	e.stats.Collected++
	e.stats.CollectedBytes += uint64(bytesOf(u))
}

// lift raises the floor of r.
func (e *Engine) lift(r *replica, floor clock.Version) {
	if floor > r.floor {
		r.floor = floor
		e.lifts++
		e.collecting = true
	}
}
