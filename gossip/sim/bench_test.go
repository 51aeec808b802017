package sim_test

import (
	"math/rand"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// simulate runs a cluster second by second and reports events per real second.
func simulate(b *testing.B, cfg sim.Config, l sim.Load) {
	cfg.Seed = 1
	s, err := sim.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	s.Load(l)
	if err := s.Run(2 * time.Second); err != nil {
		b.Fatal(err)
	}
	before := s.Events()
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Run(time.Second); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(s.Events()-before)/b.Elapsed().Seconds(), "events/s")
}

// paperEngine is an engine as the paper has it, with a budget of 100 updates.
func paperEngine() engine.Config {
	return engine.Config{
		Interval: time.Second, MinInterval: time.Second, MaxInterval: time.Second, Budget: 100,
		Codec: new(sim.CountUpdates), Order: engine.Depth, Unsafe: engine.Unsafe{Classic: true},
	}
}

// byteKey writes to one of 64 keys.
func byteKey(rng *rand.Rand, _ *sim.Node, _ int) (string, model.Draft) {
	return "s", model.Draft{Key: []byte{byte(rng.Intn(64))}}
}

// The paper's experiments: 128 participants, one write per second each.
func BenchmarkPaper(b *testing.B) {
	simulate(b, sim.Config{Nodes: 128, Uniform: true, Check: sim.Off, Remember: -1, Engine: paperEngine()},
		sim.Load{PerNode: 1, Paced: true, Draft: byteKey})
}

// A large cluster of which one node writes.
func BenchmarkThousands(b *testing.B) {
	simulate(b, sim.Config{Nodes: 10_000, Uniform: true, Check: sim.Off, Remember: -1, Engine: paperEngine()},
		sim.Load{Rate: 1, Nodes: []string{"n0"}, Draft: byteKey})
}

// A small cluster under load on a bad network, everything encoded and checked.
func BenchmarkChecked(b *testing.B) {
	simulate(b, sim.Config{Nodes: 10, Link: sim.Link{Delay: sim.Uniform(0, 50*time.Millisecond), Loss: 0.1, Duplicate: 0.1}},
		sim.Load{Rate: 50})
}

// The same without checks.
func BenchmarkUnchecked(b *testing.B) {
	simulate(b, sim.Config{Nodes: 10, Check: sim.Off, Link: sim.Link{Delay: sim.Uniform(0, 50*time.Millisecond), Loss: 0.1, Duplicate: 0.1}},
		sim.Load{Rate: 50})
}
