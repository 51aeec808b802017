package engine_test

import (
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// Of nodes that all wait for a rebase nobody gives up before all agree. Who agreed with
// another, and was then repaired by a third, agrees with the first no more, though it knows no
// more than before (R12).
func TestGivingUpTakesAgreementOfNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 3, collecting)
	w.fill(6, "value")
	w.converge(time.Minute)
	only := clock.Dot{Replica: w.nodes[2].e.Self(), Version: 1}
	for i, n := range w.nodes {
		n.e.NeedReset(w.clock(n))
		if i < 2 && !n.e.Lose(only) {
			t.Fatalf("%s does not have %v", n.name, only)
		}
	}
	alone := func(name string) func(from, to string) bool {
		return func(from, to string) bool { return from == name || to == name }
	}
	w.cut = alone(w.nodes[2].name)
	w.run(5 * time.Second) // the others agree
	w.cut = alone(w.nodes[1].name)
	for range 30 {
		w.run(time.Second)
		if w.nodes[0].e.Clean() || w.nodes[2].e.Clean() {
			t.Fatalf("somebody gave up while %s lacks an update", w.nodes[1].name)
		}
	}
	if w.sum(func(s engine.Stats) uint64 { return s.Repaired }) != 1 {
		t.Fatal("nobody was repaired")
	}
	w.cut = nil
	w.until(time.Minute, "all have given up", func() bool {
		return w.nodes[0].e.Clean() && w.nodes[1].e.Clean() && w.nodes[2].e.Clean()
	})
	for _, n := range w.nodes {
		if len(n.e.Retained(only.Replica)) != 2 {
			t.Errorf("%s lacks an update", n.name)
		}
	}
}
