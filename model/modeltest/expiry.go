package modeltest

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// expiry: what has expired does not show, whether the model was told before others
// came or after; so its removal does not show either.
func (s *sim[M]) expiry() *Failure {
	if _, ok := any(s.arbiter).(model.Expirer); !ok {
		return nil
	}
	ids := s.prefix()
	at := s.moment(ids)
	last, f := s.feed(s.inOrder(ids))
	if f != nil {
		return f
	}
	if f := s.lapse(last, at); f != nil {
		return f
	}
	want, f := s.value(last)
	if f != nil {
		return f
	}
	calls := s.shuffled(ids)
	n := s.rng.IntN(len(calls) + 1)
	sub, f := s.feed(calls[:n])
	if f != nil {
		return f
	}
	if f := s.lapse(sub, min(at, s.moment(ids))); f != nil {
		return f
	}
	for _, c := range calls[n:] {
		if f := s.apply(sub, c.id, clone(s.issued[c.id].update), applied); f != nil {
			return f
		}
	}
	if f := s.lapse(sub, at); f != nil {
		return f
	}
	if f := s.showsLike(sub, want, last); f != nil {
		return f
	}
	for id := range s.leaves(sub.retained).all() {
		if !s.expires(id, 0, at) {
			continue
		}
		if f := s.remove(sub, id); f != nil {
			return f
		}
		if f := s.showsLike(sub, want, last); f != nil {
			return f
		}
	}
	return nil
}

// moment returns when one of some updates expires, 0 for one that does not.
func (s *sim[M]) moment(ids set) clock.Timestamp {
	if ids == 0 {
		return 0
	}
	return s.issued[s.pick(ids)].update.Expires
}

// expires reports whether an update does, after one time and up to another.
func (s *sim[M]) expires(id int, after, at clock.Timestamp) bool {
	u := s.issued[id].update
	return !u.IsTombstone() && u.Expires > after && u.Expires <= at
}

// lapse tells a model what has expired at a time and is retained, unless it came when
// the model had been told of something that expires later.
func (s *sim[M]) lapse(sub *subject[M], at clock.Timestamp) *Failure {
	s.current = sub
	var due []int
	for id := range sub.retained.all() {
		if s.expires(id, sub.past, at) {
			due = append(due, id)
		}
	}
	slices.SortStableFunc(due, func(a, b int) int {
		return cmp.Compare(s.issued[a].update.Expires, s.issued[b].update.Expires)
	})
	for _, id := range due {
		sub.calls = append(sub.calls, call{id, lapsed})
		sub.past = s.issued[id].update.Expires
		any(sub.model).(model.Expirer).Expire(sub.latest(id))
	}
	return s.intact(sub, "Expire")
}

// showsLike compares what a model shows with what another one did.
func (s *sim[M]) showsLike(sub *subject[M], want any, other *subject[M]) *Failure {
	v, f := s.value(sub)
	if f != nil || reflect.DeepEqual(v, want) {
		return f
	}
	return failf(Expiry, "%s\n%s, as of %s", s.story(sub.calls), gotWant(v, want), s.story(other.calls))
}
