package sim_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand"
	"slices"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

var modelSeeds = flag.Int("model-seeds", defaultModelSeeds, "how many seeds the swarm of each model tries")

// workload is how a swarm uses one type of model.
type workload struct {
	fresh func() model.Handle
	write func(s *swarm, m model.Model) error
	show  func(m model.Model) any // everything that users can read
}

var ctx = context.Background()

// workloads are those of all models. Names are few, so that writes meet.
var workloads = map[string]workload{
	"map": {
		func() model.Handle { return new(model.Map[int]) },
		func(s *swarm, h model.Model) error {
			m, key := h.(*model.Map[int]), name(s)
			if chance(s.rng, 5) {
				return m.Delete(ctx, key)
			}
			return m.Set(ctx, key, s.rng.Intn(1000))
		},
		func(h model.Model) any { return maps.Collect(h.(*model.Map[int]).All()) },
	},
	"counter": {
		func() model.Handle { return new(model.Counter) },
		func(s *swarm, h model.Model) error {
			m, name := h.(*model.Counter), name(s)
			if chance(s.rng, 10) {
				return m.Reset(ctx, name)
			}
			before, n := m.Value(name), int64(s.rng.Intn(20)-5)
			err := m.Add(ctx, name, n)
			if got := m.Value(name); err == nil && got != before+n {
				return fmt.Errorf("counter %q is %d, after %d and %d more", name, got, before, n)
			}
			return err
		},
		func(h model.Model) any { return maps.Collect(h.(*model.Counter).All()) },
	},
	"set": {
		func() model.Handle { return new(model.Set[int]) },
		func(s *swarm, h model.Model) error {
			m, name, elem := h.(*model.Set[int]), name(s), s.rng.Intn(3)
			if chance(s.rng, 3) {
				return m.Remove(ctx, name, elem)
			}
			if chance(s.rng, 20) {
				return m.Clear(ctx, name)
			}
			return m.Add(ctx, name, elem)
		},
		func(h model.Model) any {
			all := map[string][]int{}
			for name := range h.(*model.Set[int]).Names() {
				all[name] = slices.Collect(h.(*model.Set[int]).All(name))
			}
			return all
		},
	},
	"register": {
		func() model.Handle { return new(model.Register[int]) },
		func(s *swarm, h model.Model) error {
			m, name := h.(*model.Register[int]), name(s)
			switch s.rng.Intn(8) {
			case 0:
				return m.Delete(ctx, name)
			case 1:
				return m.Resolve(ctx, name, slices.Max[[]int])
			}
			return m.Set(ctx, name, s.rng.Intn(1000))
		},
		func(h model.Model) any { return maps.Collect(h.(*model.Register[int]).All()) },
	},
	"log": {
		func() model.Handle { return new(model.Log[int]) },
		func(s *swarm, h model.Model) error {
			m := h.(*model.Log[int])
			if chance(s.rng, 10) {
				return m.Truncate(ctx, s.rng.Intn(30))
			}
			return m.Append(ctx, s.rng.Intn(1000))
		},
		func(h model.Model) any { return slices.Collect(h.(*model.Log[int]).All()) },
	},
	"presence": {
		func() model.Handle { return new(model.Presence[int]) },
		func(s *swarm, h model.Model) error {
			m := h.(*model.Presence[int])
			switch s.rng.Intn(6) {
			case 0:
				return m.Delete(ctx)
			case 1, 2:
				return m.Tend(ctx)
			}
			return m.Set(ctx, s.rng.Intn(1000))
		},
		func(h model.Model) any { return maps.Collect(h.(*model.Presence[int]).All()) },
	},
}

// name draws the name of a counter, a set, and so on.
func name(s *swarm) string { return fmt.Sprint("k", s.rng.Intn(s.keys)) }

// modelFaults are those of a swarm of models: what is not about what nodes attach.
var modelFaults = []func(*swarm){
	(*swarm).comeBack, (*swarm).crash, (*swarm).revive, (*swarm).leave, (*swarm).bounce, (*swarm).orphan,
	func(s *swarm) { s.Replay(5) }, (*swarm).split, (*swarm).split, (*swarm).turnClock, (*swarm).pause, (*swarm).forget,
}

// modelSwarm is a swarm whose nodes use models of this package's users.
type modelSwarm struct {
	*swarm
	of map[string]workload // by space
}

func newModelSwarm(seed int64, nodes int, of map[string]workload, trace io.Writer) (*modelSwarm, error) {
	rng := rand.New(rand.NewSource(seed))
	s := &modelSwarm{of: of, swarm: &swarm{
		rng: rng, seen: map[string]uint64{}, steppedBy: map[*sim.Node]bool{},
		events: 60 + rng.Intn(80), pace: pick(rng, 20*time.Millisecond, 100*time.Millisecond, 300*time.Millisecond),
		keys: pick(rng, 1, 4), burst: pick(rng, 1, 2, 8),
	}}
	s.faults = make([]func(*swarm), 6) // nothing breaks
	for _, f := range modelFaults {
		if chance(rng, 2) {
			s.faults = append(s.faults, f)
		}
	}
	e := sizes(rng)
	e.MaxUpdate, e.MaxStream, e.MaxReplicas = 16<<10, 0, 0
	e.Collect = !chance(rng, 4)
	if e.MaxDrift > 0 {
		s.maxSkew = 4 * time.Second
	}
	cfg := sim.Config{Seed: seed, Engine: e, Link: link(rng), Trace: trace, Models: func() map[string]model.Model {
		all := map[string]model.Model{}
		for space, w := range of { // order: a map
			all[space] = w.fresh()
		}
		return all
	}}
	if live := rand.New(rand.NewSource(^seed)); chance(live, 3) {
		cfg.Engine.Mesh, cfg.Live = pick(live, 0, 3), sim.Uniform(0, 50*time.Millisecond)
	}
	s.maxUpdate, s.link = e.MaxUpdate, cfg.Link
	var err error
	if s.Sim, err = sim.New(cfg); err != nil {
		return nil, err
	}
	for range nodes {
		s.join()
	}
	return s, nil
}

// run lets nodes write and everything happen, and the faults end; then all show the same.
func (s *modelSwarm) run() error {
	spaces := slices.Sorted(maps.Keys(s.of))
	for range s.events {
		for range 1 + s.rng.Intn(s.burst) {
			space := pick(s.rng, spaces...)
			n := s.living()
			if through, _ := n.Engine().Stable(); through > 0 {
				s.seen["write with a stable time"]++
			}
			if err := s.of[space].write(s.swarm, n.Model(space)); err != nil && !isRefused(err) {
				return fmt.Errorf("%s, %s: %w", n.Name(), space, err)
			}
		}
		if err := s.Run(time.Duration(s.rng.Int63n(int64(s.pace)))); err != nil {
			return err
		}
		if do := pick(s.rng, s.faults...); do != nil {
			do(s.swarm)
		}
	}
	if err := s.settle(); err != nil {
		return err
	}
	return s.equal()
}

// settle ends all faults and waits until the living agree: first until nothing is held
// any more because a clock ran ahead, for which I10 makes no allowance.
func (s *modelSwarm) settle() error {
	s.Heal()
	s.resumeAll()
	s.recallAll()
	if err := s.SetLink(sim.Link{Delay: s.link.Delay}); err != nil {
		return err
	}
	if err := s.Run(s.maxSkew); err != nil {
		return err
	}
	_, err := s.Converge(0)
	return err
}

// equal compares what nodes show that are clean, or are all dirty and retain the same.
func (s *modelSwarm) equal() error {
	var first *sim.Node
	for _, n := range s.Nodes() {
		if !n.Up() || !n.Engine().Clean() {
			continue
		}
		if first == nil {
			first = n
		}
		s.seen["compared"]++
		for space, w := range s.of {
			if got, want := fmt.Sprint(w.show(n.Model(space))), fmt.Sprint(w.show(first.Model(space))); got != want {
				return fmt.Errorf("space %s: %s shows %s, %s %s", space, n.Name(), got, first.Name(), want)
			}
		}
	}
	return nil
}

func isRefused(err error) bool {
	return slices.ContainsFunc([]error{sim.ErrDown, engine.ErrClock, engine.ErrJoining, engine.ErrTooLarge},
		func(e error) bool { return errors.Is(err, e) })
}

// swarmOf runs a swarm of models for every seed.
func swarmOf(t *testing.T, nodes func(seed int64) int, of map[string]workload) {
	total := eachSeed(t, "model-seeds", *modelSeeds, func(seed int64, trace io.Writer) (*swarm, error) {
		s, err := newModelSwarm(seed, nodes(seed), of, trace)
		if err != nil {
			return nil, err
		}
		return s.swarm, s.run()
	})
	if *modelSeeds < 200 {
		return
	}
	for _, what := range []string{"write", "crash", "restart without state", "message lost", "node became dirty", "compared", "tombstone collected", "write with a stable time"} {
		if total[what] == 0 && (total["delete"] > 0 || what == "write") { // where nothing waits for it nobody finds a stable time
			t.Errorf("never happened: %s", what)
		}
	}
}

// Each model, in two spaces of a few nodes, with faults and collection: the invariants
// hold after every event, and in the end all show the same.
func TestSwarmOfModels(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(workloads)) {
		t.Run(name, func(t *testing.T) {
			swarmOf(t, fewNodes, inTwoSpaces(name))
		})
	}
}

func fewNodes(seed int64) int { return 2 + int(seed%5) }

func inTwoSpaces(model string) map[string]workload {
	return map[string]workload{"a": workloads[model], "b": workloads[model]}
}

// All models at once on 20 nodes.
func TestSwarmOfAllModels(t *testing.T) {
	swarmOf(t, func(int64) int { return 20 }, workloads)
}
