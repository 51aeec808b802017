package sim_test

import (
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
)

// Paper §3, experiment 1: under a load peak precise-newest leaves fewer mappings
// stale than precise-oldest, but those for long; without a limit little is stale;
// when nothing is written any more, nothing is.
func TestPrecise(t *testing.T) {
	type figures struct{ steady, peak, end, staleness float64 }
	measure := func(oldest bool) (f figures) {
		const nodes = 32
		p, err := sim.NewPrecise(sim.PreciseConfig{Seed: 1, Nodes: nodes, Keys: 64, Oldest: oldest, Rate: 1})
		if err != nil {
			t.Fatal(err)
		}
		stale := func() float64 {
			sum := 0
			for i := range nodes {
				sum += p.Stale(i)
			}
			return float64(sum) / nodes
		}
		p.At(15*time.Second, func() { p.SetBudget(20) })
		p.At(25*time.Second, func() { f.steady = stale(); p.SetRate(2) })
		p.At(75*time.Second, func() { f.peak = stale(); p.SetRate(1) })
		p.At(100*time.Second, func() {
			for i := range nodes {
				f.staleness = max(f.staleness, p.Staleness(i).Seconds())
			}
		})
		p.At(120*time.Second, func() { p.SetRate(0) })
		p.Run(4 * time.Minute)
		f.end = stale()
		return f
	}
	newest, oldest := measure(false), measure(true)
	t.Logf("newest first %.0f, oldest first %.0f", newest, oldest)
	if newest.peak < 2*newest.steady || oldest.peak < 1.2*newest.peak {
		t.Errorf("stale mappings at the peak: newest first %.0f, oldest first %.0f, steady %.0f", newest.peak, oldest.peak, newest.steady)
	}
	if newest.staleness < 1.2*oldest.staleness {
		t.Errorf("staleness after the peak: newest first %.0f s, oldest first %.0f s", newest.staleness, oldest.staleness)
	}
	if newest.end != 0 || oldest.end != 0 {
		t.Errorf("two minutes after the last write %.1f and %.1f mappings are stale", newest.end, oldest.end)
	}
}

// A budget carries what comes first, and exactly as much.
func TestPreciseOrder(t *testing.T) {
	for _, oldest := range []bool{false, true} {
		p, err := sim.NewPrecise(sim.PreciseConfig{Seed: 3, Nodes: 2, Keys: 100_000, Oldest: oldest, Rate: 100, Budget: 10})
		if err != nil {
			t.Fatal(err)
		}
		last := 0
		for range 200 {
			p.Run(50 * time.Millisecond)
			if n := p.Stale(0); n < last-20 {
				t.Fatalf("oldest first %t: stale mappings went from %d to %d", oldest, last, n)
			} else {
				last = n
			}
		}
		wait := p.Staleness(0)
		if oldest == (wait > 9*time.Second) {
			t.Errorf("oldest first %t: after 10 s the oldest write not seen is %v ago", oldest, wait)
		}
	}
}

func TestPreciseConfig(t *testing.T) {
	for _, cfg := range []sim.PreciseConfig{{}, {Nodes: 1, Keys: 1}, {Nodes: 2}, {Nodes: 2, Keys: 1, Interval: -1}} {
		if _, err := sim.NewPrecise(cfg); err == nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
}
