package modeltest

import (
	"reflect"
	"slices"
)

// relate asks how a new update relates to all before, and checks that the
// relation stays a strict partial order.
func (s *sim[M]) relate(id int) *Failure {
	u := &s.issued[id]
	for i := range s.issued {
		o := &s.issued[i]
		if s.arbiter.Supersedes(u.asked, o.asked) {
			u.beats |= only(i)
			o.beatenBy |= only(id)
		}
		if i != id && s.arbiter.Supersedes(o.asked, u.asked) {
			o.beats |= only(id)
			u.beatenBy |= only(i)
		}
	}
	for i := range s.issued {
		if o := s.issued[i]; !same(o.asked, o.update) {
			return failf(Immutability, "Supersedes changed an update\ngot  %s\nwant %s", describe(o.asked), describe(o.update))
		}
	}
	if u.beats.has(id) {
		return failf(StrictOrder, "%v supersedes itself", u.update.Dot)
	}
	for i := range (u.beats & u.beatenBy).all() {
		return failf(StrictOrder, "%v and %v supersede each other", s.issued[i].update.Dot, u.update.Dot)
	}
	return s.transitive(id)
}

// transitive checks every c ▷ a ▷ b in which id is one of the three.
func (s *sim[M]) transitive(id int) *Failure {
	check := func(c, a int) *Failure {
		for b := range (s.issued[a].beats &^ s.issued[c].beats).all() {
			dot := func(i int) string { return s.issued[i].update.Dot.String() }
			return failf(StrictOrder, "%s supersedes %s, and %[2]s supersedes %[3]s, but %[1]s does not supersede %[3]s:\n"+
				"a node that has never seen %[2]s would keep %[3]s", dot(c), dot(a), dot(b))
		}
		return nil
	}
	u := s.issued[id]
	for a := range u.beats.all() {
		if f := check(id, a); f != nil {
			return f
		}
	}
	for c := range u.beatenBy.all() {
		if f := check(c, id); f != nil {
			return f
		}
		for d := range s.issued[c].beatenBy.all() {
			if f := check(d, c); f != nil {
				return f
			}
		}
	}
	return nil
}

// laws checks everything that is about the updates of a history, not about
// who wrote them when; last, what the replicas showed on the way.
func (s *sim[M]) laws() *Failure {
	for range s.tries {
		for _, law := range []func() *Failure{
			s.determinism, s.convergence, s.compaction, s.truncation, s.idempotence, s.removal, s.expiry,
		} {
			if f := law(); f != nil {
				return f
			}
		}
	}
	for _, r := range s.readings {
		if f := s.compare(r.calls, r.retained, r.value, Truncation); f != nil {
			return s.blameWriter(r, f)
		}
	}
	return nil
}

// blameWriter looks whether a replica showed what a model with the same calls
// does not show: then it is the writing that left something behind.
func (s *sim[M]) blameWriter(r reading, f *Failure) *Failure {
	sub, other := s.feed(r.calls)
	if other != nil {
		return other
	}
	v, other := s.value(sub)
	if other != nil {
		return other
	}
	if reflect.DeepEqual(v, r.value) {
		return s.blame(f)
	}
	return failf(Convergence, "a replica was %s\n%s, as of another model with the same calls:\n"+
		"a write must not change the model but by its updates", s.story(r.calls), gotWant(r.value, v))
}

// determinism: two models with the same calls show the same, however often they
// are read.
func (s *sim[M]) determinism() *Failure {
	var first any
	for i := range 2 {
		sub, f := s.feed(s.inOrder(s.everything()))
		if f != nil {
			return f
		}
		for j := range 2 {
			v, f := s.value(sub)
			if f != nil {
				return f
			}
			if i+j == 0 {
				first = v
			} else if !reflect.DeepEqual(v, first) {
				how := "another model with the same calls"
				if i == 0 {
					how = "read once more"
				}
				return failf(Determinism, "%s, %s\n%s", s.story(sub.calls), how, gotWant(v, first))
			}
		}
	}
	return nil
}

// convergence: any order that keeps each replica's own.
func (s *sim[M]) convergence() *Failure {
	return s.check(s.shuffled(s.everything()), Convergence)
}

// compaction: updates that something else in the set supersedes may be missing.
func (s *sim[M]) compaction() *Failure {
	kept := s.everything()
	for id := range kept.all() {
		if s.issued[id].beatenBy != 0 && s.rng.IntN(2) == 0 {
			kept &^= only(id)
		}
	}
	return s.check(s.shuffled(kept), Convergence)
}

// truncation: of each replica any prefix, whatever its writers had seen; only
// Deps are respected, as engines respect them.
func (s *sim[M]) truncation() *Failure {
	return s.blame(s.check(s.shuffled(s.prefix()), Truncation))
}

// blame looks for the same failure in a complete set: the law of truncation is
// for models that need truncation to fail.
func (s *sim[M]) blame(f *Failure) *Failure {
	if f == nil || f.Law != Truncation {
		return f
	}
	for range 10 * s.tries {
		if complete := s.convergence(); complete != nil {
			return complete
		}
	}
	return f
}

// idempotence: updates come again, at once or long after, retained or not.
func (s *sim[M]) idempotence() *Failure {
	var calls []call
	for _, c := range s.shuffled(s.prefix()) {
		calls = append(calls, c)
		for s.rng.IntN(2) == 0 {
			calls = append(calls, call{calls[s.rng.IntN(len(calls))].id, again})
		}
	}
	return s.blame(s.check(calls, Truncation))
}

// removal: Discard undoes an update, and nothing else.
func (s *sim[M]) removal() *Failure {
	sub, f := s.feed(s.shuffled(s.everything()))
	if f != nil || sub.retained == 0 {
		return f
	}
	complete := sub.retained
	if f := s.shows(sub, Convergence); f != nil {
		return f
	}
	for id := range s.leaves(complete).all() {
		if s.issued[id].update.IsTombstone() {
			if f := s.collect(complete, id); f != nil {
				return f
			}
		}
	}
	one := s.pick(s.leaves(complete))
	if f := s.remove(sub, one); f != nil {
		return f
	}
	if f := s.shows(sub, Removal); f != nil {
		return f
	}
	if f := s.apply(sub, one, clone(s.issued[one].update), applied); f != nil {
		return f
	}
	if f := s.shows(sub, Removal); f != nil {
		return f
	}
	for sub.retained != 0 {
		if f := s.remove(sub, s.pick(s.leaves(sub.retained))); f != nil {
			return f
		}
	}
	if f := s.shows(sub, Removal); f != nil {
		return f
	}
	for _, c := range s.shuffled(s.everything()) { // nothing is left behind that this could hit
		if f := s.apply(sub, c.id, clone(s.issued[c.id].update), applied); f != nil {
			return f
		}
	}
	return s.shows(sub, Removal)
}

// collect checks that a tombstone's removal does not show: nodes collect it at
// different times (R8).
func (s *sim[M]) collect(retained set, id int) *Failure {
	with, f := s.want(retained)
	if f != nil {
		return f
	}
	without, f := s.want(retained &^ only(id))
	if f != nil || reflect.DeepEqual(with, without) {
		return f
	}
	return failf(Removal, "%s\nits value must stay when the tombstone %v is collected\n%s",
		s.story(s.inOrder(retained)), s.issued[id].update.Dot, gotWant(without, with))
}

// check feeds a model and compares what it shows with what a fresh model shows
// that was only given what this one retains.
func (s *sim[M]) check(calls []call, law Law) *Failure {
	sub, f := s.feed(calls)
	if f != nil {
		return f
	}
	v, f := s.value(sub)
	if f != nil {
		return f
	}
	return s.compare(sub.calls, sub.retained, v, law)
}

// compare holds a value against that of the retained updates alone. If it
// differs, the law to blame is the one whose disturbance makes the difference:
// repetition, superseded updates, else order.
func (s *sim[M]) compare(calls []call, retained set, value any, law Law) *Failure {
	want, f := s.want(retained)
	if f != nil || reflect.DeepEqual(value, want) {
		return f
	}
	fail := failf(law, "%s\n%s, as of %s, which retains the same",
		s.story(calls), gotWant(value, want), s.story(s.inOrder(retained)))
	for _, cause := range []struct {
		law  Law
		drop func(call) bool
	}{
		{Idempotence, func(c call) bool { return c.kind == again }},
		{Supersession, func(c call) bool { return c.kind == again || !retained.has(c.id) }},
	} {
		sub, f := s.feed(slices.DeleteFunc(slices.Clone(calls), cause.drop))
		if f != nil {
			return f
		}
		if v, f := s.value(sub); f != nil {
			return f
		} else if reflect.DeepEqual(v, want) {
			fail.Law = cause.law
			break
		}
	}
	return fail
}

// shows is compare for a model after Discard.
func (s *sim[M]) shows(sub *subject[M], law Law) *Failure {
	v, f := s.value(sub)
	if f != nil {
		return f
	}
	if law != Removal {
		return s.compare(sub.calls, sub.retained, v, law)
	}
	want, f := s.want(sub.retained)
	if f != nil || reflect.DeepEqual(v, want) {
		return f
	}
	return failf(law, "%s\n%s, as of %s", s.story(sub.calls), gotWant(v, want), s.story(s.inOrder(sub.retained)))
}

// want returns the value of a fresh model that was given just these updates.
func (s *sim[M]) want(ids set) (any, *Failure) {
	if v, ok := s.wants[ids]; ok {
		return v, nil
	}
	sub, f := s.feed(s.inOrder(ids))
	if f != nil {
		return nil, f
	}
	v, f := s.value(sub)
	s.wants[ids] = v
	return v, f
}

// feed returns a fresh model after some calls of Apply.
func (s *sim[M]) feed(calls []call) (*subject[M], *Failure) {
	sub, f := s.subject()
	if f != nil {
		return nil, f
	}
	for _, c := range calls {
		if f := s.apply(sub, c.id, clone(s.issued[c.id].update), c.kind); f != nil {
			return nil, f
		}
	}
	return sub, nil
}
