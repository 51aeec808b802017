package sim_test

import (
	"context"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// A handle's values expire at every node when they are due, watches show it, and they
// are collected, though no round is due and nothing is checked but by the simulator.
func TestValuesExpire(t *testing.T) {
	for _, check := range []sim.Check{sim.Every, sim.Off} {
		s, err := sim.New(sim.Config{
			Seed: 1, Nodes: 3, Check: check,
			Engine: engine.Config{Collect: true, ReportInterval: time.Second},
			Models: func() map[string]model.Model { return map[string]model.Model{"m": new(model.Map[string])} },
		})
		if err != nil {
			t.Fatal(err)
		}
		maps := make([]*model.Map[string], 3)
		for i, n := range s.Nodes() {
			maps[i] = n.Model("m").(*model.Map[string])
		}
		ctx := context.Background()
		if err := maps[0].SetTTL(ctx, "k", "v", 10*time.Second); err != nil {
			t.Fatal(err)
		}
		due := s.Now().Add(10 * time.Second)
		for c := range maps[2].Watch(ctx, model.WatchConfig{}) {
			if c.Deleted {
				break
			}
			if !s.Now().Before(due) {
				t.Errorf("shown %v after its end", s.Now().Sub(due))
			}
		}
		if late := s.Now().Sub(due); late != 0 {
			t.Errorf("the watch shows its end %v late", late)
		}
		if err := s.Run(time.Millisecond); err != nil {
			t.Fatal(err)
		}
		for i, m := range maps {
			if m.Len() != 0 {
				t.Errorf("node %d shows it", i)
			}
		}
		err = s.Until(20*time.Second, "it is collected", func() bool {
			left := 0
			for _, n := range s.Nodes() {
				left += n.Engine().Spaces()[0].Updates
			}
			return left == 0
		})
		if err != nil {
			t.Error(err)
		}
	}
}
