package modeltest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// space is the name of the space that a history is about.
const space = "modeltest"

// names of replicas; b has two incarnations, for a node's name does not tell
// replicas apart.
var names = [maxReplicas]clock.Replica{
	{Node: "a", Epoch: 1}, {Node: "b", Epoch: 1}, {Node: "b", Epoch: 2}, {Node: "c", Epoch: 1},
	{Node: "d", Epoch: 1}, {Node: "e", Epoch: 1}, {Node: "f", Epoch: 1}, {Node: "g", Epoch: 1},
}

// sim runs one history and checks the laws on what comes of it.
type sim[M model.Model] struct {
	cfg      Config[M]
	plan     plan
	tries    int // how many random orders each law is given
	rng      *rand.Rand
	arbiter  M // fresh for ever: it is only asked what supersedes what
	replicas []*replica[M]
	issued   []issued // everything written, in that order
	byDot    map[clock.Dot]int
	wants    map[set]any // values of fresh models given just these updates
	readings []reading
	current  *subject[M] // which had the last call, for a panic
	failed   *Failure    // of a write, which only its caller can return
	trace    bool
	lines    []string
}

// replica is a writer: a model, and the part of a node that the laws need.
type replica[M model.Model] struct {
	*subject[M]
	id      clock.Replica
	index   int
	own     []int // what it wrote, by version - 1
	known   [maxReplicas]int
	clock   clock.HLC
	now     time.Time
	written []int // by the current step
}

// issued is an update, and how it relates to the others.
type issued struct {
	update   *model.Update // as it was issued; no model gets hold of it
	asked    *model.Update // the arbiter's copy
	author   int
	beats    set // what it supersedes
	beatenBy set // what supersedes it
}

// reading is what a replica showed after a step.
type reading struct {
	calls    []call
	retained set
	value    any
}

// runPlan runs one history and checks all laws; a panic of the model is a
// failure like others.
func runPlan[M model.Model](cfg Config[M], p plan, tries int, trace bool) (s *sim[M], f *Failure) {
	s = newSim(cfg, p, tries, trace)
	defer func() {
		if v := recover(); v != nil {
			f = failf(Totality, "panic: %v", v)
			if s.current != nil {
				f.Detail = s.story(s.current.calls) + "\n" + f.Detail
			}
		}
	}()
	return s, s.run()
}

func newSim[M model.Model](cfg Config[M], p plan, tries int, trace bool) *sim[M] {
	return &sim[M]{
		cfg: cfg, plan: p, tries: tries, trace: trace,
		rng:   rand.New(rand.NewPCG(mix(p.seed), 1)),
		byDot: make(map[clock.Dot]int), wants: make(map[set]any),
	}
}

func (s *sim[M]) run() *Failure {
	s.arbiter = s.cfg.New()
	for i := range s.plan.replicas {
		sub, f := s.subject()
		if f != nil {
			return f
		}
		sub.host.self = names[i]
		s.replicas = append(s.replicas, &replica[M]{subject: sub, id: names[i], index: i})
	}
	for _, st := range s.plan.steps {
		r := s.replicas[st.at]
		step := s.deliver
		if st.write {
			step = s.write
		}
		if f := step(r, st); f != nil {
			return f
		}
		v, f := s.value(r.subject)
		if f != nil {
			return f
		}
		s.readings = append(s.readings, reading{r.calls[:len(r.calls):len(r.calls)], r.retained, v})
	}
	return s.laws()
}

// write lets a replica write, and checks that the write shows there.
func (s *sim[M]) write(r *replica[M], st step) *Failure {
	rng := rand.New(rand.NewPCG(mix(st.seed), 2))
	r.now, r.written = time.UnixMilli(st.millis), r.written[:0]
	r.host.issue = func(d []model.Draft) error { return s.issue(r, d) }
	var err error
	if s.cfg.Write == nil || s.cfg.Drafts != nil && rng.IntN(2) == 0 {
		if drafts := s.cfg.Drafts(rng, r.model); len(drafts) > 0 {
			err = s.issue(r, drafts)
		}
	} else {
		err = s.cfg.Write(rng, r.model)
	}
	r.host.issue = nil
	if s.failed != nil {
		return s.failed
	}
	if f := r.host.check(); f != nil {
		return f
	}
	if err != nil && !errors.Is(err, errFull) {
		return failf(Writing, "%s\nWrite: %v", s.story(r.calls), err)
	}
	if s.cfg.Written == nil || len(r.written) == 0 {
		return nil
	}
	updates := make([]*model.Update, len(r.written))
	for i, id := range r.written {
		updates[i] = clone(s.issued[id].update)
	}
	if err := s.cfg.Written(r.model, updates); err != nil {
		return failf(Writing, "%s\nWritten: %v", s.story(r.calls), err)
	}
	return r.host.check()
}

// issue makes updates of drafts as an engine does, and applies them at their
// writer. What breaks a law is kept in failed.
func (s *sim[M]) issue(r *replica[M], drafts []model.Draft) error {
	if len(s.issued)+len(drafts) > maxUpdates {
		return errFull
	}
	updates := make([]*model.Update, len(drafts))
	for i, d := range drafts {
		u := d.Update(clock.Dot{Replica: r.id, Version: clock.Version(len(r.own) + 1)}, r.clock.Next(r.now), space)
		for _, dep := range d.Deps {
			if !s.knows(r, dep) {
				s.failed = failf(Writing, "%s\nthe writer does not know what a draft depends on: %s", s.story(r.calls), describe(u))
				return errMisuse
			}
		}
		id := len(s.issued)
		updates[i] = u
		r.own = append(r.own, id)
		r.written = append(r.written, id)
		r.known[r.index] = len(r.own)
		s.byDot[u.Dot] = id
		s.issued = append(s.issued, issued{update: clone(u), asked: clone(u), author: r.index})
		s.note("%v writes %s", r.id, describe(u))
		if s.failed = s.relate(id); s.failed != nil {
			return errMisuse
		}
	}
	first := len(s.issued) - len(updates)
	for i, u := range updates {
		if s.failed = s.apply(r.subject, first+i, u, applied); s.failed != nil {
			return errMisuse
		}
	}
	return nil
}

// deliver gives a replica one batch: what the sender retains of an author up to
// a version, and of what it does not retain whatever left in time (R3).
func (s *sim[M]) deliver(r *replica[M], st step) *Failure {
	from := s.replicas[st.from]
	r.clock.Observe(from.clock.Last())
	var got, holes []string
	for r.known[st.author] < min(from.known[st.author], st.through) {
		id := s.replicas[st.author].own[r.known[st.author]]
		u := s.issued[id].update
		if slices.ContainsFunc(u.Deps.All(), func(d clock.Dot) bool { return !s.knows(r, d) }) {
			break
		}
		r.known[st.author]++
		if !from.retained.has(id) && st.late>>(u.Version%64)&1 == 0 {
			holes = append(holes, u.Dot.String())
			continue
		}
		got = append(got, u.Dot.String())
		if f := s.apply(r.subject, id, clone(u), applied); f != nil {
			s.note("%v receives from %v: %s", r.id, from.id, strings.Join(got, " "))
			return f
		}
	}
	if len(holes) > 0 {
		got = append(got, "and nothing for "+strings.Join(holes, " "))
	}
	if len(got) > 0 {
		s.note("%v receives from %v: %s", r.id, from.id, strings.Join(got, " "))
	}
	return nil
}

func (s *sim[M]) knows(r *replica[M], d clock.Dot) bool {
	id, ok := s.byDot[d]
	return ok && clock.Version(r.known[s.issued[id].author]) >= d.Version
}

func (s *sim[M]) note(format string, args ...any) {
	if s.trace {
		s.lines = append(s.lines, fmt.Sprintf(format, args...))
	}
}
