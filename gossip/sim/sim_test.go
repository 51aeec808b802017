package sim_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/flowcontrol"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
)

func TestLoadConverges(t *testing.T) {
	s, err := sim.New(sim.Config{Seed: 1, Nodes: 10, Link: sim.Link{Delay: sim.Uniform(0, 50*time.Millisecond), Loss: 0.1, Duplicate: 0.1}})
	if err != nil {
		t.Fatal(err)
	}
	s.Load(sim.Load{Rate: 50, Until: 10 * time.Second})
	if err := s.Run(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	took, err := s.Converge(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(took, s.Events(), s.Counts())
}

func paper(t testing.TB, seed int64, n int, trace *bytes.Buffer) *sim.Sim {
	cfg := sim.Config{
		Seed: seed, Nodes: n, Uniform: true, Check: sim.Off, Remember: -1,
		Engine: engine.Config{
			Interval: time.Second, MinInterval: time.Second, MaxInterval: time.Second, Budget: 100,
			Codec: new(sim.CountUpdates), Order: engine.Depth, Unsafe: engine.Unsafe{Classic: true},
		},
		Flow: func(string) flowcontrol.Controller { return new(flowcontrol.Quota) },
	}
	if trace != nil {
		cfg.Trace = trace
	}
	s, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPaperRun(t *testing.T) {
	s := paper(t, 1, 64, nil)
	for _, n := range s.Nodes() {
		n.SetDesired(10)
	}
	s.Load(sim.Load{Throttled: true, Until: 60 * time.Second})
	if err := s.Run(60 * time.Second); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, n := range s.Nodes() {
		_, tau := n.Rates()
		sum += tau
	}
	t.Log(sum/64, s.Events())
}
