package engine_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// The crash of R4, after the paper's Figure 1: b overwrites a key of a; x gets
// from b a truncated delta in which a's update is missing, because what replaced
// it comes later; b dies. Then x and a know the same and disagree. Classic
// scuttlebutt never notices; the engine does and ends with one state.
func TestHolderOfSuccessorDies(t *testing.T) {
	t.Parallel()
	run := func(classic bool) (equal bool, ax, xx string) {
		w := newWorld(t, 1, 3, engine.Config{Budget: 1, Unsafe: engine.Unsafe{Classic: classic}})
		w.lax = classic
		a, b, x := w.nodes[0], w.nodes[1], w.nodes[2]
		apart := func(one, other *node) func(string, string) bool {
			return func(from, to string) bool {
				return from == one.name && to != other.name || from == other.name && to != one.name || from != one.name && from != other.name
			}
		}
		w.mustWrite(a, "s", "k", "first")
		w.mustWrite(a, "s", "j", "other")
		w.cut = apart(a, b)
		w.run(20 * time.Second)
		if b.e.Vector().Compare(a.e.Vector()) != clock.Equal {
			t.Fatalf("b knows %v, a %v", b.e.Vector(), a.e.Vector())
		}
		w.mustWrite(b, "s", "k", "second")
		w.cut = apart(b, x)
		for x.e.Vector().Len() == 0 {
			w.step()
		}
		if got := x.e.Vector().String(); got != a.e.Vector().String() {
			t.Fatalf("x got %v first, want all of a's: %v", got, a.e.Vector())
		}
		b.up = false
		w.queue = nil
		w.cut = nil
		w.announce()
		w.run(10 * time.Minute)
		value := func(n *node) string {
			if u := n.models["s"].byKey["k"]; u != nil {
				return string(u.Value)
			}
			return ""
		}
		if !classic && (!a.e.Clean() || !x.e.Clean()) {
			t.Errorf("ten minutes later: a clean %t, x clean %t", a.e.Clean(), x.e.Clean())
		}
		return a.e.Vector().Compare(x.e.Vector()) == clock.Equal, value(a), value(x)
	}
	if equal, a, x := run(true); !equal || a == x {
		t.Errorf("classic: vectors equal %t, a has %q, x has %q; want equal vectors and different values for ever", equal, a, x)
	}
	if equal, a, x := run(false); !equal || a != x || a != "first" {
		t.Errorf("vectors equal %t, a has %q, x has %q; want equal vectors and the value that survived", equal, a, x)
	}
}

// The same at random: small budgets, overwrites, and three of six nodes that die
// at the end of the writes. Survivors end equal and show the same.
func TestSurvivorsAgree(t *testing.T) {
	t.Parallel()
	for seed := range int64(*seeds) {
		w := newWorld(t, seed, 6, engine.Config{Budget: 60, Interval: 100 * time.Millisecond})
		w.faults.delay = 30 * time.Millisecond
		for i := range 40 {
			w.mustWrite(w.nodes[w.rng.Intn(6)], "s", fmt.Sprint("k", w.rng.Intn(5)), fmt.Sprint(i))
			w.run(time.Duration(w.rng.Intn(20)) * time.Millisecond)
		}
		for _, i := range w.rng.Perm(6)[:3] {
			w.nodes[i].up = false
		}
		w.queue = nil
		w.announce()
		agree := func() bool {
			survivors := slices.DeleteFunc(slices.Clone(w.nodes), func(n *node) bool { return !n.up })
			first := survivors[0]
			return !slices.ContainsFunc(survivors[1:], func(n *node) bool {
				return n.e.Vector().Compare(first.e.Vector()) != clock.Equal || !slices.Equal(n.e.Spaces(), first.e.Spaces())
			})
		}
		w.until(2*time.Minute, fmt.Sprintf("the survivors of seed %d agree", seed), agree)
		w.run(5 * time.Second)
		if !agree() {
			t.Errorf("seed %d: the survivors agreed, and no longer do", seed)
		}
	}
}
