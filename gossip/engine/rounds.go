package engine

import (
	"math/bits"
	"time"
)

// Next returns when Tick has something to do.
func (e *Engine) Next() time.Time {
	next := e.next
	if due, ok := e.nextExpiry(); ok && due.Before(next) {
		next = due
	}
	if e.unfinished && e.tendAt.Before(next) {
		next = e.tendAt
	}
	if len(e.toServe) > 0 && e.serveAt.Before(next) {
		next = e.serveAt
	}
	if !e.live.rest.IsZero() && e.live.rest.Before(next) {
		next = e.live.rest
	}
	return next
}

// Tick does what is due at now: it lets updates expire, sends a part of what a peer
// catches up with, lets links go on that have rested, ends what timed out, collects and starts a
// round. Call it at Next or later; before that it does nothing.
func (e *Engine) Tick(now time.Time) Output {
	var out Output
	e.lapse(now, &out)
	e.serveNext(now, &out)
	if !e.live.rest.IsZero() && !now.Before(e.live.rest) {
		e.live.rest, out.Fresh = time.Time{}, true
	}
	if now.Before(e.next) {
		if e.unfinished {
			e.tend(now)
		}
		return out
	}
	e.expire(now)
	if e.zombies {
		e.needReset(now)
	}
	if e.desperate = e.isDesperate(now); e.desperate {
		e.dropVanished(&out)
	}
	e.tend(now)
	e.round = now
	p, alone := e.choose(now)
	switch {
	case e.eager > 0:
		e.eager--
	case alone:
		e.interval = e.cfg.MaxInterval
		e.giveUpAlone(now)
	case e.interval < e.cfg.Interval:
		e.interval = min(2*e.interval, e.cfg.Interval)
	}
	e.next = now.Add(e.interval)
	if p != nil {
		e.begin(now, p, &out)
	}
	if p != nil && e.interval < e.cfg.Interval && !e.isLinked() {
		if p = e.partner(now, 1); p != nil {
			e.begin(now, p, &out)
		}
	}
	return out
}

// Hurry brings the next round forward, as a change of the vector does: the node
// wants to hand its updates over before it leaves.
func (e *Engine) Hurry(now time.Time) { e.hurry(now) }

// announce sees to it that others hear of what is new here: by links, or, if some peer
// has none, by rounds that come soon.
func (e *Engine) announce(now time.Time) {
	if !e.isLinked() {
		e.hurry(now)
		return
	}
	e.wake() // rounds mend what links lose
}

// wake makes rounds that have become rare as frequent as Interval again: there is
// something to mend.
func (e *Engine) wake() {
	if e.interval <= e.cfg.Interval {
		return
	}
	e.interval = e.cfg.Interval
	if soon := e.round.Add(e.interval); soon.Before(e.next) {
		e.next = soon
	}
}

// hurry brings the next round forward: there is something that others may not
// know. As many rounds follow at MinInterval as an epidemic needs to reach nearly
// everybody; from there on each waits twice as long, up to Interval.
func (e *Engine) hurry(now time.Time) {
	e.interval = e.cfg.MinInterval
	e.eager = bits.Len(uint(len(e.peerOrder))) + 2
	soon := e.round.Add(e.interval)
	if soon.Before(now) {
		soon = now
	}
	if soon.Before(e.next) {
		e.next = soon
	}
}

// relax makes rounds rarer than Interval: a peer knew the same.
func (e *Engine) relax() {
	if e.interval >= e.cfg.Interval {
		e.interval = min(2*e.interval, e.cfg.MaxInterval)
		e.next = e.round.Add(e.interval)
	}
}
