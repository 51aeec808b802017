package engine

import (
	"math/bits"
	"slices"
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
	return next
}

// Tick does what is due at now: it lets updates expire, sends a part of what a peer
// catches up with, ends what timed out, collects and starts a round. Call it at Next or later; before that it does nothing.
func (e *Engine) Tick(now time.Time) Output {
	var out Output
	e.lapse(now, &out)
	e.serveNext(now, &out)
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
	if e.interval > e.cfg.Interval { // rounds that mend what links lose do not sleep meanwhile
		e.interval = e.cfg.Interval
		if soon := e.round.Add(e.interval); soon.Before(e.next) {
			e.next = soon
		}
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

// failedEvery is how often, in rounds, a failed peer is tried: partitions heal.
const failedEvery = 10

// choose returns the peer of the next round, nil when there is none or each has
// an exchange under way, and whether this node is alone. A third of the rounds
// goes to any peer at random; the others to the more different one of the next two
// of a shuffled round-robin, so that nobody waits for long (DESIGN §7).
func (e *Engine) choose(now time.Time) (p *peer, alone bool) {
	var alive, failed []*peer
	alone = true
	for _, p := range e.peerOrder {
		alone = alone && p.state == PeerRemoved
		switch {
		case e.isBusy(now, p):
		case p.state == PeerAlive:
			alive = append(alive, p)
		case p.state == PeerFailed:
			failed = append(failed, p)
		}
	}
	rng := e.cfg.Rand
	if len(failed) > 0 && (len(alive) == 0 || rng.Intn(failedEvery) == 0) {
		return failed[rng.Intn(len(failed))], alone
	}
	if len(alive) == 0 {
		return nil, alone
	}
	if rng.Intn(3) == 0 {
		return alive[rng.Intn(len(alive))], alone
	}
	e.ring = slices.DeleteFunc(e.ring, func(p *peer) bool { return e.isBusy(now, p) })
	if len(e.ring) == 0 {
		e.ring = alive
		rng.Shuffle(len(e.ring), func(i, j int) { e.ring[i], e.ring[j] = e.ring[j], e.ring[i] })
	}
	if len(e.ring) > 1 && e.divergence(e.ring[1]) > e.divergence(e.ring[0]) {
		e.ring[0], e.ring[1] = e.ring[1], e.ring[0]
	}
	p = e.ring[0]
	e.ring = e.ring[1:]
	return p, alone
}
