package modeltest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// subject is a model under test, and what the laws say it must retain.
type subject[M model.Model] struct {
	model    M
	host     host
	retained set
	given    []given         // every update that the model was handed
	calls    []call          // what was called, for reports
	past     clock.Timestamp // it was told of what expires up to here
}

type given struct {
	update *model.Update
	id     int
}

type call struct {
	id   int
	kind callKind
}

type callKind uint8

const (
	applied callKind = iota
	again            // applied once more
	removed
	lapsed // it was told that the update has expired
)

// subject returns a fresh model, bound if it is a handle.
func (s *sim[M]) subject() (*subject[M], *Failure) {
	sub := &subject[M]{model: s.cfg.New()}
	if h, ok := any(sub.model).(model.Handle); ok {
		if err := h.Bind(&sub.host); err != nil {
			return nil, failf(Writing, "Bind of a fresh handle: %v", err)
		}
	}
	return sub, sub.host.check()
}

// apply hands the model an update and holds its answer against what Supersedes
// says: a law of its own for updates that it has had before.
func (s *sim[M]) apply(sub *subject[M], id int, u *model.Update, kind callKind) *Failure {
	law := Supersession
	switch {
	case kind == again:
		law = Idempotence
	case slices.ContainsFunc(sub.calls, func(c call) bool { return c.kind == removed }):
		law = Removal
	}
	s.current = sub
	sub.given = append(sub.given, given{u, id})
	if f := s.agree(sub, u, id); f != nil {
		return f
	}
	sub.calls = append(sub.calls, call{id, kind})
	if p, ok := any(sub.model).(model.Preparer); ok {
		p.Prepare(u)
	}
	effect := sub.model.Apply(u)
	if f := s.intact(sub, "Apply"); f != nil {
		return f
	}
	wrong := func(want string) *Failure {
		return failf(law, "%s\nthe last Apply returned %s\nwant %s", s.story(sub.calls), s.effect(effect), want)
	}
	switch is := &s.issued[id]; {
	case sub.retained.has(id):
		if effect.Redundant || len(effect.Superseded) > 0 {
			return wrong("the zero Effect: the update is retained already")
		}
	case sub.retained&is.beatenBy != 0:
		if !effect.Redundant || len(effect.Superseded) > 0 {
			return wrong("Redundant alone: superseded by " + s.names(sub.retained&is.beatenBy))
		}
	case effect.Redundant:
		return wrong("Redundant to be false: nothing retained supersedes the update")
	default:
		want := sub.retained & is.beats
		got, ok := s.superseded(effect)
		if !ok || got != want || len(effect.Superseded) != want.len() {
			return wrong("just these Superseded, each once: " + s.names(want))
		}
		sub.retained = sub.retained&^want | only(id)
	}
	return nil
}

// remove takes a retained update out of the model.
func (s *sim[M]) remove(sub *subject[M], id int) *Failure {
	s.current = sub
	sub.calls = append(sub.calls, call{id, removed})
	sub.model.Discard(sub.latest(id))
	sub.retained &^= only(id)
	return s.intact(sub, "Discard")
}

// latest returns the update that the model was given last under an id.
func (sub *subject[M]) latest(id int) *model.Update {
	for i := len(sub.given) - 1; i >= 0; i-- {
		if g := sub.given[i]; g.id == id {
			return g.update
		}
	}
	panic("modeltest: an update that the model was never given")
}

// agree asks this model, with its own copies of the updates, what a fresh one
// was asked when they were issued.
func (s *sim[M]) agree(sub *subject[M], u *model.Update, id int) *Failure {
	for _, g := range sub.given {
		for _, q := range [2]struct{ a, b given }{{given{u, id}, g}, {g, given{u, id}}} {
			if got := sub.model.Supersedes(q.a.update, q.b.update); got != s.issued[q.a.id].beats.has(q.b.id) {
				return failf(StrictOrder, "%s\nSupersedes(%v, %v) = %t here, %t on a fresh model: it must follow from the two updates alone",
					s.story(sub.calls), q.a.update.Dot, q.b.update.Dot, got, !got)
			}
		}
	}
	return s.intact(sub, "Supersedes")
}

// intact returns how a call changed an update.
func (s *sim[M]) intact(sub *subject[M], method string) *Failure {
	for _, g := range sub.given {
		if was := s.issued[g.id].update; !same(g.update, was) {
			return failf(Immutability, "%s\nthen %s changed an update\ngot  %s\nwant %s", s.story(sub.calls), method, describe(g.update), describe(was))
		}
	}
	return nil
}

// value reads the model.
func (s *sim[M]) value(sub *subject[M]) (any, *Failure) {
	s.current = sub
	v := s.cfg.Value(sub.model)
	if f := sub.host.check(); f != nil {
		return nil, f
	}
	if f := s.intact(sub, "Value"); f != nil {
		return v, f
	}
	return v, s.verified(sub)
}

// verified asks a model what it holds.
func (s *sim[M]) verified(sub *subject[M]) *Failure {
	v, ok := any(sub.model).(model.Verifier)
	if !ok {
		return nil
	}
	for _, g := range sub.given {
		if got := v.Verify(g.update); got != sub.retained.has(g.id) {
			return failf(Verification, "%s\nVerify(%v) = %t, want %t", s.story(sub.calls), g.update.Dot, got, !got)
		}
	}
	return s.intact(sub, "Verify")
}

// superseded returns what an effect names; false if it names something unknown.
func (s *sim[M]) superseded(e model.Effect) (set, bool) {
	var all set
	for _, u := range e.Superseded {
		if u == nil {
			return all, false
		}
		id, ok := s.byDot[u.Dot]
		if !ok {
			return all, false
		}
		all |= only(id)
	}
	return all, true
}

// story says what was done with a model.
func (s *sim[M]) story(calls []call) string {
	if len(calls) == 0 {
		return "a fresh model"
	}
	var b strings.Builder
	b.WriteString("a model with the calls")
	for _, c := range calls {
		verb := [...]string{applied: "Apply", again: "Apply", removed: "Discard", lapsed: "Expire"}[c.kind]
		fmt.Fprintf(&b, " %s(%v)", verb, s.issued[c.id].update.Dot)
	}
	return b.String()
}

func (s *sim[M]) effect(e model.Effect) string {
	dots := make([]string, len(e.Superseded))
	for i, u := range e.Superseded {
		if u == nil {
			dots[i] = "nil"
		} else {
			dots[i] = u.Dot.String()
		}
	}
	return fmt.Sprintf("{Redundant: %t, Superseded: %v}", e.Redundant, dots)
}

// names lists the updates of a set.
func (s *sim[M]) names(ids set) string {
	dots := make([]clock.Dot, 0, ids.len())
	for id := range ids.all() {
		dots = append(dots, s.issued[id].update.Dot)
	}
	return fmt.Sprint(dots)
}
