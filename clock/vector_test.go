package clock_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

var replicas = rapid.Custom(func(t *rapid.T) clock.Replica {
	return clock.Replica{
		Node:  rapid.SampledFrom([]string{"", "a", "ab", "b"}).Draw(t, "node"),
		Epoch: uint64(rapid.IntRange(0, 2).Draw(t, "epoch")),
	}
})

var entries = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) clock.Entry {
	return clock.Entry{
		Replica: replicas.Draw(t, "replica"),
		Version: clock.Version(rapid.IntRange(0, 3).Draw(t, "version")),
	}
}), 0, 12)

// plain is the slow obvious vector.
type plain map[clock.Replica]clock.Version

func plainOf(es []clock.Entry) plain {
	p := plain{}
	for _, e := range es {
		if e.Version > 0 {
			p[e.Replica] = max(p[e.Replica], e.Version)
		}
	}
	return p
}

func check(t interface{ Fatalf(string, ...any) }, v clock.Vector, want plain) {
	if got := plain(maps.Collect(v.All())); !maps.Equal(got, want) || v.Len() != len(want) {
		t.Fatalf("vector %v (%d), want %v", v, v.Len(), want)
	}
	for i := range v.Len() {
		if i > 0 && v.At(i-1).Replica.Compare(v.At(i).Replica) >= 0 {
			t.Fatalf("vector %v is not in order", v)
		}
		if e := v.At(i); v.Version(e.Replica) != e.Version || e.Version == 0 {
			t.Fatalf("vector %v: component %v, version %d", v, e, v.Version(e.Replica))
		}
	}
}

func TestVectorAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		es := entries.Draw(t, "entries")
		want := plainOf(es)
		v := clock.NewVector(slices.Clone(es))
		check(t, v, want)
		for range rapid.IntRange(0, 10).Draw(t, "steps") {
			r := replicas.Draw(t, "replica")
			n := clock.Version(rapid.IntRange(0, 3).Draw(t, "version"))
			if v.Version(r) != want[r] || v.Covers(clock.Dot{Replica: r, Version: n}) != (want[r] >= n) {
				t.Fatalf("%v of %v: %d, want %d", r, v, v.Version(r), want[r])
			}
			before := v.Clone()
			old := maps.Clone(want)
			if rapid.Bool().Draw(t, "merge") {
				o := entries.Draw(t, "other")
				v.Merge(clock.NewVector(slices.Clone(o)))
				for r, n := range plainOf(o) {
					want[r] = max(want[r], n)
				}
			} else {
				v.Set(r, n)
				if want[r] = n; n == 0 {
					delete(want, r)
				}
			}
			check(t, v, want)
			check(t, before, old) // a clone shares nothing
		}
	})
}

func TestMergeLeavesTheOther(t *testing.T) {
	a, b := clock.Replica{Node: "a"}, clock.Replica{Node: "b"}
	v := clock.NewVector([]clock.Entry{{Replica: a, Version: 2}})
	o := clock.NewVector([]clock.Entry{{Replica: a, Version: 1}, {Replica: b, Version: 1}})
	v.Merge(o)
	v.Set(b, 9)
	v.Set(a, 9)
	check(t, o, plain{a: 1, b: 1})
	var none clock.Vector
	none.Merge(o)
	none.Set(a, 7)
	check(t, o, plain{a: 1, b: 1})
}

func TestVectorCompare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ea, eb := entries.Draw(t, "a"), entries.Draw(t, "b")
		if rapid.Bool().Draw(t, "related") {
			eb = slices.Concat(ea, eb)
		}
		pa, pb := plainOf(ea), plainOf(eb)
		less, more := false, false
		for r := range pa {
			more = more || pa[r] > pb[r]
		}
		for r := range pb {
			less = less || pb[r] > pa[r]
		}
		want := map[[2]bool]clock.Order{
			{false, false}: clock.Equal, {true, false}: clock.Before,
			{false, true}: clock.After, {true, true}: clock.Concurrent,
		}[[2]bool{less, more}]
		a, b := clock.NewVector(ea), clock.NewVector(eb)
		if got := a.Compare(b); got != want {
			t.Fatalf("%v.Compare(%v) = %d, want %d", a, b, got, want)
		}
	})
}

func TestVectorString(t *testing.T) {
	v := clock.NewVector([]clock.Entry{
		{Replica: clock.Replica{Node: "b", Epoch: 1}, Version: 7},
		{Replica: clock.Replica{Node: "a", Epoch: 2}, Version: 1},
		{Replica: clock.Replica{Node: "a", Epoch: 1}, Version: 3},
	})
	if got, want := v.String(), "{a/1:3 a/2:1 b/1:7}"; got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
	if got := (clock.Vector{}).String(); got != "{}" {
		t.Errorf("String of the empty vector = %q", got)
	}
	for range v.All() {
		break // an iteration may end early
	}
}

func TestReplicaAndDotOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) clock.Dot {
			return clock.Dot{Replica: replicas.Draw(t, name), Version: clock.Version(rapid.IntRange(0, 2).Draw(t, name))}
		}
		a, b := draw("a"), draw("b")
		key := func(d clock.Dot) string {
			return fmt.Sprintf("%-3s%d%d", d.Replica.Node, d.Replica.Epoch, d.Version)
		}
		if got, want := a.Compare(b), cmp.Compare(key(a), key(b)); got != want {
			t.Fatalf("%v.Compare(%v) = %d, want %d", a, b, got, want)
		}
		if a.Compare(b) != -b.Compare(a) || (a.Compare(b) == 0) != (a == b) {
			t.Fatalf("%v and %v: order is not total", a, b)
		}
	})
}

func ExampleVector() {
	amy, bob := clock.Replica{Node: "amy", Epoch: 1}, clock.Replica{Node: "bob", Epoch: 1}
	var v clock.Vector
	v.Set(amy, 3)
	w := v.Clone()
	w.Set(bob, 1)
	fmt.Println(v, w, v.Compare(w) == clock.Before)
	// Output: {amy/1:3} {amy/1:3 bob/1:1} true
}

// A list of dots is as it was made; an empty one is the zero value.
func TestDots(t *testing.T) {
	if d := clock.NewDots(nil); d != (clock.Dots{}) || d != clock.NewDots([]clock.Dot{}) || d.Len() != 0 || d.All() != nil {
		t.Errorf("of nothing: %v, %d dots", d.All(), d.Len())
	}
	if n := testing.AllocsPerRun(10, func() { kept = clock.NewDots(nil) }); n != 0 {
		t.Errorf("of nothing: %v allocations", n)
	}
	want := []clock.Dot{{Replica: clock.Replica{Node: "b"}, Version: 7}, {Replica: clock.Replica{Node: "a"}, Version: 9}}
	if d := clock.NewDots(slices.Clone(want)); d.Len() != 2 || !slices.Equal(d.All(), want) {
		t.Errorf("got %v, want %v", d.All(), want)
	}
}

var kept clock.Dots // it escapes to the heap
