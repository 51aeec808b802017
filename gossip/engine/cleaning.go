package engine

import (
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

const (
	// cleanAfter is how long a node may be dirty before it asks a clean peer for
	// everything (R5).
	cleanAfter = 3 * time.Second
	// desperateAfter is how long a node looks for a clean peer to be reset by.
	desperateAfter = 5 * cleanAfter
	// maxSnapshots bounds how many cleaning exchanges a node serves at a time: each
	// keeps a pointer and a hash per update that its peer lacked.
	maxSnapshots = 2
)

// cleaning is the cleaning exchange that this node has under way with a clean
// peer (R5).
type cleaning struct {
	peer     *peer
	exchange uint64
	until    time.Time // without progress it is over
}

// run is what a snapshot has of one replica.
type run struct {
	replica clock.Replica
	from    clock.Version // the peer knows up to here, or was sent it
	through clock.Version
	floor   clock.Version
	updates []entry
	asked   bool // the peer still lacks some of it
}

// cleansWith reports whether x is the cleaning exchange under way.
func (e *Engine) cleansWith(now time.Time, p *peer, exchange uint64) bool {
	c := e.cleaning
	return c.peer == p && c.exchange == exchange && now.Before(c.until)
}

// keepCleaning notes progress of the cleaning exchange, if x is it.
func (e *Engine) keepCleaning(now time.Time, p *peer, exchange uint64) {
	if c := &e.cleaning; c.peer == p && c.exchange == exchange {
		c.until = now.Add(stall)
	}
}

// isCleaning reports whether a cleaning exchange is under way: open holes from
// others are not applied meanwhile, so that the horizon stands still.
func (e *Engine) isCleaning(now time.Time) bool {
	return e.cleaning.peer != nil && now.Before(e.cleaning.until)
}

// wantsCleaning reports whether the next exchange should be a cleaning one. Who catches
// up is mostly clean when that is over.
func (e *Engine) wantsCleaning(now time.Time) bool {
	return (e.reset || !e.Clean() && now.Sub(e.dirtySince) >= cleanAfter && !(e.catchup.paced && e.catchup.isActive(now))) && !e.isCleaning(now)
}

// isDesperate reports whether a batch was refused long ago that only a dotted sync can
// replace, and no clean peer was found: then a dirty one will do, and this node stays
// as dirty as both were (R9).
func (e *Engine) isDesperate(now time.Time) bool {
	return e.reset && now.Sub(e.resetSince) >= desperateAfter
}

// serveCleaning takes a snapshot of all that a peer lacks, if this node is clean
// and does not serve too many already. What is superseded afterwards is still
// sent: the peer ends with exactly this node's state of now, and no hole that
// only something newer explains.
func (e *Engine) serveCleaning(now time.Time, x *exchange) bool {
	serving := 0
	for _, p := range e.peerOrder {
		if y := p.its; y != nil && y != x && y.snapshot != nil && now.Sub(y.active) < e.cfg.Timeout {
			serving++
		}
	}
	if serving >= maxSnapshots {
		return false
	}
	x.snapshot = []run{}
	for _, c := range e.lackedBy(x.theirs) {
		r := run{replica: c.replica.id, from: c.from, through: c.replica.version, floor: c.replica.floor, asked: true}
		for en := range c.replica.log.after(c.from) {
			r.updates = append(r.updates, en)
		}
		x.snapshot = append(x.snapshot, r)
	}
	return true
}

// skip notes what a pull says: what the peer still lacks, and from where on.
func (x *exchange) skip(known []DigestEntry) {
	i := 0
	for j := range x.snapshot {
		r := &x.snapshot[j]
		for i < len(known) && known[i].Replica.Compare(r.replica) < 0 {
			i++
		}
		if r.asked = i < len(known) && known[i].Replica == r.replica; !r.asked {
			continue
		}
		r.from = min(max(r.from, known[i].Version), r.through)
		for len(r.updates) > 0 && r.updates[0].update.Version <= r.from {
			r.updates = r.updates[1:]
		}
	}
}

// fillFromSnapshot packs the next part of a snapshot into m, replica by replica,
// outside of the budget, and returns m's size.
func (e *Engine) fillFromSnapshot(m *Message, x *exchange) int {
	sizer := e.cfg.Codec.Sizer(m)
	size := e.cfg.Codec.Size(m)
	limit := min(size+chunk, e.cfg.MaxStream)
	sent := 0
	for i := range x.snapshot {
		r := &x.snapshot[i]
		if !r.asked || r.from == r.through {
			continue
		}
		b := Batch{Replica: r.replica, From: r.from, Through: min(r.through, r.from+MaxSpan), Floor: r.floor}
		n := sizer.Begin(&b)
		if n > limit && (len(m.Batches) > 0 || n > e.cfg.MaxStream) {
			break
		}
		begun, full := n, false
		for _, en := range r.updates {
			u := en.update
			if u.Version > b.Through {
				break
			}
			if e.hasher.isDamaged(en) {
				continue // it is not passed on
			}
			n = e.cfg.MaxStream + 1
			if len(b.Updates) < MaxBatch {
				n = sizer.Add(u)
			}
			if n > limit && (sent > 0 || n > e.cfg.MaxStream) {
				full = true
				break
			}
			begun = n
			b.Updates = append(b.Updates, u)
			sent++
		}
		if full && len(b.Updates) == 0 {
			break
		}
		if full {
			b.Through = b.Updates[len(b.Updates)-1].Version
		}
		size = begun
		m.Batches = append(m.Batches, b)
		if full {
			break
		}
	}
	e.stats.UpdatesSent += uint64(sent)
	return size
}
