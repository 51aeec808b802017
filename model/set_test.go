package model_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
	"github.com/insecure-scuttlebutt/scuttlebutt/model/modeltest"
)

func TestSetKeepsTheLaws(t *testing.T) {
	t.Parallel()
	names, elems := []string{"", "a"}, []string{"", "x", "y"}
	modeltest.Check(t, modeltest.Config[*model.Set[string]]{
		New: func() *model.Set[string] { return new(model.Set[string]) },
		Write: func(rng *rand.Rand, m *model.Set[string]) error {
			ctx, name, elem := context.Background(), names[rng.IntN(len(names))], elems[rng.IntN(len(elems))]
			want := rng.IntN(3) > 0
			do := m.Remove
			if want {
				do = m.Add
			} else if rng.IntN(4) == 0 {
				do = func(ctx context.Context, set string, _ ...string) error { return m.Clear(ctx, set) }
			}
			if err := do(ctx, name, elem); err != nil {
				return err
			}
			if got := m.Contains(name, elem); got != want {
				return fmt.Errorf("%q in %q: %t, want %t", elem, name, got, want)
			}
			return nil
		},
		Value: func(m *model.Set[string]) any { return sets(m) },
		Cases: *lawCases, Seed: *lawSeed,
	})
}

// sets returns everything that a set shows.
func sets(m *model.Set[string]) map[string][]string {
	all := map[string][]string{}
	for _, name := range slices.AppendSeq([]string{"", "a"}, m.Names()) {
		all[name] = slices.Collect(m.All(name))
		if n := m.Len(name); n != len(all[name]) {
			panic(fmt.Sprintf("Len of %q is %d: %q", name, n, all[name]))
		}
		for _, elem := range all[name] {
			if !m.Contains(name, elem) {
				panic(fmt.Sprintf("%q is not in %q", elem, name))
			}
		}
	}
	return all
}

// An element is there if some add of it has been seen by no delete.
func TestSetAgainstObvious(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		c := newCrowd(t, seed, func() model.Handle { return new(model.Set[string]) })
		adds := map[clock.Dot]bool{}
		for step := range 40 {
			h := c.step(func(h *host) error {
				m := h.model.(*model.Set[string])
				if c.rng.IntN(3) == 0 {
					return m.Remove(t.Context(), "s", "x")
				}
				return m.Add(t.Context(), "s", "x")
			}, func(u *model.Update) { adds[u.Dot] = !u.IsTombstone() })
			gone, want := c.gone(h, func(d clock.Dot) bool { return !adds[d] }), false
			for dot := range c.known[h] {
				want = want || adds[dot] && !gone[dot]
			}
			if got := h.model.(*model.Set[string]).Contains("s", "x"); got != want {
				t.Fatalf("seed %d, step %d: %t, want %t", seed, step, got, want)
			}
		}
	}
}

// Elements need not be strings; several are written in one step.
func TestSetOfStructs(t *testing.T) {
	t.Parallel()
	type point struct{ X, Y int }
	var m model.Set[point]
	h := attach(&m)
	ctx := t.Context()
	if err := m.TryAdd(ctx, "p", point{1, 2}, point{3, 4}, point{1, 2}); err != nil || h.waits {
		t.Fatalf("TryAdd = %v, waits: %t", err, h.waits)
	}
	if len(h.log) != 2 || m.Len("p") != 2 || !m.Contains("p", point{3, 4}) || m.Contains("p", point{4, 3}) || m.Contains("q", point{1, 2}) {
		t.Errorf("%d updates, %d elements", len(h.log), m.Len("p"))
	}
	if err := m.Remove(ctx, "p", point{4, 3}); err != nil || len(h.log) != 2 {
		t.Errorf("Remove of nothing = %v, %d updates", err, len(h.log))
	}
	if err := m.Clear(ctx, "p"); err != nil || len(h.log) != 4 || m.Len("p") != 0 || len(slices.Collect(m.Names())) != 0 {
		t.Errorf("Clear = %v, %d updates, %d elements", err, len(h.log), m.Len("p"))
	}
}

// What nobody writes may still arrive: it shows nothing, and stops nothing.
func TestSetOddUpdates(t *testing.T) {
	t.Parallel()
	var m model.Set[int]
	h := attach(&m)
	for i, key := range [][]byte{nil, {5}, {0x80}, {1, 'p', 0xc1}, {0}} {
		u := &model.Update{Dot: clock.Dot{Replica: clock.Replica{Node: "b"}, Version: clock.Version(i + 1)}, Key: key}
		if e := h.receive(u); e.Redundant || len(e.Superseded) > 0 {
			t.Errorf("Apply(%x) = %+v", key, e)
		}
		defer m.Discard(u)
	}
	if got := slices.Collect(m.All("p")); len(got) != 0 || m.Len("p") != 1 {
		t.Errorf("got %v, %d elements", got, m.Len("p"))
	}
}

func TestSetDetached(t *testing.T) {
	t.Parallel()
	var m model.Set[string]
	for _, err := range []error{m.Add(t.Context(), "s", "x"), m.Remove(t.Context(), "s", "x"), m.Clear(t.Context(), "s")} {
		if !errors.Is(err, model.ErrDetached) {
			t.Errorf("got %v", err)
		}
	}
	for range m.Watch(t.Context(), model.WatchConfig{State: true}) {
		t.Error("a detached set shows a change")
	}
	if m.Contains("s", "x") || m.Len("s") != 0 || len(slices.Collect(m.All("s"))) != 0 || len(slices.Collect(m.Names())) != 0 {
		t.Error("a detached set is not empty")
	}
	if h := attach(&m); m.Bind(h) == nil {
		t.Error("bound twice")
	}
}

// A watch shows elements, not writes: what is added again, or deleted by one who has
// not seen the latest add, is no change.
func TestSetWatch(t *testing.T) {
	t.Parallel()
	var m, other model.Set[string]
	h, o := attach(&m), attach(&other)
	o.replica.Node = "b"
	ctx := t.Context()
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(m.Add(ctx, "xs", "1", "2"))
	do(m.Add(ctx, "ys", "1"))
	do(other.Add(ctx, "xs", "1"))
	var got []model.SetChange[string]
	for c := range m.Watch(ctx, model.WatchConfig{Prefix: "x", State: true}) {
		got = append(got, c)
		if len(got) == 2 {
			h.receive(o.log[0])
			do(other.Remove(ctx, "xs", "1"))
			h.receive(o.log[1])
			do(m.Remove(ctx, "xs", "2"))
			do(m.Add(ctx, "xs", "3"))
			do(m.Remove(ctx, "xs", "3"))
			do(m.Add(ctx, "xs", "4", "5"))
			do(m.Add(ctx, "ys", "2"))
		}
	}
	want := []model.SetChange[string]{
		{Set: "xs", Elem: "1", More: true}, {Set: "xs", Elem: "2"},
		{Set: "xs", Elem: "2", Deleted: true, More: true}, {Set: "xs", Elem: "4", More: true}, {Set: "xs", Elem: "5"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// stableHost is a host that knows what all have.
type stableHost struct {
	*host
	stable clock.Timestamp
}

func (h *stableHost) Stable() clock.Timestamp { return h.stable }

// What an update had seen is left out once everybody has the update, not before: until
// then somebody may have what it replaced, and never get it.
func TestSetLeavesOutWhatIsStable(t *testing.T) {
	t.Parallel()
	a, b := attach(new(model.Set[string])), attach(new(model.Set[string]))
	b.replica.Node = "b"
	var m model.Set[string]
	c := &stableHost{host: attach(new(model.Map[int]))}
	c.replica.Node, c.model = "c", &m
	if err := m.Bind(c); err != nil {
		t.Fatal(err)
	}
	add := func(h *host) *model.Update {
		t.Helper()
		if err := h.model.(*model.Set[string]).Add(t.Context(), "s", "x"); err != nil {
			t.Fatal(err)
		}
		return h.log[len(h.log)-1]
	}
	first := add(a)
	b.receive(first)
	second := add(b)
	for _, tt := range []struct {
		stable clock.Timestamp
		want   string
	}{{0, "{a/1:1 b/1:1}"}, {first.Time, "{a/1:1 b/1:1}"}, {second.Time - 1, "{a/1:1 b/1:1}"}, {second.Time, "{b/1:1}"}} {
		c.receive(first)
		c.receive(second)
		c.stable = tt.stable
		third := add(c.host)
		if got := third.Context.String(); got != tt.want {
			t.Errorf("stable up to %v: context %s, want %s", tt.stable, got, tt.want)
		}
		c.remove(third) // as it was
	}
}

// However often 10 nodes write to an element, its context has a component for each.
func TestSetContextOfTenWriters(t *testing.T) {
	t.Parallel()
	var hosts []*host
	for i := range 10 {
		h := attach(new(model.Set[string]))
		h.replica.Node = fmt.Sprint("n", i)
		hosts = append(hosts, h)
	}
	for range 5 {
		for _, h := range hosts {
			if err := h.model.(*model.Set[string]).Add(t.Context(), "s", "x"); err != nil {
				t.Fatal(err)
			}
			u := h.log[len(h.log)-1]
			if n := u.Context.Len(); n > 10 || u.Version > 1 && n != 10 {
				t.Fatalf("context %v, want the 10 that wrote", u.Context)
			}
			for _, o := range hosts {
				if o != h {
					o.receive(u)
				}
			}
		}
	}
}
