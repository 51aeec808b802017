package sim_test

import (
	"errors"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
)

// contend lets nodes with links write to few keys at the same time, while links break.
func contend(seed int64, tamper func(to *sim.Node, m *engine.Message)) error {
	s, err := sim.New(sim.Config{
		Seed: seed, Nodes: 4, Engine: engine.Config{Interval: 300 * time.Millisecond},
		Live: sim.Uniform(0, 60*time.Millisecond), Tamper: tamper,
	})
	if err != nil {
		return err
	}
	s.Load(sim.Load{Rate: 100, Until: 3 * time.Second})
	for range 30 {
		if err := s.Run(100 * time.Millisecond); err != nil {
			return err
		}
		s.Snap(pick(s.Rand(), s.Nodes()...), pick(s.Rand(), s.Nodes()...))
	}
	_, err = s.Converge(0)
	return err
}

// What closes a hole of a live message, if it is not in it, must be known to its receiver:
// without that the clean are wrong, and with it nobody is.
func TestLiveNeeds(t *testing.T) {
	const seeds = 20
	for seed := range int64(seeds) {
		if err := contend(seed, nil); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		err := contend(seed, func(_ *sim.Node, m *engine.Message) {
			if m.Kind == engine.Live {
				m.Digest.Entries = nil
			}
		})
		if v := new(sim.Violation); errors.As(err, &v) {
			t.Logf("found at seed %d: %s", seed, v.Invariant)
			return
		}
	}
	t.Errorf("no violation in %d runs in which nobody looks at what closes holes", seeds)
}
