package sim

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// history is everything that was ever written, as it was first seen: at its writer.
type history struct {
	authors map[clock.Replica]*author
	last    *author // of the latest lookup
}

// author is what one replica wrote.
type author struct {
	id      clock.Replica
	hash    uint64 // no other's
	written map[clock.Version]*record
	covered clock.Version // some oracle has gone on to here
}

// record is one update as it was written. Nobody else has its bytes.
type record struct {
	model.Update
	hash uint64        // of its dot
	saw  clock.Vector  // what its writer knew
	at   time.Duration // when it was written, since the start
}

func newHistory() *history { return &history{authors: map[clock.Replica]*author{}} }

// author returns what a replica wrote, and makes it if need be.
func (h *history) author(id clock.Replica) *author {
	if h.last != nil && h.last.id == id {
		return h.last
	}
	a := h.authors[id]
	if a == nil {
		a = &author{id: id, hash: mix(uint64(len(h.authors)) + 1), written: map[clock.Version]*record{}}
		h.authors[id] = a
	}
	h.last = a
	return a
}

// get returns an update's record, nil if the update is not known.
func (h *history) get(d clock.Dot) *record { return h.author(d.Replica).written[d.Version] }

// learn returns the record of u, and whether it is new.
func (h *history) learn(u *model.Update) (r *record, fresh bool) {
	a := h.author(u.Replica)
	if r = a.written[u.Version]; r != nil {
		return r, false
	}
	r = &record{Update: *u, hash: a.hashAt(u.Version)}
	r.Key, r.Value = slices.Clone(u.Key), slices.Clone(u.Value)
	a.written[u.Version] = r
	return r, true
}

// hashAt returns a number for this version of the author, no other's.
func (a *author) hashAt(v clock.Version) uint64 { return mix(a.hash + uint64(v)) }

// between returns the author's records from one version, exclusive, to another.
func (a *author) between(all []*record, from, through clock.Version) []*record {
	if uint64(through-from) <= uint64(len(a.written)) {
		for v := from + 1; v <= through; v++ {
			if r := a.written[v]; r != nil {
				all = append(all, r)
			}
		}
		return all
	}
	for v, r := range a.written { // order: whoever reads the result sorts it
		if v > from && v <= through {
			all = append(all, r)
		}
	}
	return all
}

// says reports whether u is what was written.
func (r *record) says(u *model.Update) bool {
	return r.Time == u.Time && r.Space == u.Space && r.Kind == u.Kind && r.Expires == u.Expires &&
		bytes.Equal(r.Key, u.Key) && bytes.Equal(r.Value, u.Value) &&
		slices.Equal(r.Deps.All(), u.Deps.All()) && r.Context.Compare(u.Context) == clock.Equal
}

// earlier orders records by when they were written: what one builds on comes first.
func earlier(a, b *record) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), a.Dot.Compare(b.Dot))
}

// sums are hashes of a set of updates: of the tombstones in it, and of the others.
type sums struct{ tombstones, values uint64 }

// retention is a set of retained updates.
type retention struct {
	records map[*record]struct{}
	sums    sums
}

func newRetention() retention { return retention{records: map[*record]struct{}{}} }

// add puts a record in, unless it is there.
func (s *retention) add(r *record) {
	if _, ok := s.records[r]; !ok {
		s.records[r] = struct{}{}
		*s.sum(r) += r.hash
	}
}

// remove takes a record out, if it is there.
func (s *retention) remove(r *record) {
	if _, ok := s.records[r]; ok {
		delete(s.records, r)
		*s.sum(r) -= r.hash
	}
}

// sum returns the hash that r counts in.
func (s *retention) sum(r *record) *uint64 {
	if r.IsTombstone() {
		return &s.sums.tombstones
	}
	return &s.sums.values
}

// without returns what is in s and not in o, in order.
func (s *retention) without(o *retention) []*record {
	var all []*record
	for r := range s.records { // order: sorted below
		if _, ok := o.records[r]; !ok {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, earlier)
	return all
}

// apply lets a model integrate an update, and keeps the books.
func (s *retention) apply(h *history, m model.Model, u *model.Update, r *record) model.Effect {
	effect := m.Apply(u)
	if effect.Redundant {
		return effect
	}
	s.add(r)
	for _, old := range effect.Superseded {
		if o := h.get(old.Dot); o != nil {
			s.remove(o)
		}
	}
	return effect
}
