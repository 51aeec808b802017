package model_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
	"github.com/insecure-scuttlebutt/scuttlebutt/model/modeltest"
)

func TestRegisterKeepsTheLaws(t *testing.T) {
	t.Parallel()
	names := []string{"", "a"}
	modeltest.Check(t, modeltest.Config[*model.Register[int]]{
		New: func() *model.Register[int] { return new(model.Register[int]) },
		Write: func(rng *rand.Rand, m *model.Register[int]) error {
			ctx, name, v := context.Background(), names[rng.IntN(len(names))], rng.IntN(4)
			n := 1
			switch rng.IntN(5) {
			case 0:
				n = 0
				if err := m.Delete(ctx, name); err != nil {
					return err
				}
			case 1:
				n = min(len(m.Values(name)), 1)
				if err := m.Resolve(ctx, name, slices.Max[[]int]); err != nil {
					return err
				}
			default:
				if err := m.Set(ctx, name, v); err != nil {
					return err
				}
				if got, ok := m.Get(name); !ok || got != v {
					return fmt.Errorf("%q is %d, %t after Set to %d", name, got, ok, v)
				}
			}
			if got := m.Values(name); len(got) != n {
				return fmt.Errorf("%q has %v, want %d values", name, got, n)
			}
			return nil
		},
		Value: func(m *model.Register[int]) any { return []any{m.Len(), maps.Collect(m.All())} },
		Cases: *lawCases, Seed: *lawSeed,
	})
}

// The values are those that no write known has seen, directly or not.
func TestRegisterAgainstObvious(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		c := newCrowd(t, seed, func() model.Handle { return new(model.Register[int]) })
		value, next := map[clock.Dot]int{}, 0
		for step := range 40 {
			h := c.step(func(h *host) error {
				m := h.model.(*model.Register[int])
				if next++; c.rng.IntN(5) == 0 {
					return m.Delete(t.Context(), "r")
				}
				return m.Set(t.Context(), "r", next)
			}, func(u *model.Update) {
				if value[u.Dot] = next; u.IsTombstone() {
					value[u.Dot] = 0
				}
			})
			gone := c.gone(h, func(clock.Dot) bool { return true })
			var want, got []int
			for dot := range c.known[h] {
				if !gone[dot] && value[dot] > 0 {
					want = append(want, value[dot])
				}
			}
			for _, s := range h.model.(*model.Register[int]).Values("r") {
				got = append(got, s.Value)
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d: %v, want %v", seed, step, got, want)
			}
		}
	}
}

// Values come with who wrote them and when, the newest first, equal ones once.
func TestRegisterValues(t *testing.T) {
	t.Parallel()
	var m model.Register[string]
	h := attach(&m)
	ctx := t.Context()
	for i, v := range []string{"old", "same", "new", "same"} {
		h.receive(update(string(rune('b'+i)), 1, clock.Timestamp(i+1), "r", v))
	}
	want := []model.Sibling[string]{
		{"same", clock.Replica{Node: "e", Epoch: 1}, 4}, {"new", clock.Replica{Node: "d", Epoch: 1}, 3}, {"old", clock.Replica{Node: "b", Epoch: 1}, 1},
	}
	if got := m.Values("r"); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	join := func(all []string) string {
		if !slices.Equal(all, []string{"same", "new", "old"}) {
			t.Errorf("Resolve of %q", all)
		}
		return "joined"
	}
	if err := m.Resolve(ctx, "r", join); err != nil {
		t.Fatal(err)
	}
	n := len(h.log)
	if v, ok := m.Get("r"); !ok || v != "joined" || len(m.Values("r")) != 1 {
		t.Errorf("got %v after Resolve", m.Values("r"))
	}
	if err := m.Resolve(ctx, "r", join); err != nil || len(h.log) != n {
		t.Errorf("Resolve of one value: %v, %d writes", err, len(h.log)-n)
	}
	if err := m.TrySet(ctx, "q", "x"); err != nil || h.waits || m.Len() != 2 {
		t.Errorf("TrySet = %v, waits: %t, %d registers", err, h.waits, m.Len())
	}
}

func TestRegisterDetached(t *testing.T) {
	t.Parallel()
	var m model.Register[string]
	for _, err := range []error{
		m.Set(t.Context(), "r", "x"), m.Delete(t.Context(), "r"),
		m.Resolve(t.Context(), "r", func([]string) string { return "" }),
	} {
		if !errors.Is(err, model.ErrDetached) {
			t.Errorf("got %v", err)
		}
	}
	for range m.Watch(t.Context(), model.WatchConfig{State: true}) {
		t.Error("a detached register shows a change")
	}
	if _, ok := m.Get("r"); ok || m.Len() != 0 || len(maps.Collect(m.All())) != 0 {
		t.Error("a detached register is not empty")
	}
	if h := attach(&m); m.Bind(h) == nil {
		t.Error("bound twice")
	}
}

func TestRegisterWatch(t *testing.T) {
	t.Parallel()
	var m model.Register[string]
	h := attach(&m)
	ctx := t.Context()
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(m.Set(ctx, "x", "1"))
	do(m.Set(ctx, "y", "1"))
	var got []string
	for c := range m.Watch(ctx, model.WatchConfig{State: true}) {
		line := c.Name
		for _, s := range c.Values {
			line += " " + s.Value
		}
		got = append(got, fmt.Sprint(line, c.More))
		if len(got) == 2 {
			h.receive(update("b", 1, h.hlc.Last()+1, "x", "2"))
			do(m.Set(ctx, "z", "3"))
			do(m.Delete(ctx, "z"))
			do(m.Delete(ctx, "y"))
		}
	}
	if want := []string{"x 1true", "y 1false", "x 2 1true", "yfalse"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
