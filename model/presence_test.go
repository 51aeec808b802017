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

// Drafts are withdrawals of anybody by anybody.
func TestPresenceKeepsTheLaws(t *testing.T) {
	t.Parallel()
	modeltest.Check(t, modeltest.Config[*model.Presence[int]]{
		New: func() *model.Presence[int] { return new(model.Presence[int]) },
		Write: func(rng *rand.Rand, m *model.Presence[int]) error {
			ctx, n := context.Background(), m.Len()
			switch v := rng.IntN(9); v {
			case 0:
				if err := m.Delete(ctx); err != nil {
					return err
				}
				if m.Len() > n {
					return fmt.Errorf("%d nodes of %d after Delete", m.Len(), n)
				}
			case 1:
				return m.Tend(ctx)
			default:
				if err := m.Set(ctx, v); err != nil {
					return err
				}
			}
			return nil
		},
		Drafts: func(rng *rand.Rand, _ *model.Presence[int]) []model.Draft {
			return []model.Draft{{
				Key: []byte{"ab"[rng.IntN(2)]}, Kind: model.Tombstone, Value: []byte{byte(rng.IntN(3)), byte(rng.IntN(4))},
			}}
		},
		Value: func(m *model.Presence[int]) any { return []any{m.Len(), maps.Collect(m.All())} },
		Cases: *lawCases, Seed: *lawSeed,
	})
}

// of is a value that another node sets.
func of(node string, epoch uint64, v clock.Version, value string) *model.Update {
	return &model.Update{Dot: clock.Dot{Replica: clock.Replica{Node: node, Epoch: epoch}, Version: v}, Time: clock.Timestamp(v), Value: []byte(value)}
}

// What a node does in a later life counts, whatever the clocks say.
func TestPresenceLaterLife(t *testing.T) {
	t.Parallel()
	var m model.Presence[string]
	h := attach(&m)
	h.receive(of("b", 1, 900, "old"))
	h.receive(of("b", 2, 1, "new"))
	if e := h.receive(of("b", 1, 901, "older")); !e.Redundant {
		t.Errorf("an update of an earlier life has the effect %+v", e)
	}
	if v, ok := m.Get("b"); !ok || v != "new" || m.Len() != 1 {
		t.Errorf("b is %q, %t", v, ok)
	}
}

// A value is shown while its node is there.
func TestPresenceHides(t *testing.T) {
	t.Parallel()
	var m model.Presence[string]
	h := attachMember(&m)
	h.receive(of("b", 1, 1, "x"))
	for _, tt := range []struct {
		standing model.Standing
		want     bool
	}{{model.Present, true}, {model.Absent, false}, {model.Removed, false}, {model.Present, true}} {
		h.move("b", tt.standing)
		_, ok := m.Get("b")
		all := maps.Collect(m.All())
		if ok != tt.want || len(all) != m.Len() || m.Len() == 1 != tt.want {
			t.Errorf("standing %d: shown: %t, all %v, Len %d", tt.standing, ok, all, m.Len())
		}
	}
}

// Who is gone for good is withdrawn, once, by the first of those present; who returns
// sets its value again.
func TestPresenceTend(t *testing.T) {
	t.Parallel()
	var m, other model.Presence[string]
	h, o := attachMember(&m), attachMember(&other)
	o.replica.Node = "b"
	ctx := t.Context()
	tend := func(m *model.Presence[string], h *memberHost, want int) {
		t.Helper()
		n := len(h.log)
		for range 2 { // the second time there is nothing left to do
			if err := m.Tend(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if len(h.log)-n != want {
			t.Fatalf("%d updates written, want %d", len(h.log)-n, want)
		}
	}
	if err := other.Set(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	value := o.log[0]
	h.receive(value)
	tend(&m, h, 0)
	h.move("b", model.Absent)
	tend(&m, h, 0)
	h.move("b", model.Removed)
	tend(&m, h, 0) // somebody else is the first
	h.first = true
	tend(&m, h, 1)
	h.move("b", model.Present)
	if _, ok := m.Get("b"); ok {
		t.Error("a value is shown that was withdrawn")
	}
	if e := h.receive(value); !e.Redundant {
		t.Errorf("what was withdrawn comes back: %+v", e)
	}
	o.receive(h.log[len(h.log)-2])
	if _, ok := other.Get("b"); ok {
		t.Error("a node shows its own value, which was withdrawn")
	}
	tend(&other, o, 1)
	h.receive(o.log[len(o.log)-1])
	if v, ok := m.Get("b"); !ok || v != "x" {
		t.Errorf("the node that returned is %q, %t", v, ok)
	}
	// It deletes its value: that stays so.
	if err := errors.Join(other.Delete(ctx), other.Delete(ctx)); err != nil {
		t.Fatal(err)
	}
	tend(&other, o, 0)
	if _, ok := other.Get("b"); ok {
		t.Error("shown after Delete")
	}
}

// A node that starts again withdraws what it was, and sets nothing by itself.
func TestPresenceNewLife(t *testing.T) {
	t.Parallel()
	var m model.Presence[string]
	h := attachMember(&m)
	h.replica.Epoch = 5
	h.receive(of("a", 4, 7, "old"))
	if err := m.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := m.Get("a"); ok || len(h.log) != 2 {
		t.Errorf("shown: %t, %d updates", ok, len(h.log))
	}
	// A life that is later still is not withdrawn: this one is about to end.
	h.receive(of("a", 6, 1, "newer"))
	if err := m.Tend(t.Context()); err != nil || len(h.log) != 3 {
		t.Errorf("Tend = %v, %d updates", err, len(h.log))
	}
}

func TestPresenceDetached(t *testing.T) {
	t.Parallel()
	var m model.Presence[string]
	for _, err := range []error{m.Set(t.Context(), "x"), m.Delete(t.Context()), m.Tend(t.Context())} {
		if !errors.Is(err, model.ErrDetached) {
			t.Errorf("got %v", err)
		}
	}
	for range m.Watch(t.Context(), model.WatchConfig{State: true}) {
		t.Error("a detached presence shows a change")
	}
	if _, ok := m.Get("a"); ok || m.Len() != 0 || len(maps.Collect(m.All())) != 0 {
		t.Error("a detached presence is not empty")
	}
	h := attach(&m)
	if err := m.TrySet(t.Context(), "x"); err != nil || h.waits {
		t.Errorf("TrySet = %v, waits: %t", err, h.waits)
	}
	if m.Bind(h) == nil || new(model.Presence[int]).Bind(struct{ model.Host }{h}) == nil {
		t.Error("bound twice, or to a host that is nobody")
	}
}

func TestPresenceWatch(t *testing.T) {
	t.Parallel()
	var m model.Presence[string]
	h := attachMember(&m)
	if err := m.Set(t.Context(), "me"); err != nil {
		t.Fatal(err)
	}
	h.move("c", model.Absent)
	h.receive(of("b", 1, 1, "x"))
	h.receive(of("c", 1, 1, "y"))
	var got []string
	for c := range m.Watch(t.Context(), model.WatchConfig{State: true}) {
		got = append(got, fmt.Sprintf("%s %q %t, was %q %t, more %t", c.Node, c.Value, c.Gone, c.Old, c.Existed, c.More))
		if len(got) == 2 {
			h.move("c", model.Present)
			h.move("b", model.Absent)
			h.receive(of("b", 1, 2, "z"))
			h.move("a", model.Present)
			h.receive(of("d", 1, 1, "d"))
			h.move("d", model.Removed)
		}
		if len(got) == 4 {
			h.move("b", model.Present)
		}
	}
	want := []string{
		`a "me" false, was "" false, more true`, `b "x" false, was "" false, more false`,
		`c "y" false, was "" false, more true`, `b "" true, was "x" true, more false`,
		`b "z" false, was "" false, more false`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}
