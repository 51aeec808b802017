package model_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
	"github.com/insecure-scuttlebutt/scuttlebutt/model/modeltest"
)

// events are those of a log, in its order.
func events(m *model.Log[string]) []model.Event[string] { return slices.Collect(m.All()) }

func isSorted(all []model.Event[string]) bool {
	return slices.IsSortedFunc(all, func(a, b model.Event[string]) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), a.Replica.Compare(b.Replica))
	})
}

// Besides the laws: what was appended is the last, and a truncation leaves what it
// should. Drafts are events that are issued again, of any life of a node.
func TestLogKeepsTheLaws(t *testing.T) {
	t.Parallel()
	modeltest.Check(t, modeltest.Config[*model.Log[string]]{
		New: func() *model.Log[string] { return new(model.Log[string]) },
		Write: func(rng *rand.Rand, m *model.Log[string]) error {
			ctx, before := context.Background(), m.Len()
			switch rng.IntN(6) {
			case 0:
				keep := rng.IntN(4)
				if err := m.Truncate(ctx, keep); err != nil {
					return err
				}
				if m.Len() < min(before, keep) {
					return fmt.Errorf("%d events of %d left by Truncate(%d)", m.Len(), before, keep)
				}
			case 1:
				if err := m.TruncateBefore(ctx, time.UnixMilli(int64(rng.IntN(4)))); err != nil {
					return err
				}
			default:
				if err := m.Append(ctx, "x", "y"); err != nil {
					return err
				}
				all := events(m)
				if n := len(all); n != before+2 || all[n-2].Value != "x" || all[n-1].Value != "y" {
					return fmt.Errorf("%v after x and y were appended to %d", all, before)
				}
			}
			return nil
		},
		Drafts: func(rng *rand.Rand, _ *model.Log[string]) []model.Draft {
			return []model.Draft{{Key: []byte{byte(1 + rng.IntN(2)), byte(1 + rng.IntN(3))}, Value: []byte("again")}}
		},
		Value: func(m *model.Log[string]) any {
			all := events(m)
			if len(all) != m.Len() || !isSorted(all) {
				panic(fmt.Sprintf("Len %d, events %v", m.Len(), all))
			}
			return all
		},
		Cases: *lawCases, Seed: *lawSeed,
	})
}

// A log has what was appended and not truncated since by the same node, in whatever
// life, all of it in order.
func TestLogAgainstObvious(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		c := newCrowd(t, seed, func() model.Handle { return new(model.Log[string]) })
		written, cuts := map[clock.Dot]model.Event[string]{}, map[clock.Dot]model.Event[string]{}
		before := func(a, b model.Event[string]) bool {
			return cmp.Or(cmp.Compare(a.Time, b.Time), a.Replica.Compare(b.Replica)) < 0
		}
		var had []model.Event[string]
		for step := range 40 {
			h := c.step(func(h *host) error {
				m := h.model.(*model.Log[string])
				if had = events(m); c.rng.IntN(6) == 0 {
					return m.Truncate(t.Context(), c.rng.IntN(10))
				}
				return m.Append(t.Context(), fmt.Sprint(step))
			}, func(u *model.Update) {
				if !u.IsTombstone() {
					written[u.Dot] = model.Event[string]{Value: string(u.Value), Replica: u.Replica, Version: u.Version, Time: u.Time}
					return
				}
				for _, e := range had { // which of its own it deletes, it deletes everywhere
					if !slices.Contains(events(c.at(u.Replica).model.(*model.Log[string])), e) {
						cuts[u.Dot] = e
					}
				}
			})
			var want []model.Event[string]
			for dot := range c.known[h] {
				e, ok := written[dot]
				for known := range c.known[h] {
					if last, is := cuts[known]; is && last.Replica.Node == dot.Replica.Node {
						ok = ok && before(last, e)
					}
				}
				if ok {
					want = append(want, e)
				}
			}
			slices.SortFunc(want, func(a, b model.Event[string]) int {
				return cmp.Or(cmp.Compare(a.Time, b.Time), a.Replica.Compare(b.Replica))
			})
			if got := events(h.model.(*model.Log[string])); !slices.Equal(got, want) {
				t.Fatalf("seed %d, step %d:\ngot  %v\nwant %v", seed, step, got, want)
			}
		}
	}
}

// Truncate counts events of all nodes, and deletes its own.
func TestLogTruncate(t *testing.T) {
	t.Parallel()
	var m, other model.Log[string]
	h, o := attach(&m), attach(&other)
	o.replica.Node = "b"
	ctx := t.Context()
	pass := func(from, to *host, n int) {
		for _, u := range from.log[len(from.log)-n:] {
			to.receive(u)
		}
	}
	show := func(m *model.Log[string]) (s string) {
		for e := range m.All() {
			s += e.Value
		}
		return s
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(m.Append(ctx, "1", "2"))
	pass(h, o, 2)
	do(other.Append(ctx, "a", "b"))
	pass(o, h, 2)
	do(m.TryAppend(ctx, "3", "4"))
	pass(h, o, 2)
	seen := clock.NewVector([]clock.Entry{{Replica: h.replica, Version: 3}, {Replica: o.replica, Version: 1}})
	var since string
	for e := range m.Since(seen) {
		since += e.Value
	}
	if since != "b4" || show(&m) != "12ab34" {
		t.Errorf("%q since %v, of %q", since, seen, show(&m))
	}
	do(m.Truncate(ctx, 2))
	if show(&m) != "ab34" || m.Len() != 4 {
		t.Errorf("%q, %d events, want a's own and old ones to be gone", show(&m), m.Len())
	}
	pass(h, o, 1)
	do(other.Truncate(ctx, 3))
	if show(&other) != "b34" {
		t.Errorf("%q, want the oldest of b's to be gone", show(&other))
	}
	n := len(o.log)
	do(other.Truncate(ctx, 3))
	do(other.TruncateBefore(ctx, time.Unix(0, 0)))
	if len(o.log) != n {
		t.Error("a truncation of nothing was written")
	}
	do(other.TruncateBefore(ctx, time.Unix(2, 0)))
	pass(o, h, 1)
	if show(&other) != "34" || show(&m) != "34" {
		t.Errorf("%q and %q, want b's to be gone at both", show(&other), show(&m))
	}
}

// What a node may delete that is gone for good, the first of those present deletes.
func TestLogTruncatesForTheDead(t *testing.T) {
	t.Parallel()
	for _, first := range []bool{true, false} {
		var m model.Log[string]
		h := attachMember(&m)
		h.first, h.standing["b"], h.standing["c"] = first, model.Absent, model.Removed
		for i, node := range []string{"b", "c", "d"} {
			h.receive(&model.Update{Dot: clock.Dot{Replica: clock.Replica{Node: node}, Version: 1}, Time: clock.Timestamp(i + 1), Key: []byte{1, 1}, Value: []byte(node)})
		}
		if err := m.Truncate(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		want := map[bool]int{true: 2, false: 3}[first]
		if all := events(&m); len(all) != want {
			t.Errorf("first: %t: %v left, want %d events", first, all, want)
		}
	}
}

// An iteration shows what was there when it began, whatever happens meanwhile.
func TestLogSnapshot(t *testing.T) {
	t.Parallel()
	var m model.Log[int]
	attach(&m)
	for i := range 100 {
		if err := m.Append(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	next := 0
	for e := range m.All() {
		if e.Value != next {
			t.Fatalf("event %d is %d", next, e.Value)
		}
		next++
		if err := errors.Join(m.Append(t.Context(), -e.Value), m.Truncate(t.Context(), 30)); err != nil {
			t.Fatal(err)
		}
	}
	if next != 100 || m.Len() != 30 {
		t.Errorf("%d events shown, %d left, want 100 and 30", next, m.Len())
	}
}

// Nor does what takes the place of something that a repair removed.
func TestLogSnapshotOfTheEnd(t *testing.T) {
	t.Parallel()
	var m model.Log[string]
	h := attach(&m)
	if err := m.Append(t.Context(), "1", "2"); err != nil {
		t.Fatal(err)
	}
	var got string
	for e := range m.All() {
		if got += e.Value; e.Value == "1" {
			h.remove(h.log[1])
			if err := m.Append(t.Context(), "3"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got != "12" || m.Len() != 2 {
		t.Errorf("%q, %d events, want 12 and 2", got, m.Len())
	}
}

func TestLogDetached(t *testing.T) {
	t.Parallel()
	var m model.Log[string]
	for _, err := range []error{m.Append(t.Context(), "x"), m.Truncate(t.Context(), 1), m.TruncateBefore(t.Context(), time.Now())} {
		if !errors.Is(err, model.ErrDetached) {
			t.Errorf("got %v", err)
		}
	}
	for range m.Watch(t.Context(), clock.Vector{}) {
		t.Error("a detached log shows an event")
	}
	if m.Len() != 0 || len(events(&m)) != 0 {
		t.Error("a detached log is not empty")
	}
	if h := attach(&m); m.Bind(h) == nil || new(model.Log[string]).Bind(struct{ model.Host }{h}) == nil {
		t.Error("bound twice, or to a host that is nobody")
	}
}

// A watch shows each event once, and none that goes before it was its turn.
func TestLogWatch(t *testing.T) {
	t.Parallel()
	var m model.Log[string]
	h := attach(&m)
	ctx := t.Context()
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	late := func(v clock.Version, at clock.Timestamp, value string) *model.Update {
		return &model.Update{Dot: clock.Dot{Replica: clock.Replica{Node: "b"}, Version: v}, Time: at, Key: []byte{1, byte(v)}, Value: []byte(value)}
	}
	do(m.Append(ctx, "1", "2"))
	var got string
	for e := range m.Watch(ctx, clock.NewVector([]clock.Entry{{Replica: h.replica, Version: 1}})) {
		if got += e.Value; got == "2" {
			do(m.Append(ctx, "3"))
			do(m.Truncate(ctx, 0))
			do(m.Append(ctx, "4"))
			h.receive(late(1, 1, "a"))
			h.receive(late(2, 2, "b"))
			h.remove(h.log[len(h.log)-1])
			again := late(3, 3, "a")
			again.Key = []byte{1, 1}
			h.receive(again)
		}
	}
	if got != "24a" {
		t.Errorf("got %q, want 24a", got)
	}
}
