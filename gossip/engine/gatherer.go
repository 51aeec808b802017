package engine

import (
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// gatherer makes a batch without open holes, for a receiver that has a candidate's
// replica up to where the candidate begins.
//
// A hole is closed by an update in the same message. All that this replica has
// superseded itself is, if the batch reaches up to its last version. What others have
// superseded is for a receiver that knows that (see Message.Digest).
type gatherer struct {
	engine *Engine
	candidate
	room    int  // bytes
	whole   int  // bytes, if the batch cannot be cut
	first   bool // it takes one update whatever the room
	closing bool // it may have closed holes

	size int // bytes, at most
}

// batch returns the batch, empty if there is none, and adds to what its receiver must
// know.
func (g *gatherer) batch(needs []DigestEntry) (Batch, []DigestEntry) {
	r := g.replica
	b := Batch{Replica: r.id, From: g.from, Through: g.from, Floor: r.floor}
	if g.take(&b, g.room, true); !g.hole(&b) {
		return b, needs
	}
	prefix, size := b, g.size
	if g.closing && r.version-g.from <= MaxSpan {
		if more, ok := g.needs(needs); ok && g.take(&b, g.whole, false) {
			b.Through, b.Closed = r.version, true
			return b, more
		}
	}
	g.size = size
	return prefix, needs
}

// take adds what follows in the log, up to a hole if it must be gapless, and reports
// whether all of it fits into room.
func (g *gatherer) take(b *Batch, room int, gapless bool) bool {
	codec := g.engine.cfg.Codec
	for en := range g.replica.log.after(b.Through) {
		u := en.update
		if gapless && u.Version != b.Through+1 {
			return true
		}
		n := g.size + codec.UpdateSize(u)
		if n > room && (len(b.Updates) > 0 || !g.first || n > g.whole) || len(b.Updates) == MaxBatch {
			return false
		}
		g.size = n
		b.Updates = append(b.Updates, u)
		b.Through = u.Version
	}
	return true
}

// hole reports whether the version after a batch is not retained.
func (g *gatherer) hole(b *Batch) bool {
	_, _, ok := g.replica.log.find(b.Through + 1)
	return !ok && b.Through < g.replica.version
}

// needs adds what closes the holes that are not closed by later updates of the same
// replica; false if that is not remembered.
func (g *gatherer) needs(needs []DigestEntry) ([]DigestEntry, bool) {
	r := g.replica
	if g.from >= r.alien {
		return needs, true
	}
	if r.alien-g.from > maxHoles {
		return nil, false
	}
	needs = slices.Clone(needs)
	for v := g.from + 1; v <= min(r.alien, r.version); v++ {
		if _, _, ok := r.log.find(v); ok {
			continue
		}
		by, version, ok := r.heir(v)
		switch {
		case !ok:
			return nil, false
		case by == r:
			continue
		}
		i, ok := slices.BinarySearchFunc(needs, by.id, func(d DigestEntry, id clock.Replica) int { return d.Replica.Compare(id) })
		if !ok {
			needs = slices.Insert(needs, i, DigestEntry{Entry: clock.Entry{Replica: by.id}})
		}
		needs[i].Version = max(needs[i].Version, version)
	}
	return needs, true
}
