package engine

import (
	"cmp"
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// packed is what became of packing a delta into a message.
type packed struct {
	used int // bytes of batches
	size int // bytes of the whole message
}

// pack fills m with batches for a peer that lacks what the candidates say, in
// the engine's order: as much as fits into room bytes of batches and MaxStream
// bytes of message, but always one update or one empty batch, whatever the room
// (R2). theirs is the peer's digest; it may be partial. What is damaged is not passed on.
func (e *Engine) pack(m *Message, all []candidate, theirs []DigestEntry, room int) packed {
	p := e.packing(m)
	base := p.size
	limit := min(base+room, e.cfg.MaxStream)
	for _, ph := range e.plan(m, all, base, limit) {
		p.serve(ph)
	}
	return e.finishPacking(p, base, theirs)
}

// packing begins to pack a message.
func (e *Engine) packing(m *Message) *packing {
	return &packing{
		codec: e.cfg.Codec, hasher: e.hasher, spares: &e.spares, max: e.cfg.MaxStream, usual: cmp.Or(int(e.updateSize), smallUpdate),
		m: m, size: e.cfg.Codec.Size(m),
	}
}

// finishPacking gives the message what was packed for a peer with this digest. Without
// it the message has base bytes.
func (e *Engine) finishPacking(p *packing, base int, theirs []DigestEntry) packed {
	m := p.m
	m.Batches = p.batches
	e.stats.UpdatesSent += uint64(p.updates)
	e.weigh(p.size-base, p.updates)
	e.discardDamaged(p.damaged, new(Output)) // whoever watches sees it when it is repaired
	e.closeHoles(m, theirs)
	return packed{used: p.size - base, size: p.size}
}

// packing is a message that is being filled.
type packing struct {
	codec   Codec
	hasher  *hasher
	spares  *spares
	max     int      // MaxStream
	usual   int      // bytes of an update
	m       *Message // without batches
	batches []Batch
	sizer   Sizer   // of both; nil: to be made when it is needed
	size    int     // bytes of both
	updates int     // in batches
	damaged []entry // left out of them
}

// serve takes the turns of a phase until one does not fit.
func (p *packing) serve(ph phase) {
	for _, t := range ph.turns {
		if t.done || t.most == 0 || ph.fresh && t.open {
			continue
		}
		if !p.run(t, ph.limit) {
			return
		}
	}
}

// run puts what is still to come of t into the message while that fits into
// limit, and reports whether all of it did.
func (p *packing) run(t *turn, limit int) bool {
	if p.tooLong(t, limit) {
		return false
	}
	before := *p
	b := p.last(t, limit)
	for en := range t.replica.log.after(t.sent) {
		if en.update.Version > t.end() {
			break
		}
		if len(b.Updates) == t.most {
			t.done = true
			return true
		}
		if p.hasher.isDamaged(en) {
			p.damaged = append(p.damaged, en)
			continue
		}
		if !p.add(b, en.update, limit) {
			if p.updates == before.updates {
				p.restore(before)
			} else {
				t.sent, t.open = b.Through, true
			}
			return false
		}
	}
	if len(b.Updates) == 0 && p.size > limit && (len(before.batches) > 0 || p.size > p.max) {
		p.restore(before)
		return false
	}
	b.Through, t.done = t.end(), true
	return true
}

// tooLong reports whether the next update of t is so large that it need not be
// measured: an update takes more than its key and value, by more than another
// sequence of the batches can save.
func (p *packing) tooLong(t *turn, limit int) bool {
	u := t.replica.log.next(t.sent)
	return u != nil && p.updates > 0 && p.size+len(u.Key)+len(u.Value) > limit
}

// last returns the batch of t, a new one if need be, as the last one of the
// message: that is where a Sizer goes on.
func (p *packing) last(t *turn, limit int) *Batch {
	n := len(p.batches) - 1
	if t.open && p.batches[n].Replica != t.replica.id {
		i := slices.IndexFunc(p.batches, func(b Batch) bool { return b.Replica == t.replica.id })
		p.batches = slices.Concat(p.batches[:i], p.batches[i+1:], p.batches[i:i+1])
		p.sizer = nil
	}
	if p.sizer == nil {
		m := *p.m
		m.Batches = p.batches
		p.sizer = p.codec.Sizer(&m)
	}
	if !t.open {
		b := Batch{Replica: t.replica.id, From: t.from, Through: t.from, Floor: t.replica.floor}
		if fit := max(limit-p.size, 0) / p.usual; fit > 0 {
			b.Updates = p.spares.take(min(fit+fit/8, t.most, t.replica.log.len(), int(t.end()-t.from)))
		}
		p.size = p.sizer.Begin(&b)
		p.batches = append(p.batches, b)
	}
	return &p.batches[len(p.batches)-1]
}

// add adds u to b, the last batch, if it fits or is the first update (R2).
func (p *packing) add(b *Batch, u *model.Update, limit int) bool {
	n := p.sizer.Add(u)
	if n > limit && (p.updates > 0 || n > p.max) {
		p.sizer.Undo()
		return false
	}
	b.Updates = append(b.Updates, u)
	b.Through = u.Version
	p.size = n
	p.updates++
	return true
}

// restore makes the message what it was before a batch was begun, or moved, to
// which nothing could be added.
func (p *packing) restore(before packing) {
	*p = before
	p.sizer = nil
}

// maxHoles bounds how many holes of one batch are looked up to find out whether
// they are closed; a batch with more counts as open.
const maxHoles = 4 * replacementsLen

// closeHoles flags the batches whose holes are all closed (R3): superseded by
// an update that is in the same message, or that the receiver covers already.
func (e *Engine) closeHoles(m *Message, theirs []DigestEntry) {
	var through map[clock.Replica]clock.Version
	for i := range m.Batches {
		b := &m.Batches[i]
		holes := b.Through - b.From - clock.Version(len(b.Updates))
		if holes == 0 || holes > maxHoles {
			continue
		}
		if through == nil {
			through = make(map[clock.Replica]clock.Version, len(theirs)+len(m.Batches))
			for _, d := range theirs {
				through[d.Replica] = d.Version
			}
			for j := range m.Batches {
				c := &m.Batches[j]
				through[c.Replica] = max(through[c.Replica], c.Through)
			}
		}
		b.Closed = e.allClosed(b, through)
	}
}

// allClosed reports whether each hole of b has an heir that the receiver will
// cover with this message.
func (e *Engine) allClosed(b *Batch, through map[clock.Replica]clock.Version) bool {
	r := e.lookup(b.Replica)
	next := 0
	for v := b.From + 1; v <= b.Through; v++ {
		if next < len(b.Updates) && b.Updates[next].Version == v {
			next++
			continue
		}
		by, version, ok := r.heir(v)
		if !ok || version > through[by.id] {
			return false
		}
	}
	return true
}
