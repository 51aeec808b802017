package engine

import (
	"container/heap"
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// collectMost bounds how many tombstones one Tick collects, so that it does not hold
// its caller's lock for long.
const collectMost = 4096

// grave is a tombstone that waits to be collected, or did before it was superseded.
type grave struct {
	time    clock.Timestamp
	replica *replica
	version clock.Version
}

// graves are ordered by time: a heap.
type graves []grave

func (g graves) Len() int           { return len(g) }
func (g graves) Less(i, j int) bool { return g[i].time < g[j].time }
func (g graves) Swap(i, j int)      { g[i], g[j] = g[j], g[i] }
func (g *graves) Push(x any)        { *g = append(*g, x.(grave)) }
func (g *graves) Pop() any {
	last := (*g)[len(*g)-1]
	*g = (*g)[:len(*g)-1]
	return last
}

// bury notes a tombstone that is retained from now on.
func (e *Engine) bury(r *replica, u *model.Update) {
	if !u.IsTombstone() {
		return
	}
	if n := len(e.graves); n >= 1024 && n >= 2*e.tombstones() {
		kept := e.graves[:0]
		for _, g := range e.graves {
			if _, ok := g.replica.log.get(g.version); ok {
				kept = append(kept, g)
			}
		}
		e.graves = kept
		heap.Init(&e.graves)
	}
	heap.Push(&e.graves, grave{u.Time, r, u.Version})
}

// tombstones counts those that are retained in attached spaces.
func (e *Engine) tombstones() int {
	n := 0
	for _, s := range e.spaceOrder {
		if s.model != nil {
			n += s.tombstones
		}
	}
	return n
}

// tend writes a report when one is due and collects what has become stable; both at
// most once per Interval, and nothing where nothing waits.
func (e *Engine) tend(now time.Time) {
	if !e.cfg.Collect || now.Before(e.tendAt) {
		return
	}
	e.tendAt = now.Add(e.cfg.Interval)
	e.sweep()
	if e.cfg.Unsafe.Grace > 0 {
		e.collect(clock.TimestampOf(now.Add(-e.cfg.Unsafe.Grace)))
		return
	}
	if len(e.graves) == 0 && e.collected == 0 && len(e.reports.slots) == 0 && !e.hasEmpty() {
		return
	}
	v := e.look(now)
	if e.reportDue(now, v) {
		e.writeReport(now, v)
		v = e.look(now)
	}
	if e.tombstones() == 0 && !v.idle {
		e.stableAt, e.unstable = 0, ""
		return
	}
	if e.stableAt, e.unstable = e.stable(v); e.stableAt > 0 {
		e.collect(e.stableAt)
		e.bid(now, v, e.stableAt)
	}
}

// hasEmpty reports whether there is a replica that wrote and of which nothing is
// retained: it may vanish one day.
func (e *Engine) hasEmpty() bool {
	return slices.ContainsFunc(e.order, func(r *replica) bool { return r.version > 0 && r.log.len() == 0 && r.id != e.self })
}

// collect drops tombstones of attached spaces up to a stable time, and raises the
// floors of their replicas (R8).
func (e *Engine) collect(through clock.Timestamp) {
	var others []grave
	for n := 0; n < collectMost && len(e.graves) > 0 && e.graves[0].time <= through; n++ {
		g := heap.Pop(&e.graves).(grave)
		en, ok := g.replica.log.get(g.version)
		if !ok {
			continue
		}
		s := e.spaces[en.update.Space]
		if s.model == nil {
			others = append(others, g)
			continue
		}
		s.model.Remove(en.update)
		e.forget(g.replica, en.update)
		e.lift(g.replica, g.version)
		e.collected = max(e.collected, g.time)
		e.stats.Collected++
	}
	for _, g := range others {
		heap.Push(&e.graves, g)
	}
}

// raiseFloor adopts another node's floor of a replica, if all up to there is known
// here: what is a tombstone up to there was proved to be known to all (R12).
func (e *Engine) raiseFloor(r *replica, floor clock.Version) {
	if floor <= r.floor || floor > r.version {
		return
	}
	var dead []*model.Update
	for en := range r.log.after(r.floor) {
		if en.update.Version > floor {
			break
		}
		if en.update.IsTombstone() {
			dead = append(dead, en.update)
		}
	}
	e.lift(r, floor)
	for _, u := range dead {
		if m := e.spaces[u.Space].model; m != nil {
			m.Remove(u)
		}
		e.forget(r, u)
		e.stats.Collected++
	}
}

// lift raises the floor of r.
func (e *Engine) lift(r *replica, floor clock.Version) {
	if floor > r.floor {
		r.floor = floor
		e.lifts++
		e.collecting = true
	}
}
