package engine

import (
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// fill packs what the peer lacks into m, as the exchange's budget and the peer's
// credit allow, and returns m's size. A message beside whose exceptions no update
// fits carries none of them, and no open hole; one whose digest leaves no room
// carries no updates. Nor are there open holes from a node that waits for a rebase: what
// explains them may be dead, and what they hide not. Only if it finds nobody in time,
// then the message says so.
func (e *Engine) fill(m *Message, x *exchange, lacked []candidate, credit uint32) int {
	room := int(min(chunk, int64(e.cfg.Budget-x.sent), int64(credit)))
	if room <= 0 || len(lacked) == 0 {
		return e.cfg.Codec.Size(m)
	}
	gapless, ok := e.explain(m, x)
	if !ok {
		return e.cfg.Codec.Size(m)
	}
	if room = e.room(m, x, room); room <= 0 {
		return e.cfg.Codec.Size(m)
	}
	m.Unsure = e.zombies
	done := e.pack(m, lacked, x.theirs, room)
	if gapless && !isSound(m.Batches) {
		for i := range m.Batches {
			cutHole(&m.Batches[i])
		}
		m.Batches = slices.DeleteFunc(m.Batches, func(b Batch) bool { return b.From == b.Through })
		done.size = e.cfg.Codec.Size(m)
	}
	x.sent += done.used
	return done.size
}

// explain gives a message that is to have updates the exceptions that go with open holes.
// gapless: it must not have open holes; !ok: it has no room for updates.
func (e *Engine) explain(m *Message, x *exchange) (gapless, ok bool) {
	m.Exceptions = untold(x.told, e.exceptions())
	ok = e.hasRoom(m)
	if gapless = !ok || e.zombies && !e.desperate; gapless {
		m.Exceptions = nil
		ok = ok || e.hasRoom(m)
	}
	return gapless, ok
}

// isSound reports whether no batch has an open hole.
func isSound(all []Batch) bool {
	return !slices.ContainsFunc(all, func(b Batch) bool { return !b.Closed && hasHole(&b, b.From) })
}

// cutHole ends a batch before its first hole. What was closed by a part that is
// cut off is no longer closed, so every hole counts.
func cutHole(b *Batch) {
	n := 0
	for n < len(b.Updates) && b.Updates[n].Version == b.From+clock.Version(n)+1 {
		n++
	}
	b.Updates, b.Through, b.Closed = b.Updates[:n], b.From+clock.Version(n), false
}
