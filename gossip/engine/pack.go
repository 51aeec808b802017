package engine

import (
	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// packed is what became of packing a delta into a message.
type packed struct {
	used int  // bytes of batches
	size int  // bytes of the whole message
	more bool // something was left out
}

// pack fills m with batches for a peer that lacks what the candidates say, in
// their order: as much as fits into room bytes of batches and MaxStream bytes of
// message, but always one update or one empty batch, whatever the room (R2). theirs is the peer's
// digest; it may be partial.
func (e *Engine) pack(m *Message, all []candidate, theirs []DigestEntry, room int) packed {
	sizer := e.cfg.Codec.Sizer(m)
	base := e.cfg.Codec.Size(m)
	p := packed{size: base}
	limit := min(base+room, e.cfg.MaxStream)
	updates := 0
	for _, c := range all {
		b := Batch{Replica: c.replica.id, From: c.from, Through: c.replica.version, Floor: c.replica.floor}
		b.Through = min(b.Through, b.From+MaxSpan)
		size := sizer.Begin(&b)
		if size > limit && (len(m.Batches) > 0 || size > e.cfg.MaxStream) {
			p.more = true
			break
		}
		full := false
		for en := range c.replica.log.after(c.from) {
			u := en.update
			if u.Version > b.Through {
				break
			}
			n := e.cfg.MaxStream + 1
			if len(b.Updates) < MaxBatch {
				n = sizer.Add(u)
			}
			if n > limit && (updates > 0 || n > e.cfg.MaxStream) {
				full = true
				break
			}
			size = n
			b.Updates = append(b.Updates, u)
			updates++
		}
		if full {
			p.more = true
			if len(b.Updates) == 0 {
				break
			}
			b.Through = b.Updates[len(b.Updates)-1].Version
		}
		p.more = p.more || b.Through < c.replica.version
		p.size = size
		m.Batches = append(m.Batches, b)
		if full {
			break
		}
	}
	p.used = p.size - base
	e.stats.UpdatesSent += uint64(updates)
	e.closeHoles(m, theirs)
	return p
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
