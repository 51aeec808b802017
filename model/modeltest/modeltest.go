package modeltest

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Limits of one case: what its sets and its names of replicas can hold.
const (
	maxUpdates  = 64
	maxReplicas = 8
)

// Config says how to use a model of type M. New, Value and one of Write and
// Drafts are required. The functions are called from one goroutine, and what
// they do must follow from their arguments alone.
type Config[M model.Model] struct {
	// New returns a fresh model, a handle unattached. It is called often.
	New func() M

	// Write makes a random local write by calling m's own methods, for models
	// that are a [model.Handle]. It may read m first, and may do nothing. All
	// randomness comes from rng. An error fails the case.
	Write func(rng *rand.Rand, m M) error
	// Drafts returns a random local write as the updates to issue, computed from
	// what m shows at its writer; none means that nothing is written. With both
	// Write and Drafts set, writes are of either kind. A history has room for 64
	// updates; a write for which there is none is left out.
	Drafts func(rng *rand.Rand, m M) []model.Draft

	// Value returns everything that users can read from m, in a form that
	// reflect.DeepEqual can compare. It must not alias m's state, nor depend on the
	// order of a Go map.
	Value func(m M) any

	// Written, if set, checks that a write shows at its writer at once. It is
	// called after every local write with the updates that were issued; it returns
	// what is wrong.
	Written func(m M, updates []*model.Update) error

	Cases    int    // how many random histories; 0: 1,000
	Seed     uint64 // of the first history, the next has Seed+1; 0 is a seed like others
	Writes   int    // at most so many calls of Write or Drafts in a history; 0: 10
	Replicas int    // at most so many replicas in a history, 8 at most; 0: 4
}

// Validate returns an error that names the first unusable field.
func (c Config[M]) Validate() error {
	switch {
	case c.New == nil:
		return errors.New("modeltest: Config.New is missing")
	case c.Write == nil && c.Drafts == nil:
		return errors.New("modeltest: Config.Write or Config.Drafts is missing")
	case c.Value == nil:
		return errors.New("modeltest: Config.Value is missing")
	case c.Cases < 0:
		return fmt.Errorf("modeltest: Config.Cases is %d, want 0 or more", c.Cases)
	case c.Writes < 0:
		return fmt.Errorf("modeltest: Config.Writes is %d, want 0 or more", c.Writes)
	case c.Replicas < 0 || c.Replicas > maxReplicas:
		return fmt.Errorf("modeltest: Config.Replicas is %d, want 0 to %d", c.Replicas, maxReplicas)
	}
	if _, ok := any(c.New()).(model.Handle); !ok && c.Write != nil {
		return fmt.Errorf("modeltest: Config.Write needs a model.Handle, %T is none; use Config.Drafts", c.New())
	}
	return nil
}

func (c Config[M]) withDefaults() Config[M] {
	if c.Cases == 0 {
		c.Cases = 1000
	}
	if c.Writes == 0 {
		c.Writes = 10
	}
	if c.Replicas == 0 {
		c.Replicas = 4
	}
	return c
}

// Check tests a model against the laws and fails t with a shrunk history if one
// is broken. The report ends with the command that replays the case: Check looks
// for its seed at the end of the -run flag.
func Check[M model.Model](t testing.TB, cfg Config[M]) {
	t.Helper()
	if f := flag.Lookup("test.run"); f != nil {
		if seed, ok := replaySeed(f.Value.String()); ok {
			cfg.Seed, cfg.Cases = seed, 1
		}
	}
	err := Run(cfg)
	if err == nil {
		return
	}
	var failure *Failure
	if !errors.As(err, &failure) {
		t.Error(err)
		return
	}
	t.Errorf("%v\nreplay: go test -run '%s'", err, replayPattern(t.Name(), failure.Seed))
	if failure.rerun != nil {
		failure.rerun() // panics again, for its stack
	}
}

// Run is [Check] for callers without a test: it returns nil, a *[Failure] that
// says which law was broken, or an error about the configuration.
func Run[M model.Model](cfg Config[M]) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	cfg = cfg.withDefaults()
	issued := 0
	for i := range uint64(cfg.Cases) {
		p := newPlan(cfg.Seed+i, cfg.Replicas, cfg.Writes)
		s, f := runPlan(cfg, p, 1, false)
		if f != nil {
			return explain(cfg, p, f)
		}
		issued += len(s.issued)
	}
	if issued == 0 && cfg.Cases >= 10 {
		return fmt.Errorf("modeltest: nothing was written in %d histories", cfg.Cases)
	}
	return nil
}

// explain turns the failure of a plan into the report of a smaller one.
func explain[M model.Model](cfg Config[M], p plan, f *Failure) *Failure {
	law := f.Law
	for range 4 {
		if _, again := runPlan(cfg, p, 1, false); again == nil || again.Law != law {
			law = Determinism
		}
	}
	fails := func(p plan, tries int) bool {
		_, f := runPlan(cfg, p, tries, false)
		return f != nil && f.Law == law
	}
	small := p
	if fails(p, shrinkTries) { // nondeterminism may not show again
		small = shrink(p, fails)
	}
	s, final := runPlan(cfg, small, shrinkTries, true)
	if final == nil || final.Law != law {
		small = p
		s, final = runPlan(cfg, p, 1, true)
	}
	if final == nil || final.Law != law {
		f.Law = law
		f.Detail = "a history fails, but not every time it runs; once it was:\n" + f.Detail
		final = f
	}
	final.Seed, final.History, final.steps = p.seed, s.lines, len(p.steps)
	if final.Law == Totality {
		final.rerun = func() { _ = newSim(cfg, small, shrinkTries, false).run() }
	}
	return final
}

var replayed = regexp.MustCompile(`/\^?seed=([0-9]+)\$?$`)

// replaySeed finds the seed in the pattern of a -run flag.
func replaySeed(pattern string) (uint64, bool) {
	m := replayed.FindStringSubmatch(pattern)
	if m == nil {
		return 0, false
	}
	seed, err := strconv.ParseUint(m[1], 10, 64)
	return seed, err == nil
}

// replayPattern is the pattern of a -run flag that runs one case of a test.
func replayPattern(test string, seed uint64) string {
	var b strings.Builder
	for part := range strings.SplitSeq(test, "/") {
		b.WriteString("^" + regexp.QuoteMeta(part) + "$/")
	}
	return fmt.Sprintf("%s^seed=%d$", b.String(), seed)
}
