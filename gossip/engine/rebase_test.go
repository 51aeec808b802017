package engine_test

import (
	"testing"

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
