package modeltest_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
	"github.com/insecure-scuttlebutt/scuttlebutt/model/modeltest"
)

// perishable hides what has expired by the time of day at which it is read.
type perishable struct {
	register
	now func() clock.Timestamp
}

func (m *perishable) show() any {
	shown := map[string]string{}
	for key, u := range m.keys {
		if u.Time+3<<16 > m.now() {
			shown[key] = string(u.Value)
		}
	}
	return shown
}

// perishables have a clock that goes on while they are read.
func perishables() modeltest.Config[*perishable] {
	var now clock.Timestamp
	tick := func() clock.Timestamp { now += 1 << 14; return now % (9 << 16) }
	cfg := tables(func() *perishable { return &perishable{*newRegister(), tick} })
	cfg.Drafts = func(rng *rand.Rand, _ *perishable) []model.Draft {
		return []model.Draft{{Key: []byte("k"), Value: []byte{'a' + byte(rng.IntN(26))}}}
	}
	return cfg
}

// dots is a context of what was overwritten, without what that had overwritten.
func overwrittenDots(_ *values, overwritten []*model.Update) clock.Vector {
	var v clock.Vector
	for _, u := range overwritten {
		v.Merge(clock.NewVector([]clock.Entry{clock.Entry(u.Dot)}))
	}
	return v
}

// The mistakes of which the guide of package model warns break the laws that it says.
func TestMistakesOfTheGuide(t *testing.T) {
	for _, tt := range []struct {
		mistake string
		law     modeltest.Law
		run     func() error
	}{
		{"the order of arrival decides", modeltest.Convergence, run(tables(func() *arrival { return new(arrival) }))},
		{"equal timestamps are not told apart", modeltest.Supersession, run(tables(func() *ties { return &ties{*newRegister()} }))},
		{"an increment supersedes the one before", modeltest.Supersession, run(counters(func() *running { return &running{total: *newTotal()} },
			func(m *running) any { return m.n }, func(m *running) int { return 1 }))},
		{"a delete leaves no trace", modeltest.Supersession, run(tables(func() *forgetful { return &forgetful{*newRegister()} }))},
		{"a delete hides instead of superseding", modeltest.Removal, run(tables(func() *shadow { return new(shadow) }))},
		{"a context of overwritten dots alone", modeltest.StrictOrder, run(multi(overwrittenDots))},
		{"the engine's vector as a context", modeltest.StrictOrder, run(multi(func(m *values, _ []*model.Update) clock.Vector { return m.seen.Clone() }))},
		{"what has expired is hidden by the clock of its reader", modeltest.Determinism, run(perishables())},
	} {
		err := tt.run()
		var f *modeltest.Failure
		if !errors.As(err, &f) || f.Law != tt.law {
			t.Errorf("%s: got %v, want the law of %s broken", tt.mistake, err, tt.law)
		}
	}
}
