package engine_test

import (
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// longest returns the length of the longest vector of a living node.
func (w *world) longest() int {
	n := 0
	for _, m := range w.nodes {
		if m.up {
			n = max(n, m.e.Vector().Len())
		}
	}
	return n
}

// fail makes a node and the others take each other for failed.
func (w *world) fail(lost *node) {
	for _, n := range w.nodes {
		if n != lost {
			n.e.SetPeer(w.clock(n), lost.name, engine.PeerFailed)
			lost.e.SetPeer(w.clock(lost), n.name, engine.PeerFailed)
		}
	}
}

// Of a node's many lives only the present one is in vectors, and one entry for the name
// tells of all others (R13, I14).
func TestEarlierLivesVanish(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 3, collecting)
	n := w.nodes[0]
	for life := range 70 {
		w.mustWrite(n, "s", "k", fmt.Sprint(life))
		w.converge(time.Minute)
		n = w.restart(n, n.e.Self().Epoch+1)
		w.announce()
		w.converge(time.Minute)
	}
	w.mustWrite(n, "s", "k", "last")
	w.until(time.Minute, "earlier lives are gone", func() bool { return w.longest() == 1 })
	w.run(5 * time.Second)
	for _, m := range w.nodes {
		all := m.e.Retired()
		if len(all) != 1 || all[0].Node != n.name || len(all[0].Vanished) > 64 || all[0].Before == 0 {
			t.Errorf("%s keeps %+v", m.name, all)
		}
		if first := (clock.Replica{Node: n.name, Epoch: n.e.Self().Epoch - 70}); !m.e.IsVanished(first) || m.e.IsVanished(n.e.Self()) {
			t.Errorf("%s: the first of %+v has not vanished, or the present one has", m.name, all)
		}
		if got := string(m.models["s"].byKey["k"].Value); got != "last" {
			t.Errorf("%s shows %q", m.name, got)
		}
	}
}

// A node that says goodbye counts no more for the majority, and what it deleted last goes.
func TestDepart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 3, collecting)
	w.fill(6, "value")
	w.converge(time.Minute)
	leaver := w.nodes[2]
	w.mustWrite(leaver, "s", "k0", "")
	leaver.e.Depart(w.clock(leaver))
	if !leaver.e.IsDeparting() || leaver.e.HasDeparted() {
		t.Fatal("it has departed before anybody knows, or does not at all")
	}
	if err := w.write(leaver, "s", "late", "v"); !errors.Is(err, engine.ErrJoining) {
		t.Errorf("it writes after its last word: %v", err)
	}
	w.until(5*time.Second, "a peer knows", leaver.e.HasDeparted)
	w.crash(leaver)
	for _, n := range w.nodes[:2] {
		n.e.SetPeer(w.clock(n), leaver.name, engine.PeerRemoved)
	}
	w.until(time.Minute, "its tombstone is gone", func() bool { return w.tombstones() == 0 })
	w.crash(w.nodes[1])
	w.announce()
	w.mustWrite(w.nodes[0], "s", "k1", "")
	w.run(30 * time.Second)
	if _, why := w.nodes[0].e.Stable(); !slices.Contains(why, "1 of 2 known nodes are members: no majority") {
		t.Errorf("what stands against it: %q", why)
	}
}

// A node that took its goodbye back goes on as a new replica.
func TestRejoin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2, collecting)
	n := w.nodes[1]
	w.mustWrite(n, "s", "k", "v")
	w.converge(time.Minute)
	self := n.e.Self()
	n.e.Depart(w.clock(n))
	w.until(5*time.Second, "a peer knows", n.e.HasDeparted)
	n.e.Rejoin()
	w.until(5*time.Second, "it has a new epoch", func() bool { return n.e.Self().Epoch > self.Epoch })
	w.mustWrite(n, "s", "k", "again")
	w.converge(time.Minute)
	if got := string(w.nodes[0].models["s"].byKey["k"].Value); got != "again" {
		t.Errorf("the other shows %q", got)
	}
}

// What a node wrote stays when it is declared lost, and what it wrote alone comes with it
// when it returns; what was deleted and collected meanwhile does not (R9, R13, I7).
func TestRetire(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 3, collecting)
	w.fill(9, "value")
	lost, at := w.nodes[2], w.nodes[0]
	w.mustWrite(lost, "s", "its", "value")
	w.converge(time.Minute)
	self := lost.e.Self()
	for name, want := range map[string]error{"n01": engine.ErrAlive, at.name: engine.ErrAlive, "nobody": engine.ErrUnknownNode} {
		if err := at.e.Retire(w.now, name); !errors.Is(err, want) {
			t.Errorf("Retire(%s): %v", name, err)
		}
	}
	w.cut = func(from, to string) bool { return from == lost.name || to == lost.name }
	w.mustWrite(lost, "s", "alone", "value")
	w.fail(lost)
	if err := at.e.Retire(w.now, lost.name); err != nil {
		t.Fatal(err)
	}
	w.until(5*time.Second, "the other knows", func() bool { return len(w.nodes[1].e.Retired()) == 1 })
	for i := range 9 {
		w.mustWrite(at, "s", fmt.Sprint("k", i), "")
	}
	gone := func(n *node) bool { return n.e.Spaces()[0].Updates == 1 }
	w.until(time.Minute, "two of two have collected", func() bool { return gone(at) && gone(w.nodes[1]) })
	w.cut = nil
	w.announce()
	w.until(time.Minute, "it is new", func() bool { return lost.e.Self().Epoch > self.Epoch })
	w.converge(time.Minute)
	for _, n := range w.nodes {
		if m := n.models["s"].byKey; len(m) != 2 || m["its"] == nil || m["alone"] == nil || m["alone"].Replica != lost.e.Self() {
			t.Errorf("%s shows %v", n.name, m)
		}
	}
	if got := lost.e.Stats().Anew; got != 1 {
		t.Errorf("it began anew %d times", got)
	}
	w.mustWrite(lost, "s", "its", "") // the last of its first life
	w.until(time.Minute, "its first life has vanished", func() bool { return w.longest() <= 3 })
}

// What two nodes know to be over is merged as a set is: in any order and however often,
// and nothing that has vanished at one has not afterwards.
func TestMergeRetirements(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewSource(1))
	epochs := func(above, most uint64) (all []uint64) {
		for e := above + 1; e <= most; e++ {
			if rng.Intn(3) == 0 {
				all = append(all, e)
			}
		}
		return all
	}
	random := func() engine.Retirement {
		r := engine.Retirement{Node: "n", Before: uint64(rng.Intn(6)), Gone: uint64(rng.Intn(4)), Proof: uint64(rng.Intn(5))}
		if r.Gone > 0 {
			r.Final = clock.Version(rng.Intn(4))
		}
		r.Kept, r.Vanished = epochs(0, r.Before), epochs(r.Before, 10)
		return r
	}
	type said struct {
		gone     uint64
		final    clock.Version
		vanished [12]bool
	}
	says := func(r engine.Retirement) said { // beside the proof, which is only a hint
		s := said{gone: r.Gone, final: r.Final}
		for i := range s.vanished {
			s.vanished[i] = engine.HasVanished(r, uint64(i)+1)
		}
		return s
	}
	for range 2000 {
		a, b, c := random(), random(), random()
		ab, ba := engine.Merge(a, b), engine.Merge(b, a)
		if says(ab) != says(ba) || ab.Proof != ba.Proof {
			t.Fatalf("%+v and %+v: %+v one way, %+v the other", a, b, ab, ba)
		}
		if l, r := engine.Merge(ab, c), engine.Merge(a, engine.Merge(b, c)); says(l) != says(r) {
			t.Fatalf("%+v, %+v, %+v: %+v one way, %+v the other", a, b, c, l, r)
		}
		if again := engine.Merge(ab, a); says(again) != says(ab) || again.Proof != ab.Proof {
			t.Fatalf("%+v again: %+v, was %+v", a, again, ab)
		}
		for e := uint64(1); e <= 12; e++ {
			if want := engine.HasVanished(a, e) || engine.HasVanished(b, e); engine.HasVanished(ab, e) != want {
				t.Fatalf("epoch %d of %+v and %+v: vanished is %t", e, a, b, !want)
			}
		}
	}
}
