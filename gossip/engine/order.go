package engine

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Order says which updates come first in a message that cannot carry all that
// the peer lacks. Each replica's are sent in version order whatever the order
// (Paper §3); ties are broken at random, anew for every message.
type Order uint8

const (
	// Hybrid gives half of the bytes to the replicas whose first pending update is
	// oldest, and half to those whose newest pending update is newest, each replica
	// run to completion; what one half cannot use goes to the other. Nobody waits
	// for ever, and news is not stuck behind a backlog. Ages are told by the
	// updates' times, which count for at most 30 s before their arrival here.
	Hybrid Order = iota
	// Span sends the replica first of which the most versions are missing, retained
	// or not, each run to completion. It looks at no update.
	Span
	// Depth sends the replica first of which the most retained updates are missing,
	// each run to completion (Paper §3, scuttle-depth). A replica that writes little
	// waits while others write a lot.
	Depth
	// Breadth sends one update of every replica, then the second of every replica,
	// and so on (Paper §3, scuttle-breadth).
	Breadth
)

// String returns the order's name in lower case.
func (o Order) String() string {
	if o > Breadth {
		return fmt.Sprintf("order %d", uint8(o))
	}
	return [...]string{"hybrid", "span", "depth", "breadth"}[o]
}

// turn is a candidate's turn to be packed into a message.
type turn struct {
	candidate
	most int           // updates that one batch may have
	sent clock.Version // what the message has of it ends here
	open bool          // the message has a batch of it that can go on
	done bool          // the message gets nothing more of it
}

// phase is a part of an order: turns to take one after the other, each to its
// end, until the first update that would make the message longer than limit.
type phase struct {
	turns []*turn
	limit int  // bytes of the whole message
	fresh bool // leave out those that are open
}

// plan puts candidates into this engine's order for a message that has base
// bytes without them and may have limit.
func (e *Engine) plan(m *Message, all []candidate, base, limit int) []phase {
	turns := make([]*turn, len(all))
	for i, c := range all {
		turns[i] = &turn{candidate: c, most: MaxBatch, sent: c.from}
	}
	e.cfg.Rand.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
	switch e.cfg.Order {
	case Span:
		turns = descending(turns, candidate.span)
	case Depth:
		turns = descending(turns, candidate.pending)
	case Breadth:
		turns = descending(turns, func(c candidate) int { return min(c.pending(), 1) })
		e.allot(m, turns, limit)
	default:
		// What the first half has begun does not use the second one up as well: the
		// replica of a writer without pause is first in both.
		oldest := descending(turns, func(c candidate) clock.Timestamp { return ^c.firstTime() })
		newest := descending(turns, candidate.newestTime)
		return []phase{
			{turns: oldest, limit: base + (limit-base)/2},
			{turns: newest, limit: limit, fresh: true},
			{turns: oldest, limit: limit}, // what is left
		}
	}
	return []phase{{turns: turns, limit: limit}}
}

// descending returns turns with the largest keys first and equal ones as they were.
func descending[K cmp.Ordered](turns []*turn, key func(candidate) K) []*turn {
	type keyed struct {
		key  K
		turn *turn
	}
	all := make([]keyed, len(turns))
	for i, t := range turns {
		all[i] = keyed{key(t.candidate), t}
	}
	slices.SortStableFunc(all, func(a, b keyed) int { return cmp.Compare(b.key, a.key) })
	sorted := make([]*turn, len(all))
	for i, k := range all {
		sorted[i] = k.turn
	}
	return sorted
}

// allot cuts each turn down to what Breadth gives it: as many whole ranks as fit,
// and the next one as far as it fits. Only that one's random order matters, so
// the turns' own serves for all ranks. A replica of which nothing is retained
// has its empty batch at the end of the first rank.
func (e *Engine) allot(m *Message, turns []*turn, limit int) {
	ranks := 1
	for _, t := range turns {
		ranks = min(max(ranks, t.pending()), MaxBatch)
	}
	trial := *m
	trial.Batches = make([]Batch, 0, len(turns))
	peeked := make([][]*model.Update, len(turns))
	size := func(n int) int { // of the message with the first n turns, counted round and round
		trial.Batches = trial.Batches[:0]
		for i, t := range turns {
			if t.allow(n, i, len(turns)); t.most > 0 {
				peeked[i] = t.replica.log.peek(t.from, t.most, peeked[i])
				us := peeked[i][:min(t.most, len(peeked[i]))]
				trial.Batches = append(trial.Batches, Batch{Replica: t.replica.id, From: t.from, Floor: t.replica.floor, Updates: us})
			}
		}
		return e.cfg.Codec.Size(&trial)
	}
	n := largest(len(turns)*ranks, limit, size)
	for i, t := range turns {
		t.allow(max(n, 1), i, len(turns)) // one update, whatever the limit (R2)
	}
}

// allow lets the turn, the i-th of all, have its part of the first n.
func (t *turn) allow(n, i, all int) {
	t.most = n / all
	if i < n%all {
		t.most++
	}
}

// peek returns the first n updates, or all, with a larger version; some is what it
// returned for a smaller n, or nil.
func (l *log) peek(version clock.Version, n int, some []*model.Update) []*model.Update {
	if len(some) >= n {
		return some
	}
	if len(some) > 0 {
		version = some[len(some)-1].Version
	}
	for en := range l.after(version) {
		if some = append(some, en.update); len(some) == n {
			break
		}
	}
	return some
}

// largest returns the largest n, from 0 to top, of which size(n) is at most
// limit. size grows with n, mostly evenly: guesses by proportion are good, and
// every other one halves what is left, whatever they are. None is more than twice
// what fits, however large top is.
func largest(top, limit int, size func(int) int) int {
	low, high := 0, top+1 // low fits, high does not
	lowSize, highSize := size(0), 0
	for i := 0; high-low > 1; i++ {
		guess := low + (high-low)/2
		switch {
		case highSize == 0:
			guess = min(guess, max(2*low, 1))
		case i%2 == 0:
			guess = low + max(1, (high-low)*max(limit-lowSize, 0)/(highSize-lowSize))
		}
		if s := size(guess); s <= limit {
			low, lowSize = guess, s
		} else {
			high, highSize = guess, s
		}
	}
	return low
}

// end is where the batch of a turn ends if it is sent whole.
func (c candidate) end() clock.Version { return min(c.replica.version, c.from+MaxSpan) }

// above returns where the first entry with a larger version is: chunk i, entry j.
func (l *log) above(version clock.Version) (i, j int) {
	i, j, ok := l.find(version)
	if ok {
		if j++; j == len(l.chunks[i]) {
			i, j = i+1, 0
		}
	}
	return i, j
}

// next returns the first update with a larger version, nil if there is none.
func (l *log) next(version clock.Version) *model.Update {
	if i, j := l.above(version); i < len(l.chunks) {
		return l.chunks[i][j].update
	}
	return nil
}

// pending is how many retained updates the peer lacks: O(log n + chunks).
func (c candidate) pending() int {
	l := &c.replica.log
	i, n := l.above(c.from)
	n = -n
	for _, chunk := range l.chunks[i:] {
		n += len(chunk)
	}
	return n
}

// firstTime is when the first retained update that the peer lacks was written,
// as far as that is believed; without one, when the versions arrived.
func (c candidate) firstTime() clock.Timestamp {
	if u := c.replica.log.next(c.from); u != nil {
		return c.replica.arrivals.clamp(u.Version, u.Time, believed)
	}
	return c.replica.arrivals.clamp(c.from+1, 0, 0)
}

// newestTime is the same of the last one.
func (c candidate) newestTime() clock.Timestamp {
	if chunks := c.replica.log.chunks; len(chunks) > 0 {
		last := chunks[len(chunks)-1]
		if u := last[len(last)-1].update; u.Version > c.from {
			return c.replica.arrivals.clamp(u.Version, u.Time, believed)
		}
	}
	return c.replica.arrivals.clamp(c.replica.version, 0, 0)
}

// believed is how long before its arrival an update may say that it was written.
// A clock that is wrong by more gains no more than that.
const believed = clock.Timestamp(30_000) << 16
