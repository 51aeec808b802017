package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// A closed hole is nothing without its heir: where the heir's replica does not
// fit the table, the hole stays unapplied, whether or not the sender's vector is
// known (R3, R4).
func TestClosedHoleWhoseHeirHasNoRoom(t *testing.T) {
	t.Parallel()
	for _, inExchange := range []bool{false, true} {
		w := newWorld(t, 1, 1, engine.Config{MaxReplicas: 3})
		n := w.nodes[0]
		r1, r2, r3 := clock.Replica{Node: "r1"}, clock.Replica{Node: "r2"}, clock.Replica{Node: "r3"}
		give(t, w, n, message(engine.Push, 1, batch(r2, updateOf(r2, 1, "z"))))
		if inExchange {
			give(t, w, n, syn(1, known(r1, 2), known(r2, 1), known(r3, 9)))
		}
		hole := batch(r1, updateOf(r1, 2, "j")) // version 1 wrote k
		hole.Closed = true
		give(t, w, n, fin(1, hole, batch(r3, updateOf(r3, 9, "k"))))
		if v := n.e.Vector(); n.e.Clean() && v.Version(r1) > 0 || v.Version(r3) > 0 {
			t.Errorf("in an exchange %t: clean %t at %v", inExchange, n.e.Clean(), v)
		}
		if n.e.Stats().BatchesRefused == 0 {
			t.Errorf("in an exchange %t: nothing was refused", inExchange)
		}
	}
}

// A repair that makes a node clean has brought everything by then, however often
// and in which order its messages came (R12).
func TestRepeatedRepairMessages(t *testing.T) {
	t.Parallel()
	cleaned := 0
	for seed := range int64(10) {
		w := newWorld(t, seed, 3, engine.Config{Budget: 1, MaxUpdate: 300, MaxStream: 900, MaxDatagram: 512})
		a, b, x := w.nodes[0], w.nodes[1], w.nodes[2]
		pair := func(one, other *node) {
			w.cut = func(from, to string) bool {
				return !(from == one.name && to == other.name || from == other.name && to == one.name)
			}
		}
		value := strings.Repeat("v", 200)
		for i := range 8 {
			w.mustWrite(a, "s", fmt.Sprint("k", i), value)
		}
		w.mustWrite(a, "s", "j", "other")
		for pair(a, b); a.e.Vector().Compare(b.e.Vector()) != clock.Equal; {
			w.step()
		}
		for i := range 8 {
			w.mustWrite(b, "s", fmt.Sprint("k", i), value+"2")
		}
		for pair(b, x); x.e.Vector().Len() == 0; {
			w.step()
		}
		if x.e.Clean() || x.e.Vector().Compare(a.e.Vector()) != clock.Equal {
			continue // it got the others first
		}
		w.crash(b)
		w.queue, w.cut = nil, nil
		w.announce()
		w.faults = faults{duplicate: 0.5, delay: 30 * time.Millisecond}
		w.converge(time.Minute) // I3 is checked at the moment it becomes clean
		if got := len(x.models["s"].byKey); got != 9 {
			t.Errorf("seed %d: %d keys, want 9", seed, got)
		}
		cleaned++
	}
	if cleaned == 0 {
		t.Error("no seed made x dirty")
	}
}
