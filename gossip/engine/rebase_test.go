package engine_test

import (
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// What a rebase finds to be dead goes when this node knows all that the peer of that rebase
// knew, and not when it knows what the peer of a later one did: that may lack what took its
// place (R9).
func TestDoomWaitsForItsOwnVector(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	w.mustWrite(n, "s", "first", "value")
	w.mustWrite(n, "s", "second", "value")
	self, other := n.e.Self(), clock.Replica{Node: "other", Epoch: 1}
	n.e.Doom([]engine.DigestEntry{known(other, 2)}, clock.Dot{Replica: self, Version: 1})
	n.e.Doom([]engine.DigestEntry{known(other, 1)}, clock.Dot{Replica: self, Version: 2})
	for v, want := range [][]clock.Version{{1, 2}, {1}, {}} {
		if v > 0 {
			u := updateOf(other, clock.Version(v), "k")
			w.all[clock.Dot{Replica: other, Version: clock.Version(v)}] = u
			m := fin(7, batch(other, u))
			m.From = other
			give(t, w, n, m)
		}
		got := n.e.Retained(self)
		if len(got) != len(want) || len(got) > 0 && got[0].Dot.Version != want[0] {
			t.Errorf("with version %d of the other: %d updates are retained, want %v", v, len(got), want)
		}
	}
}

// withLost returns a world of which the last of three nodes is lost, not declared so.
func withLost(t *testing.T) (w *world, lost *node) {
	w = newWorld(t, 1, 3, collecting)
	w.fill(6, "value")
	w.converge(time.Minute)
	lost = w.nodes[2]
	w.crash(lost)
	w.fail(lost)
	return w, lost
}

// waits checks that nodes go on waiting for a rebase while another writes, and all give up
// when the lost one is declared so.
func (w *world) waits(writer, lost *node, waiting ...*node) {
	w.t.Helper()
	for range 60 {
		w.mustWrite(writer, "s", "k1", "value") // rounds have something to bring
		w.run(time.Second)
		for _, n := range waiting {
			if n.e.Clean() {
				w.t.Fatalf("%s is clean, as if the other knew", n.name)
			}
		}
	}
	if w.sum(func(s engine.Stats) uint64 { return s.Rebased }) == 0 {
		w.t.Error("nobody was rebased")
	}
	if err := writer.e.Retire(w.now, lost.name); err != nil {
		w.t.Fatal(err)
	}
	for _, n := range w.nodes[:2] {
		w.until(time.Minute, n.name+" has given up", n.e.Clean)
	}
}

// Of two that wait for a rebase neither becomes clean by the other: what one does not know to
// be dead the other may not know either. They give up when nobody is left who knows better,
// and not while a third is only lost (R9, R12).
func TestWhoWaitIsNoHelp(t *testing.T) {
	t.Parallel()
	w, lost := withLost(t)
	a, b := w.nodes[0], w.nodes[1]
	a.e.NeedReset(w.clock(a))
	b.e.NeedReset(w.clock(b))
	w.waits(a, lost, a, b)
}

// A clean node that does not know of all that was collected at one that waits cannot tell what
// is dead there: that one goes on waiting (R9).
func TestWhoKnowsLessIsNoHelp(t *testing.T) {
	t.Parallel()
	w, lost := withLost(t)
	n, less := w.nodes[0], w.nodes[1]
	w.mustWrite(n, "s", "k", "value")
	w.mustWrite(n, "s", "k", "") // before anybody hears of either
	n.e.CollectSome(clock.TimestampOf(w.now.Add(time.Hour)))
	n.e.NeedReset(w.clock(n))
	if f := n.e.Floors(); f.Len() != 1 || f.At(0).Version <= less.e.Vector().Version(n.e.Self()) {
		t.Fatalf("floors %v, and %s knows %v: nothing was collected of which it does not know", f, less.name, less.e.Vector())
	}
	w.waits(less, lost, n)
}

// Nor can one that relays what the waiting node retains (R14).
func TestWhoRelaysIsNoHelp(t *testing.T) {
	t.Parallel()
	w, lost := withLost(t)
	n, relay := w.nodes[0], w.nodes[1]
	w.relay(relay)
	n.e.NeedReset(w.clock(n))
	w.waits(n, lost, n)
}
