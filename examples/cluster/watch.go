package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

const (
	// lookEvery is how often a small fleet is looked at; larger ones less often.
	lookEvery = 20 * time.Millisecond
	// maxPast is how many seconds of a node's past are kept.
	maxPast = 60
	// leastRate is the shortest time that says something of a rate.
	leastRate = 100 * time.Millisecond
)

// watch looks at all nodes and keeps a board of what it sees. One goroutine uses
// it.
type watch struct {
	fleet  fleet
	ledger *ledger
	faults *faults // nil: none
	view   view
	board  board

	begin                     time.Time
	counted                   time.Time // when rates were last taken
	lookAt, secondAt, frameAt time.Time // what is due next
	worst                     []time.Duration
	goals                     []goal
	closed                    bool
}

// goal is something that the nodes are to reach.
type goal struct {
	what, since string // what they have reached then, and what happened at at
	at          time.Time
	met         func() bool
}

func newWatch(f fleet, l *ledger, between *faults, v view) *watch {
	w := &watch{fleet: f, ledger: l, faults: between, view: v, worst: make([]time.Duration, len(f))}
	for _, m := range f {
		w.board.rows = append(w.board.rows, row{name: m.name, p50: "-", p99: "-"})
	}
	return w
}

// start begins the run.
func (w *watch) start(now time.Time, title string) {
	w.begin, w.counted, w.board.title = now, now, title
	w.lookAt, w.secondAt, w.frameAt = now, now.Add(time.Second), now.Add(w.view.every())
	w.look(now)
	w.view.begin(&w.board)
}

// look does what is due: it looks at the nodes, closes a second, shows.
func (w *watch) look(now time.Time) {
	if !now.Before(w.lookAt) {
		w.fill(now)
		w.lookAt = now.Add(lookEvery * time.Duration(max(1, len(w.fleet)/10)))
	}
	if !now.Before(w.secondAt) {
		w.second(now)
		w.secondAt = next(w.secondAt, now, time.Second)
	}
	if !now.Before(w.frameAt) {
		w.view.show(&w.board)
		w.frameAt = next(w.frameAt, now, w.view.every())
	}
}

// next returns the first of the times due, due+every, … that is after now.
func next(due, now time.Time, every time.Duration) time.Time {
	return due.Add(now.Sub(due).Truncate(every) + every)
}

// fill fills in what a look at the nodes shows.
func (w *watch) fill(now time.Time) {
	b := &w.board
	b.at = now.Sub(w.begin)
	var sides map[string]string
	if w.faults != nil {
		c := w.faults.now.Load()
		sides, b.faults = c.side, c.String()
	}
	running := w.fleet.running()
	for i, m := range w.fleet {
		r := &b.rows[i]
		if r.up = m.up(); !r.up {
			r.state, w.worst[i] = "down", 0
			continue
		}
		status := m.node.Status()
		lacks, behind := w.ledger.lag(now, status.Vector)
		w.worst[i] = max(w.worst[i], behind)
		r.state, r.keys, r.lacks, r.clean, r.seen = "up", m.keys.Len(), lacks, status.Clean, status.Peers+1
		r.running = running
		if side, ok := sides[m.addr]; ok {
			r.state = "side " + side
		}
		r.behind = w.worst[i]
		if n := len(r.past); n > 0 {
			r.behind = max(r.behind, r.past[n-1])
		}
	}
	w.goals = slices.DeleteFunc(w.goals, func(g goal) bool {
		if !g.met() {
			return false
		}
		w.note(now, fmt.Sprintf("%s, %d ms after %s", g.what, now.Sub(g.at).Milliseconds(), g.since))
		return true
	})
}

// covers reports whether v knows all that heads does.
func covers(v, heads clock.Vector) bool {
	for r, version := range heads.All() {
		if v.Version(r) < version {
			return false
		}
	}
	return true
}

// second closes a second: rates, and one more value of each past.
func (w *watch) second(now time.Time) {
	elapsed := now.Sub(w.counted)
	if elapsed < leastRate {
		return
	}
	w.counted = now
	for i, m := range w.fleet {
		r := &w.board.rows[i]
		behind := down
		if m.up() {
			behind = w.worst[i]
			r.behind, w.worst[i] = behind, 0
			counted := takeSample(m)
			r.rates(m.was, counted, elapsed)
			m.was = counted
		}
		if r.past = append(r.past, behind); len(r.past) > maxPast {
			r.past = slices.Delete(r.past, 0, len(r.past)-maxPast)
		}
	}
}

// rates fills in what was counted from one sample to the next.
func (r *row) rates(from, to sample, elapsed time.Duration) {
	per := 1 / elapsed.Seconds()
	r.in, r.out = (to.in-from.in)*per, (to.out-from.out)*per
	r.kBIn, r.kBOut = (to.bytesIn-from.bytesIn)*per/1000, (to.bytesOut-from.bytesOut)*per/1000
	stale := to.stale.minus(from.stale)
	r.p50, r.p99 = stale.quantile(0.5), stale.quantile(0.99)
}

// note enters an event.
func (w *watch) note(now time.Time, text string) {
	b := &w.board
	b.at = now.Sub(w.begin)
	if b.events = append(b.events, event{b.at, text}); len(b.events) > maxEvents {
		b.events = slices.Delete(b.events, 0, 1)
	}
	w.lookAt = now // the rows may be different now
	w.view.event(b)
}

// expect notes later how long it took from now, when something has happened, until
// something else is so.
func (w *watch) expect(now time.Time, what, since string, met func() bool) {
	w.goals = append(w.goals, goal{what, since, now, met})
}

// expectWrites expects that all nodes that run know what is written by now.
func (w *watch) expectWrites(now time.Time, since string) {
	heads := w.ledger.heads()
	w.expect(now, "all nodes have caught up", since, func() bool {
		for _, m := range w.fleet {
			if m.up() && !covers(m.node.Status().Vector, heads) {
				return false
			}
		}
		return true
	})
}

// close shows the end of the run, once.
func (w *watch) close(now time.Time) {
	if w.closed || w.begin.IsZero() {
		return
	}
	w.closed = true
	w.fill(now)
	w.second(now)
	w.view.show(&w.board)
}
