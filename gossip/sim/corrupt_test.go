package sim_test

import (
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
)

// Damage of one node is found at the next exchanges of equal vectors, counted, and healed:
// what was lost or flipped comes back from the others, and nobody else loses anything;
// what was made up is everywhere afterwards, for nothing tells it from a late write (R12).
func TestDamageIsHealed(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]engine.Corruption{"drop": engine.CorruptDrop, "flip": engine.CorruptFlip, "add": engine.CorruptAdd, "model": engine.CorruptModel} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range int64(10) {
				damage(t, seed, how)
			}
		})
	}
}

func damage(t *testing.T, seed int64, how engine.Corruption) {
	rng := rand.New(rand.NewSource(seed))
	s := start(t, sim.Config{ // it checks nothing: what a damaged node shows is wrong
		Seed: seed, Nodes: 5, Check: sim.Off, Link: sim.Link{Delay: sim.Uniform(0, 20*time.Millisecond), Loss: 0.1},
		Engine: engine.Config{Collect: seed%2 == 0, ReportInterval: time.Second},
	})
	for i := range 200 {
		put(t, s, s.Nodes()[i%5], fmt.Sprint("k", i%150), fmt.Sprint("value ", i))
	}
	for i := range 20 {
		remove(t, s, s.Nodes()[i%5], fmt.Sprint("k", i))
	}
	converge(t, s, time.Minute)
	run(t, s, 10*time.Second)
	want := values(s.Nodes()[0])
	victim := s.Nodes()[rng.Intn(5)]
	dot, ok := victim.Engine().Corrupt(how, rng)
	if !ok {
		t.Fatalf("seed %d: nothing to damage", seed)
	}
	healed := func() bool {
		for _, n := range s.Nodes()[1:] {
			if values(n) != values(s.Nodes()[0]) {
				return false
			}
		}
		return how == engine.CorruptAdd || values(victim) == want
	}
	if how != engine.CorruptFlip && healed() {
		t.Fatalf("seed %d: %v was damaged, and nothing shows it", seed, dot)
	}
	if err := s.Until(20*time.Second, "healed", healed); err != nil {
		t.Fatalf("seed %d, %v at %s: %v", seed, dot, victim.Name(), err)
	}
	if how == engine.CorruptAdd && values(victim) == want {
		t.Errorf("seed %d: what was added is gone", seed)
	}
	var sum engine.Stats
	for _, n := range s.Nodes() {
		st := n.Engine().Stats()
		sum.Mismatches += st.Mismatches
		sum.Repaired += st.Repaired
		sum.Damaged += st.Damaged
		if err := n.Engine().Check(); err != nil {
			t.Errorf("seed %d: %s: %v", seed, n.Name(), err)
		}
	}
	alone := how == engine.CorruptModel // the others are not needed
	if (sum.Mismatches == 0 || sum.Repaired == 0) != alone || (how == engine.CorruptFlip || alone) && sum.Damaged != 1 {
		t.Errorf("seed %d: counted %d mismatches, %d repaired, %d damaged", seed, sum.Mismatches, sum.Repaired, sum.Damaged)
	}
}

// values is what a node shows.
func values(n *sim.Node) string {
	all := ""
	for i := range 150 {
		for _, prefix := range []string{"k", "made up k"} {
			if key := fmt.Sprint(prefix, i); get(n, key) != "nothing" {
				all += key + "=" + get(n, key) + " "
			}
		}
	}
	return all
}
