package engine

import (
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// heard is what this node has had of a peer's live messages.
type heard struct {
	mended time.Time // when it last began an exchange because something was missing
}

// onLive takes fresh updates. What is missing before them is fetched in an exchange,
// begun at once: so it is the only one, however much is missing.
func (e *Engine) onLive(now time.Time, p *peer, m *Message, out *Output) {
	if l := e.live.links[p.name]; l != nil {
		l.talked = now
	}
	applied, redundant := e.stats.UpdatesApplied, e.stats.UpdatesRedundant
	whole := e.takesWhole(now, m)
	rest := m
	if !whole {
		rest = e.gaplessPart(m)
	}
	before := e.versionsBefore(m)
	e.applyAll(now, p, rest, nil, out)
	e.noteSources(now, p, m, before, out)
	e.noteStreamed(now, m)
	e.stats.LiveApplied += e.stats.UpdatesApplied - applied
	e.stats.LiveRedundant += e.stats.UpdatesRedundant - redundant
	if e.misses(now, m) {
		e.stats.LiveGaps++
		e.mend(now, p, out)
	}
	if m.Same {
		r := e.message(now, p, Receipt, m.Exchange)
		r.Digest.Entries = []DigestEntry{e.entryOf(m.From)}
		out.send(p.name, true, r)
	}
}

// misses reports whether some batch of a live message was not applied to its end because
// of what is missing before it.
func (e *Engine) misses(now time.Time, m *Message) bool {
	if m.HLC > clock.TimestampOf(now.Add(e.cfg.MaxDrift)) {
		return false // it may wait for its time
	}
	return slices.ContainsFunc(m.Batches, func(b Batch) bool {
		final, over := e.final(b.Replica)
		r := e.lookup(b.Replica)
		switch {
		case b.Replica == e.self, e.IsVanished(b.Replica), over && b.Through > final:
			return false // it is never applied
		case r == nil:
			return b.From > 0 && len(e.order) < e.cfg.MaxReplicas
		}
		return r.version < b.Through && !e.isHeld(now, r)
	})
}

// mend begins an exchange with a peer that has sent what cannot be applied. One that is
// under way may bring it or not: rounds follow soon. While this node catches up nothing
// is to be mended.
func (e *Engine) mend(now time.Time, p *peer, out *Output) {
	switch {
	case e.catchup.peer != nil && now.Before(e.catchup.until):
	case p.state != PeerAlive, e.isBusy(now, p), now.Sub(p.live.mended) < e.cfg.MinInterval:
		e.hurry(now)
	default:
		p.live.mended = now
		e.begin(now, p, out)
	}
}

// takesWhole reports whether a live message can be applied as it is, closed holes
// included: nothing of it has to wait, and all is known that closes its holes.
func (e *Engine) takesWhole(now time.Time, m *Message) bool {
	holes := false
	for i := range m.Batches {
		b := &m.Batches[i]
		holes = holes || hasHole(b, e.versionOf(b.Replica))
	}
	if !holes {
		return true
	}
	if !e.roomFor(nil, nil, m.Batches) || m.HLC > clock.TimestampOf(now.Add(e.cfg.MaxDrift)) {
		return false
	}
	through := func(id clock.Replica) clock.Version {
		v := e.versionOf(id)
		for i := range m.Batches {
			if m.Batches[i].Replica == id {
				v = max(v, m.Batches[i].Through)
			}
		}
		return v
	}
	for _, d := range m.Digest.Entries {
		if through(d.Replica) < d.Version {
			return false
		}
	}
	return !slices.ContainsFunc(m.Batches, func(b Batch) bool { return !e.takesBatch(now, &b) })
}

// takesBatch reports whether a batch of a live message would be applied to its end, or
// is known.
func (e *Engine) takesBatch(now time.Time, b *Batch) bool {
	known := e.versionOf(b.Replica)
	final, over := e.final(b.Replica)
	switch r := e.lookup(b.Replica); {
	case b.From > known, e.IsVanished(b.Replica), over && b.Through > final:
		return false
	case b.Through <= known:
		return true
	case r != nil && e.isHeld(now, r), b.Replica == e.self, hasHole(b, known) && !b.Closed:
		return false
	}
	limit := clock.TimestampOf(now.Add(e.cfg.MaxDrift))
	for _, u := range b.Updates {
		if u.Version > known && (u.Time > limit || e.lookupSpace(u.Space) == nil || !e.depsKnown(u)) {
			return false
		}
	}
	return true
}

// gaplessPart returns what can be applied of a live message whose closed holes cannot.
func (e *Engine) gaplessPart(m *Message) *Message {
	part := *m
	part.Batches = nil
	for _, b := range m.Batches {
		if known := e.versionOf(b.Replica); b.From <= known && known < b.Through {
			b = gaplessAfter(b, known)
		}
		part.Batches = append(part.Batches, b)
	}
	return &part
}

// gaplessAfter cuts a batch before the first hole after a version.
func gaplessAfter(b Batch, known clock.Version) Batch {
	n := 0
	for ; n < len(b.Updates); n++ {
		switch v := b.Updates[n].Version; {
		case v <= known:
		case v == known+1:
			known = v
		default:
			b.Updates = b.Updates[:n]
		}
	}
	b.Through, b.Closed = known, false
	return b
}

// onReceipt makes room on a link: the peer has dealt with live messages up to this one.
func (e *Engine) onReceipt(now time.Time, p *peer, m *Message, out *Output) {
	l := e.live.links[p.name]
	if l != nil && l.receive(now, m.Exchange) {
		out.Fresh = len(e.live.fresh) > 0
		e.measure(now)
	}
}
