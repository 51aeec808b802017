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

// ledger is what was done to one counter, as updates: what each added, or had seen.
type ledger map[clock.Dot]struct {
	n    int64
	seen map[clock.Dot]bool // nil: it added
}

// value is the slow obvious counter: what was added, and no reset known has seen.
func (l ledger) value(known map[clock.Dot]bool) (sum int64) {
	gone := map[clock.Dot]bool{}
	for dot := range known {
		maps.Copy(gone, l[dot].seen)
	}
	for dot := range known {
		if !gone[dot] {
			sum += l[dot].n
		}
	}
	return sum
}

// A reset takes what its writer had seen, and nothing else, whoever added meanwhile,
// and however often nodes began anew; totals survive that.
func TestCounterAgainstObvious(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var nodes []*host
		known := map[*host]map[clock.Dot]bool{}
		begin := func(i int) {
			h := attach(new(model.Counter))
			h.replica = clock.Replica{Node: string(rune('a' + i)), Epoch: uint64(len(known) + 1)}
			known[h] = map[clock.Dot]bool{}
			nodes = slices.Insert(nodes, i, h)
		}
		for i := range 3 {
			begin(i)
		}
		log := ledger{}
		all := map[clock.Replica][]*model.Update{}
		for step := range 40 {
			i := rng.IntN(len(nodes))
			h := nodes[i]
			m := h.model.(*model.Counter)
			switch rng.IntN(8) {
			case 0, 1, 2:
				n := int64(rng.IntN(20) - 6)
				before := h.version
				if err := m.Add(t.Context(), "c", n); err != nil {
					t.Fatal(err)
				}
				if h.version > before {
					d := clock.Dot{Replica: h.replica, Version: h.version}
					log[d] = struct {
						n    int64
						seen map[clock.Dot]bool
					}{n: n}
					known[h][d] = true
					all[h.replica] = append(all[h.replica], h.log[len(h.log)-1])
				}
			case 3:
				before, seen := h.version, maps.Clone(known[h])
				for dot := range known[h] { // it stands for the resets before it, too
					maps.Copy(seen, log[dot].seen)
				}
				if err := m.Reset(t.Context(), "c"); err != nil {
					t.Fatal(err)
				}
				if h.version > before {
					d := clock.Dot{Replica: h.replica, Version: h.version}
					log[d] = struct {
						n    int64
						seen map[clock.Dot]bool
					}{seen: seen}
					known[h][d] = true
					all[h.replica] = append(all[h.replica], h.log[len(h.log)-1])
				}
			case 4:
				if rng.IntN(4) == 0 { // it starts again, empty
					nodes = slices.Delete(nodes, i, i+1)
					begin(i)
				}
			default: // what others wrote arrives, of each replica in order
				for _, r := range slices.SortedFunc(maps.Keys(all), clock.Replica.Compare) {
					us, have := all[r], 0
					for have < len(us) && known[h][us[have].Dot] {
						have++
					}
					for _, u := range us[have : have+rng.IntN(len(us)-have+1)] {
						h.receive(u)
						known[h][u.Dot] = true
					}
				}
			}
			if got, want := m.Value("c"), log.value(known[nodes[i]]); nodes[i] == h && got != want {
				t.Fatalf("seed %d, step %d: %d, want %d", seed, step, got, want)
			}
		}
	}
}

func TestCounterOverflow(t *testing.T) {
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
