package sim_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/flowcontrol"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// weakness takes a rule away: from engines, or from messages on their way.
type weakness struct {
	unsafe engine.Unsafe
	tamper func(to *sim.Node, m *engine.Message)
}

// swarm is a simulation and what happens to it.
type swarm struct {
	*sim.Sim
	rng       *rand.Rand
	seen      map[string]uint64
	padding   string // of node names
	joined    int
	events    int
	pace      time.Duration // between events, at most
	small     bool          // tables of replicas are too small for all
	siblings  bool          // space b is a multi-value register
	eager     bool          // writes are pushed to all at once
	loaded    bool          // nodes write in the background
	live      *rand.Rand    // of links; nil: there are none
	link      sim.Link
	maxSkew   time.Duration
	maxUpdate int
	keys      int // of each space that are written to
	burst     int // writes per event, at most
	deletes   int // of so many writes one is a delete
	relays    int // of so many nodes one attaches only some spaces
	faults    []func(*swarm)
	isCut     bool
	orphaned  bool
	died      bool
	steppedBy map[*sim.Node]bool // nodes that came back with a clock that stepped back
	onlies    []clock.Dot        // updates that nothing supersedes
}

// pick draws one of several.
func pick[T any](rng *rand.Rand, all ...T) T { return all[rng.Intn(len(all))] }

// chance is true once in n times.
func chance(rng *rand.Rand, n int) bool { return rng.Intn(n) == 0 }

// sizes draws the sizes of engines.
func sizes(rng *rand.Rand) engine.Config {
	cfg := engine.Config{
		Interval:       200 * time.Millisecond,
		MaxDatagram:    pick(rng, 512, 1400),
		MaxUpdate:      700,
		MaxStream:      pick(rng, 1212, 1400, 5000),
		MaxDrift:       pick(rng, 0, 2*time.Second),
		Collect:        !chance(rng, 4),
		ReportInterval: pick(rng, 200*time.Millisecond, 2*time.Second),
		RemoveAfter:    pick(rng, time.Second, 2*time.Second, time.Minute),
		Budget:         pick(rng, budgets...),
		Order:          pick(rng, engine.Hybrid, engine.Hybrid, engine.Span, engine.Depth, engine.Breadth),
	}
	if chance(rng, 5) {
		cfg.MaxReplicas = 2 + rng.Intn(6)
	}
	return cfg
}

var budgets = []int{1, 60, 300, 0}

// windows are those of catching up; not drawn, so that all else of a seed is what it is
// without.
var windows = []int{0, 1, 0, 300, 2000}

// link draws what the network does to messages. A round trip is now and then longer
// than an Interval, but not always: then no exchange would end.
func link(rng *rand.Rand) sim.Link {
	ms := func(n int) time.Duration { return time.Duration(rng.Intn(n)) * time.Millisecond }
	return sim.Link{
		Delay: pick(rng, nil, sim.Constant(ms(90)), sim.Uniform(0, ms(200)), sim.Uniform(0, ms(200)), sim.Uniform(0, ms(200)),
			sim.Exponential(ms(100)), sim.Normal(ms(90), ms(60))),
		Loss: 0.3 * rng.Float64(), Duplicate: 0.3 * rng.Float64(), Late: 0.1 * rng.Float64(),
	}
}

func newSwarm(seed int64, weak weakness, trace io.Writer) (*swarm, error) {
	rng := rand.New(rand.NewSource(seed))
	s := &swarm{
		rng: rng, seen: map[string]uint64{}, steppedBy: map[*sim.Node]bool{},
		events: 40 + rng.Intn(120), padding: strings.Repeat("x", pick(rng, 0, 0, 110)),
		pace:     pick(rng, 20*time.Millisecond, 100*time.Millisecond, 300*time.Millisecond),
		siblings: chance(rng, 3), eager: chance(rng, 3),
		keys: pick(rng, 2, 6, 6), burst: pick(rng, 1, 1, 1, 3),
		deletes: pick(rng, 2, 3, 8), relays: pick(rng, 3, 8),
	}
	s.drawFaults()
	cfg := sim.Config{
		Seed: seed, Engine: sizes(rng), Link: link(rng), Tamper: weak.tamper, Models: s.models, Spaces: s.spacesOf,
	}
	if chance(rng, 10) {
		cfg.Check = sim.Every
	}
	if chance(rng, 3) {
		s.seen["slow failure detectors"]++
		cfg.Detect = pick(rng, 500*time.Millisecond, 2*time.Second)
	}
	cfg.Trace = trace
	cfg.Engine.Window = windows[uint64(seed)%uint64(len(windows))]
	cfg.Engine.Unsafe = weak.unsafe
	s.maxUpdate, s.link = cfg.Engine.MaxUpdate, cfg.Link
	if s.small = cfg.Engine.MaxReplicas > 0; s.small {
		s.seen["small tables"]++
	}
	if cfg.Engine.MaxDrift > 0 {
		s.maxSkew = 4 * time.Second
	}
	s.draw(&cfg)
	var err error
	if s.Sim, err = sim.New(cfg); err != nil {
		return nil, err
	}
	for range 2 + rng.Intn(5) {
		s.join()
	}
	if chance(rng, 6) {
		s.load()
	}
	return s, nil
}

// draw adds what only some clusters have.
func (s *swarm) draw(cfg *sim.Config) {
	if chance(s.rng, 2) {
		s.seen["mixed budgets"]++
		base, own := cfg.Engine, map[string]int{}
		for i := range 20 {
			own[s.name(i)] = pick(s.rng, budgets...)
		}
		cfg.EngineOf = func(node string) engine.Config {
			e := base
			e.Budget = own[node]
			return e
		}
	}
	if chance(s.rng, 4) {
		s.seen["weak links"]++
		good, bad := cfg.Link, link(s.rng)
		cfg.LinkOf = func(from, to string) sim.Link {
			if (len(from)+int(from[1])+2*int(to[1]))%3 == 0 {
				return bad
			}
			return good
		}
	}
	// What a weak engine spoils comes of messages that are late: links would hide it.
	if live := rand.New(rand.NewSource(^cfg.Seed)); chance(live, 3) && cfg.Tamper == nil && cfg.Engine.Unsafe == (engine.Unsafe{}) {
		s.seen["links"]++
		s.live = live
		ms := func(n int) time.Duration { return time.Duration(live.Intn(n)) * time.Millisecond }
		cfg.Engine.Mesh = pick(live, 0, 3)
		cfg.Live = pick(live, sim.Constant(ms(3)), sim.Uniform(0, ms(50)), sim.Exponential(ms(40)))
	}
	if chance(s.rng, 4) {
		s.seen["flow control"]++
		cfg.Flow = func(node string) flowcontrol.Controller {
			if node[1]%2 == 0 {
				return new(flowcontrol.AIMD)
			}
			return new(flowcontrol.Quota)
		}
	}
}

// models are those of one life of a node.
func (s *swarm) models() map[string]model.Model {
	all := map[string]model.Model{"a": sim.NewRegister(), "b": sim.NewRegister()}
	if s.siblings {
		all["b"] = newSiblings()
	}
	return all
}

// spacesOf draws what a node attaches when it starts.
func (s *swarm) spacesOf(string) []string {
	all := []string{"a", "b"}
	if s.joined < 3 || !chance(s.rng, s.relays) {
		return all
	}
	s.seen["relay"]++
	return all[:s.rng.Intn(2)]
}

// name returns the name of the i-th node.
func (s *swarm) name(i int) string { return fmt.Sprintf("n%d%s", i, s.padding) }

// join starts another node, a moment after the last one.
func (s *swarm) join() {
	s.joined++
	s.Join(s.name(s.joined - 1))
}

// loadEnds is when what load began has ended.
const loadEnds = 5 * time.Second

// load lets nodes write in the background, too: one far more than others.
func (s *swarm) load() {
	s.seen["burst of one node"]++
	s.loaded = true
	s.Load(sim.Load{
		Rate: 20, Weight: sim.Zipf(2), Until: loadEnds,
		Burst: sim.Burst{On: 300 * time.Millisecond, Off: 700 * time.Millisecond},
	})
}

// traceOf returns the trace of a seed.
func traceOf(t *testing.T, seed int64) []byte {
	var b bytes.Buffer
	s, err := newSwarm(seed, weakness{}, &b)
	if err == nil {
		err = s.run()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
