package engine

import (
	"math"
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// A link carries no more live messages without a receipt than fit into its window: what
// is more waits in the log, where it may be superseded. The window follows how long
// receipts take. While they come about as soon as they ever did, a link that has filled its
// window gets a larger one; when they come much later, something on the way, or the far
// end itself, has more to do than it can, and a smaller window makes the queue there
// shorter: so what is written under overload is not old before it arrives.
//
// What is superseded before it is sent costs others nothing. Where that is most of what is
// written, a link whose receipts come late rests for many times as long as they are late on
// the average: the processors, or the network, have better things to do meanwhile.

const (
	// liveWindow is the weight that a new link carries.
	liveWindow = 64 << 10
	// leastWindow and mostWindow are what it may become.
	leastWindow = 16 << 10
	mostWindow  = 1 << 20
	// windowStep is the least by which it grows, from one window to the next.
	windowStep = 4 << 10
	// queueing is by how much longer than they could receipts may take; where that is far,
	// by queueingPart of how soon they could come. On two processors that carry 8 nodes of
	// 50,000 keys, 20 ms and twice the least window let 99 % of 55,000 writes/s be everywhere
	// after 50 to 70 ms instead of 40, and carry a sixth less of what is overwritten; but
	// who does not mind may write a third more.
	queueing     = 5 * time.Millisecond
	queueingPart = 4
	// bestFor is for how long, about, a link remembers how soon a receipt may come.
	bestFor = time.Minute
	// restTimes is for how many times the delay of receipts a link rests, and restMost for
	// how long at most.
	restTimes = 20
	restMost  = 350 * time.Millisecond
	// delayParts is what part of it a new delay counts, beside those before. To rest for six
	// times as long as each single receipt was late, half a second at most, is to send too
	// often at one time, and too late at another: with 1,000 keys of each of 8 nodes
	// overwritten as fast as two processors can, it sent more than twice as much and carried a
	// fifth fewer writes, for the same p99, 0.42 s. To rest twelve times the mean, 300 ms at
	// most, makes that 0.36 s, and carries a tenth fewer; thirty times carries no more.
	delayParts = 8
	// receiptParts is how many receipts there are for each window.
	receiptParts = 4
	// little is the weight of what may wait for every link.
	little = 4 * liveWindow
	// stuckAfter is when a link that takes nothing more does not count any more for how
	// much may be written: its far end may be dead.
	stuckAfter = time.Second
)

// flight is a live message on its way.
type flight struct {
	number uint64
	weight int
	at     time.Time
	thin   bool // most of what it covers was superseded
}

// window is what a link carries without a receipt.
type window struct {
	size    int           // weight
	flight  []flight      // live messages without a receipt, oldest first
	weight  int           // of flight
	unasked int           // of what was sent since a receipt was asked for
	filled  bool          // since the last receipt
	shrunk  uint64        // what was sent up to this message says nothing of the size: it is new
	moved   time.Time     // when it last could take more, or a receipt came
	delay   time.Duration // of the receipts of thin messages, smoothed
	rest    time.Time     // nothing is sent before

	best, was time.Duration // how soon a receipt has come: lately, and before; 0: none has
	since     time.Time     // when lately began
}

// isFull reports whether nothing more is to be sent without a receipt.
func (w *window) isFull() bool { return w.weight >= w.size }

// wantsReceipt reports whether a receipt should come for a message of a weight.
func (w *window) wantsReceipt(weight int) bool {
	return (w.unasked+weight)*receiptParts >= w.size
}

// send notes a message, which may ask for a receipt.
func (w *window) send(f flight, asks bool) {
	w.flight = append(w.flight, f)
	w.weight += f.weight
	w.filled = w.filled || w.isFull()
	if w.unasked += f.weight; asks {
		w.unasked = 0
	}
}

// receive notes a receipt for all up to a message, and reports whether it made room.
func (w *window) receive(now time.Time, number uint64) bool {
	n, weight := 0, 0
	for n < len(w.flight) && w.flight[n].number <= number {
		weight += w.flight[n].weight
		n++
	}
	if n == 0 {
		return false
	}
	last := w.flight[n-1]
	w.flight = slices.Delete(w.flight, 0, n)
	w.weight -= weight
	w.moved = now
	w.adapt(now, last, weight)
	return true
}

// adapt makes the size follow how long the receipt of a message took, with which a weight
// arrived.
func (w *window) adapt(now time.Time, m flight, weight int) {
	took := max(now.Sub(m.at), 1)
	if w.since.IsZero() || now.Sub(w.since) >= bestFor {
		w.was, w.best, w.since = w.best, took, now
	}
	w.best = min(w.best, took)
	best := w.best
	if w.was > 0 {
		best = min(best, w.was)
	}
	late := max(queueing, best/queueingPart)
	if m.thin {
		w.relax(now, took-best, late)
	}
	switch {
	case m.number <= w.shrunk:
	case took > best+late:
		w.size = max(w.size*3/4, leastWindow)
		w.shrunk = m.number
		if n := len(w.flight); n > 0 {
			w.shrunk = w.flight[n-1].number
		}
	case w.filled && took <= best+late/2:
		w.size = min(w.size+weight*max(windowStep, w.size/8)/w.size, mostWindow)
	}
	w.filled = w.isFull()
}

// relax lets the link rest after a message of which most was superseded, if the receipts of
// such messages are late on the average. What was longer ago than a rest takes says nothing.
func (w *window) relax(now time.Time, delay, late time.Duration) {
	if now.Sub(w.rest) > restMost {
		w.delay = delay
	}
	w.delay += (delay - w.delay) / delayParts
	if w.delay > late {
		w.rest = now.Add(min(restTimes*w.delay, restMost))
	}
}

// expire makes room in a window that is full, and whose receipts seem to be lost.
func (w *window) expire(now time.Time, timeout time.Duration) {
	if w.isFull() && now.Sub(w.moved) >= timeout {
		w.flight, w.weight, w.moved = nil, 0, now
	}
}

// Room returns the weight of updates that may be written here before more than a third of
// the links have more to carry than fits into their windows; negative: they have. It is up
// to the caller to hold writers back.
func (e *Engine) Room() int { return e.live.room }

// Spread returns up to where most links have been sent what this node wrote; the largest
// version if there are none. It is 0 while all that is retained of it is so little that it
// does not matter: what takes its place, however often, makes no more of it.
func (e *Engine) Spread() clock.Version { return e.live.spread }

// noteIssued notes an update that this node has just written.
func (e *Engine) noteIssued(u *model.Update) {
	weight := weightOfUpdate(u)
	e.live.room -= weight
	if e.live.each += (float64(weight) - e.live.each) / 64; e.live.each < lightest {
		e.live.each = float64(weight) // the first
	}
	e.noteWritten(u)
}

// measure finds out how much room there is.
func (e *Engine) measure(now time.Time) {
	n := len(e.live.order)
	self := e.lookup(e.self)
	if n == 0 || self == nil {
		e.live.room, e.live.spread = math.MaxInt, math.MaxUint64
		return
	}
	weigh := func(updates clock.Version) int {
		return int(min(float64(min(updates, clock.Version(self.log.len())))*e.live.each, math.MaxInt32))
	}
	rooms, cursors := e.live.rooms[:0], e.live.cursors[:0]
	for _, l := range e.live.order {
		at := l.cursor(self)
		room := l.size - l.weight - weigh(self.version-at)
		if room <= 0 && now.Sub(l.moved) >= stuckAfter {
			room = math.MaxInt
		}
		rooms, cursors = append(rooms, room), append(cursors, at)
	}
	slices.Sort(rooms)
	slices.Sort(cursors)
	e.live.room, e.live.spread = rooms[n/3], cursors[n/2]
	if weigh(self.version) <= little {
		e.live.spread = 0
	}
	e.live.rooms, e.live.cursors = rooms, cursors
}
