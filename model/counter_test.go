package model_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
	"github.com/insecure-scuttlebutt/scuttlebutt/model/modeltest"
)

func TestCounterKeepsTheLaws(t *testing.T) {
	t.Parallel()
	names := []string{"", "a"}
	modeltest.Check(t, modeltest.Config[*model.Counter]{
		New: func() *model.Counter { return new(model.Counter) },
		Write: func(rng *rand.Rand, m *model.Counter) error {
			ctx, name := context.Background(), names[rng.IntN(len(names))]
			before, n := m.Value(name), int64(rng.IntN(9)-3)
			if rng.IntN(4) == 0 {
				n = -before
				if err := m.Reset(ctx, name); err != nil {
					return err
				}
			} else if err := m.Add(ctx, name, n); err != nil {
				return err
			}
			if got := m.Value(name); got != before+n {
				return fmt.Errorf("%q is %d after %d and %d more", name, got, before, n)
			}
			return nil
		},
		// What nobody writes may still arrive.
		Drafts: func(rng *rand.Rand, m *model.Counter) []model.Draft {
			return []model.Draft{{Key: []byte("a"), Value: make([]byte, rng.IntN(4)), Kind: model.Kind(rng.IntN(2))}}
		},
		Value: func(m *model.Counter) any { return []any{m.Len(), maps.Collect(m.All())} },
		Cases: *lawCases, Seed: *lawSeed,
	})
}

// A reset takes what its writer had seen, and nothing else, whoever added meanwhile,
// and however often nodes began anew; totals survive that.
func TestCounterAgainstObvious(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		c := newCrowd(t, seed, func() model.Handle { return new(model.Counter) })
		added, n := map[clock.Dot]int64{}, int64(0)
		c.carries = func(d clock.Dot) bool { return added[d] == 0 } // resets do
		for step := range 40 {
			h := c.step(func(h *host) error {
				m := h.model.(*model.Counter)
				if n = int64(c.rng.IntN(20) - 6); c.rng.IntN(4) == 0 {
					n = 0
					return m.Reset(t.Context(), "c")
				}
				return m.Add(t.Context(), "c", n)
			}, func(u *model.Update) { added[u.Dot] = n })
			gone, want := c.gone(h, c.carries), int64(0)
			for dot := range c.known[h] {
				if !gone[dot] {
					want += added[dot]
				}
			}
			if got := h.model.(*model.Counter).Value("c"); got != want {
				t.Fatalf("seed %d, step %d: %d, want %d", seed, step, got, want)
			}
		}
	}
}

func TestCounterOverflow(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var here, there model.Counter
	a, b := attach(&here), attach(&there)
	b.replica.Node = "b"
	add := func(m *model.Counter, n int64, overflows bool) {
		t.Helper()
		if err := m.Add(ctx, "c", n); errors.Is(err, model.ErrOverflow) != overflows {
			t.Fatalf("Add(%d) = %v, overflow: %t", n, err, overflows)
		}
	}
	add(&here, math.MaxInt64, false)
	add(&here, 1, true)
	add(&there, 5, false)
	for _, u := range a.log {
		b.receive(u)
	}
	// Both did what each may do: the sum is out of range, and known exactly.
	if got := there.Value("c"); got != math.MaxInt64 {
		t.Errorf("Value = %d, want the largest int64", got)
	}
	add(&there, 1, true)
	add(&there, -3, false)
	if got := there.Value("c"); got != math.MaxInt64 {
		t.Errorf("Value = %d, want the largest int64", got)
	}
	add(&there, -4, false)
	if got := there.Value("c"); got != math.MaxInt64-2 {
		t.Errorf("Value = %d, want two less than the largest int64", got)
	}
	add(&there, math.MinInt64, false)
	add(&there, math.MinInt64, true)
	if got := there.Value("c"); got != -3 {
		t.Errorf("Value = %d, want -3", got)
	}
}

// One node adds until what it ever added does not fit 64 bits, though the value does.
func TestCounterTotalOverflow(t *testing.T) {
	t.Parallel()
	var m model.Counter
	attach(&m)
	for range 2 {
		for _, n := range []int64{math.MaxInt64, -math.MaxInt64} {
			if err := m.Add(t.Context(), "c", n); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := m.Add(t.Context(), "c", 2); !errors.Is(err, model.ErrOverflow) || m.Value("c") != 0 {
		t.Errorf("Add = %v, value %d, want an overflow and 0", err, m.Value("c"))
	}
}

func TestCounterWritesNothingNew(t *testing.T) {
	t.Parallel()
	var m model.Counter
	h := attach(&m)
	for _, f := range []func() error{
		func() error { return m.Reset(t.Context(), "c") },
		func() error { return m.Add(t.Context(), "c", 0) },
	} {
		if err := f(); err != nil || len(h.log) > 0 {
			t.Errorf("error %v, %d updates, want none", err, len(h.log))
		}
	}
	if err := m.TryAdd(t.Context(), "c", 1); err != nil || h.waits {
		t.Errorf("TryAdd = %v, waits: %t", err, h.waits)
	}
	for range 2 {
		if err := m.Reset(t.Context(), "c"); err != nil || len(h.log) != 2 {
			t.Errorf("error %v, %d updates, want one add and one reset", err, len(h.log))
		}
	}
}

func TestCounterDetached(t *testing.T) {
	t.Parallel()
	var m model.Counter
	if err := m.Add(t.Context(), "c", 1); !errors.Is(err, model.ErrDetached) {
		t.Errorf("Add = %v", err)
	}
	if err := m.Reset(t.Context(), "c"); !errors.Is(err, model.ErrDetached) {
		t.Errorf("Reset = %v", err)
	}
	for range m.Watch(t.Context(), model.WatchConfig{State: true}) {
		t.Error("a detached counter shows a change")
	}
	if m.Value("c") != 0 || m.Len() != 0 || len(maps.Collect(m.All())) != 0 {
		t.Error("a detached counter is not empty")
	}
	h := attach(&m)
	if err := m.Bind(h); err == nil {
		t.Error("bound twice")
	}
	if err := new(model.Counter).Bind(struct{ model.Host }{h}); err == nil {
		t.Error("bound to a host that is nobody")
	}
}

// A watch shows sums, not writes: what adds up to the same value is no change.
func TestCounterWatch(t *testing.T) {
	t.Parallel()
	var m model.Counter
	h := attach(&m)
	ctx := t.Context()
	add := func(name string, n int64) {
		t.Helper()
		if err := m.Add(ctx, name, n); err != nil {
			t.Fatal(err)
		}
	}
	add("x/a", 1)
	add("x/b", 2)
	add("y", 3)
	var got []model.CounterChange
	for c := range m.Watch(ctx, model.WatchConfig{Prefix: "x/", State: true}) {
		got = append(got, c)
		if len(got) == 2 {
			add("x/b", 5)
			add("x/a", 1)
			add("x/a", -1)
			add("x/c", 4)
			add("y", 1)
			if err := m.Reset(ctx, "x/b"); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := []model.CounterChange{
		{Name: "x/a", Value: 1, More: true}, {Name: "x/b", Value: 2},
		{Name: "x/c", Value: 4, More: true}, {Name: "x/b", Old: 2},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if len(h.watches) != 0 {
		t.Error("the watch left something behind")
	}
}
