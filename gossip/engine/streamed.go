package engine

import (
	"slices"
	"time"
)

// What a writer's link brings without a gap needs nobody else to bring it. While it comes,
// this node tells the peers of its exchanges to leave it out, as what it holds back: under
// load they always know something that is on its way here, too, and would send it with open
// holes (R4).
//
// A link that loses something shows that by a gap, or it breaks; one that has nothing more
// to say is not relied on after two Intervals. A node that has been dirty for long, or waits to
// be reset, takes what it can get (R5, R9).

// relied returns for how long a link is relied on after it has brought something, which must not
// have been made longer ago than that.
func (e *Engine) relied() time.Duration { return 2 * e.cfg.Interval }

// noteStreamed notes which batches of a live message were its sender's own, and applied to
// their ends not long after it was made.
func (e *Engine) noteStreamed(now time.Time, m *Message) {
	for i := range m.Batches {
		b := &m.Batches[i]
		r := e.lookup(b.Replica)
		if r == nil || b.Replica != m.From {
			continue
		}
		if r.streamed = (time.Time{}); r.version >= b.Through && now.Sub(m.HLC.Time()) < e.relied() {
			r.streamed = now
		}
	}
}

// isStreamed reports whether a link to its writer brings what is new of a replica.
func (e *Engine) isStreamed(now time.Time, r *replica) bool {
	return !r.streamed.IsZero() && now.Sub(r.streamed) < e.relied() && e.live.links[r.id.Node] != nil &&
		!e.zombies && !e.wantsCleaning(now) && !e.isCleaning(now)
}

// stopStreams relies on a peer's link no more, until it has brought something again.
func (e *Engine) stopStreams(peer string) {
	for _, r := range e.order {
		if r.id.Node == peer {
			r.streamed = time.Time{}
		}
	}
}

// withoutStreams returns a digest that tells a peer to leave out what is streamed, and what
// this node itself writes: where links bring that, the peer may have more of it than the digest
// says by the time it answers. The entries stay as they are.
func (e *Engine) withoutStreams(now time.Time, entries []DigestEntry) []DigestEntry {
	shared := true
	for i := range entries {
		r := e.lookup(entries[i].Replica)
		if r == nil || entries[i].Held || !e.isStreamed(now, r) && (r.id != e.self || len(e.live.order) == 0) {
			continue
		}
		if shared {
			entries, shared = slices.Clone(entries), false
		}
		entries[i].Held = true
	}
	return entries
}
