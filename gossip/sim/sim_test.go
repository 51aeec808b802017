package sim_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/flowcontrol"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

func start(t testing.TB, cfg sim.Config) *sim.Sim {
	t.Helper()
	s, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func run(t testing.TB, s *sim.Sim, d time.Duration) {
	t.Helper()
	if err := s.Run(d); err != nil {
		t.Fatal(err)
	}
}

func converge(t testing.TB, s *sim.Sim, limit time.Duration) time.Duration {
	t.Helper()
	took, err := s.Converge(limit)
	if err != nil {
		t.Fatal(err)
	}
	return took
}

// put writes one key.
func put(t testing.TB, s *sim.Sim, n *sim.Node, key, value string) {
	t.Helper()
	if err := s.Write(n, "s", model.Draft{Key: []byte(key), Value: []byte(value)}); err != nil {
		t.Fatal(err)
	}
}

// get returns what a node shows for a key.
func get(n *sim.Node, key string) string {
	if u := n.Model("s").(*sim.Register).Get(key); u != nil {
		return string(u.Value)
	}
	return "nothing"
}

func TestConfig(t *testing.T) {
	for _, tt := range []struct {
		field string
		cfg   sim.Config
	}{
		{"Config.Nodes", sim.Config{Nodes: -1}},
		{"Config.Check", sim.Config{Check: 9}},
		{"Config.Link: Loss", sim.Config{Link: sim.Link{Loss: 1.1}}},
		{"Config.Link: Duplicate", sim.Config{Link: sim.Link{Duplicate: math.NaN()}}},
		{"Config.Link: Late", sim.Config{Link: sim.Link{Late: -1}}},
		{"Config.Link: MaxLate", sim.Config{Link: sim.Link{MaxLate: -1}}},
		{"Config.Models", sim.Config{Models: func() map[string]model.Model { return nil }}},
		{"Config.Budget", sim.Config{Engine: engine.Config{Budget: -1}}},
	} {
		if _, err := sim.New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.field) {
			t.Errorf("%s: got %v", tt.field, err)
		}
	}
	s := start(t, sim.Config{})
	if err := s.SetLink(sim.Link{Loss: 2}); err == nil {
		t.Error("SetLink takes a loss of 2")
	}
	if n := s.Join(strings.Repeat("x", engine.MaxName+1)); n != nil || s.Step() == nil {
		t.Errorf("joined under a name that is too long: %v", n)
	}
}

// Time passes with and without events, and functions run when they are due, those
// of one moment in order.
func TestTime(t *testing.T) {
	s := start(t, sim.Config{})
	var got []string
	note := func(what string) func() {
		return func() { got = append(got, what+" "+s.Now().Sub(s.Start()).String()) }
	}
	s.At(3*time.Second, note("b"))
	s.At(time.Second, func() { note("a")(); s.At(0, note("late")) })
	s.At(3*time.Second, note("c"))
	run(t, s, 3*time.Second)
	s.At(5*time.Second, note("never"))
	run(t, s, time.Second)
	if want := "a 1s, late 1s, b 3s, c 3s"; strings.Join(got, ", ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if d := s.Now().Sub(s.Start()); d != 4*time.Second {
		t.Errorf("it is %v, want 4 s", d)
	}
	if err := s.Until(time.Second, "something", func() bool { return false }); err == nil || !strings.Contains(err.Error(), "something") {
		t.Errorf("Until: %v", err)
	}
}

// A leaving node hands over what it wrote; a crashed one does not.
func TestLeaveAndCrash(t *testing.T) {
	for _, leave := range []bool{true, false} {
		s := start(t, sim.Config{Seed: 1, Nodes: 3, Link: sim.Link{Delay: sim.Constant(10 * time.Millisecond)}})
		run(t, s, 20*time.Second) // rounds have become rare
		n := s.Node("n0")
		put(t, s, n, "k", "last words")
		if leave {
			s.Leave(n)
		} else {
			s.Crash(n)
		}
		run(t, s, 10*time.Second)
		if n.Up() {
			t.Error("still up")
		}
		if err := s.Write(n, "s", model.Draft{}); !errors.Is(err, sim.ErrDown) {
			t.Errorf("write: %v", err)
		}
		converge(t, s, 0)
		if known := get(s.Node("n1"), "k") == "last words"; known != leave {
			t.Errorf("leave %t: known %t", leave, known)
		}
	}
}

// A restart with its state goes on; one without asks the others, under a new epoch.
func TestRestart(t *testing.T) {
	for _, keep := range []bool{true, false} {
		s := start(t, sim.Config{Seed: 1, Nodes: 2})
		n := s.Node("n0")
		put(t, s, n, "k", "v")
		self := n.Engine().Self()
		s.Crash(n)
		run(t, s, time.Second)
		if got := s.Restart(n, keep); got != n || !n.Up() {
			t.Errorf("keep %t: got %v, up %t", keep, got, n.Up())
		}
		converge(t, s, 0)
		if got, same := get(s.Node("n1"), "k") == "v", n.Engine().Self() == self; got != keep || same != keep {
			t.Errorf("keep %t: the write is there: %t, same epoch: %t", keep, got, same)
		}
	}
}

// What comes while a node is paused waits for it.
func TestPause(t *testing.T) {
	s := start(t, sim.Config{Seed: 1, Nodes: 2})
	n := s.Node("n1")
	s.Pause(n)
	put(t, s, s.Node("n0"), "k", "v")
	run(t, s, 10*time.Second)
	if got := get(n, "k"); got != "nothing" {
		t.Errorf("a paused node shows %s", got)
	}
	if !s.Converged() {
		t.Error("the nodes that run agree")
	}
	s.Resume(n)
	converge(t, s, 0)
	if got := get(n, "k"); got != "v" {
		t.Errorf("it shows %s", got)
	}
}

// Two nodes that have forgotten each other do not talk, until they are told.
func TestForget(t *testing.T) {
	s := start(t, sim.Config{Seed: 1, Nodes: 2})
	a, b := s.Node("n0"), s.Node("n1")
	s.Forget(a, b)
	s.Forget(b, a)
	put(t, s, a, "k", "v")
	run(t, s, time.Minute)
	if got := get(b, "k"); got != "nothing" {
		t.Errorf("it shows %s", got)
	}
	s.Recall(b, a)
	converge(t, s, 0)
}

// Cuts cut, on both ways or one; parts agree among themselves.
func TestCuts(t *testing.T) {
	s := start(t, sim.Config{Seed: 1, Nodes: 5})
	s.Cut(sim.Isolate("n4"))
	put(t, s, s.Node("n0"), "k", "v")
	converge(t, s, 0)
	if got := get(s.Node("n4"), "k"); got != "nothing" {
		t.Errorf("it shows %s", got)
	}
	s.Heal()
	if s.Converged() {
		t.Error("they agree at once")
	}
	converge(t, s, 0)
	one := sim.OneWay(rand.New(rand.NewSource(1)), s.Nodes())
	two := sim.Halves(rand.New(rand.NewSource(1)), s.Nodes())
	ways := 0
	for _, a := range s.Nodes() {
		for _, b := range s.Nodes() {
			if two(a.Name(), b.Name()) != two(b.Name(), a.Name()) || one(a.Name(), b.Name()) && one(b.Name(), a.Name()) {
				t.Errorf("%s and %s", a.Name(), b.Name())
			}
			if one(a.Name(), b.Name()) {
				ways++
			}
		}
	}
	if ways == 0 {
		t.Error("OneWay cuts nothing")
	}
}

// In the paper's setting an exchange is atomic, a node meets one peer per round, and
// with flow control all get about the same rate.
func TestUniformFlow(t *testing.T) {
	codec := new(sim.CountUpdates)
	cfg := paperEngine()
	cfg.Codec = codec
	s := start(t, sim.Config{
		Seed: 1, Nodes: 16, Uniform: true, Check: sim.Off, Remember: -1, Engine: cfg,
		Flow: func(string) flowcontrol.Controller { return new(flowcontrol.Quota) },
	})
	for _, n := range s.Nodes() {
		n.SetDesired(100)
	}
	s.Load(sim.Load{Throttled: true, Draft: byteKey})
	rates := func() (lo, hi float64) {
		lo = math.Inf(1)
		for _, n := range s.Nodes() {
			if rho, tau := n.Rates(); rho != 100 {
				t.Fatalf("it desires %v", rho)
			} else {
				lo, hi = min(lo, tau), max(hi, tau)
			}
		}
		return lo, hi
	}
	law := 2 * 100.0 / 15
	run(t, s, 60*time.Second)
	if lo, hi := rates(); lo < 0.5*law || hi > 1.1*law {
		t.Errorf("rates from %.2f to %.2f, the capacity law says %.2f", lo, hi, law)
	}
	codec.SetCost(2) // as if budgets were halved
	run(t, s, 60*time.Second)
	if lo, hi := rates(); lo < 0.25*law || hi > 0.55*law {
		t.Errorf("rates from %.2f to %.2f with half the budget", lo, hi)
	}
}

// One peer at a time is enough, and all is checked: on a network that loses and
// delays, while nodes come and go.
func TestUniformChecked(t *testing.T) {
	s := start(t, sim.Config{
		Seed: 1, Nodes: 20, Uniform: true, Engine: engine.Config{Budget: 500, MaxInterval: time.Second},
		Link: sim.Link{Delay: sim.Exponential(5 * time.Millisecond), Loss: 0.1, Duplicate: 0.1},
	})
	s.Load(sim.Load{Rate: 20, Until: 20 * time.Second})
	s.At(5*time.Second, func() { s.Restart(s.Node("n3"), false) })
	s.At(10*time.Second, func() { s.Crash(s.Node("n4")); s.Join("n20") })
	run(t, s, 20*time.Second)
	converge(t, s, 0)
	if n := s.Node("n20").Model("s").(*sim.Register).Len(); n != 16 {
		t.Errorf("the newcomer knows %d keys", n)
	}
}

// Spread of one update without a budget (PAPER.md): with exchanges that take no time,
// all know it after about 0.81·ln N + 0.6 rounds.
func TestSpread(t *testing.T) {
	const n, runs = 100, 20
	sum := 0.0
	for seed := range int64(runs) {
		s := start(t, sim.Config{Seed: seed, Nodes: n, Uniform: true, Check: sim.Off, Engine: paperEngine()})
		run(t, s, 3*time.Second)
		if err := s.Write(s.Node("n0"), "s", model.Draft{Key: []byte("k")}); err != nil {
			t.Fatal(err)
		}
		sum += converge(t, s, time.Minute).Seconds()
	}
	want := 0.81*math.Log(n) + 0.6
	if got := sum / runs; math.Abs(got-want) > 0.5 {
		t.Errorf("all know after %.2f rounds, want %.2f", got, want)
	}
}

// Loads write as often as they say.
func TestLoads(t *testing.T) {
	for _, tt := range []struct {
		name     string
		load     sim.Load
		lo, hi   uint64 // in 100 s
		majority bool   // most of them at the first node
	}{
		{"Poisson", sim.Load{Rate: 10}, 900, 1100, false},
		{"per node", sim.Load{PerNode: 2}, 900, 1100, false},
		{"paced", sim.Load{PerNode: 2, Paced: true}, 990, 1000, false},
		{"paced fractions", sim.Load{Rate: 1, Paced: true}, 95, 100, false},
		{"bursts", sim.Load{Rate: 40, Burst: sim.Burst{On: time.Second, Off: 3 * time.Second}}, 850, 1150, false},
		{"until", sim.Load{Rate: 100, Until: 10 * time.Second}, 850, 1150, false},
		{"Zipf", sim.Load{Rate: 10, Weight: sim.Zipf(2)}, 900, 1100, true},
		{"Zipf, paced", sim.Load{Rate: 10, Weight: sim.Zipf(2), Paced: true}, 980, 1000, true},
		{"one node", sim.Load{Rate: 10, Nodes: []string{"n0", "nobody"}, Weight: func(i int) float64 { return float64(1 - i) }}, 900, 1100, true},
		{"no weight", sim.Load{Rate: 10, Weight: func(int) float64 { return 0 }}, 0, 0, false},
	} {
		quiet := engine.Config{Interval: time.Hour, MinInterval: time.Hour, MaxInterval: time.Hour}
		s := start(t, sim.Config{Seed: 1, Nodes: 5, Check: sim.Off, Engine: quiet})
		s.Load(tt.load)
		run(t, s, 100*time.Second)
		self := s.Node("n0").Engine()
		first := self.Stats().UpdatesWritten
		if n := s.Counts()["write"]; n < tt.lo || n > tt.hi || (first > n/2) != tt.majority {
			t.Errorf("%s: %d writes, want %d to %d; %d by the first node", tt.name, n, tt.lo, tt.hi, first)
		}
	}
}

// Handles write, and watch: a loop over changes moves the simulation on.
func TestHandles(t *testing.T) {
	s := start(t, sim.Config{Seed: 1, Nodes: 3, Models: func() map[string]model.Model {
		return map[string]model.Model{"m": new(model.Map[int])}
	}})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	at := func(i int) *model.Map[int] { return s.Nodes()[i].Model("m").(*model.Map[int]) }
	for i := range 3 {
		s.At(time.Duration(i)*time.Second, func() {
			if err := at(0).Set(ctx, "k", i); err != nil {
				t.Error(err)
			}
		})
	}
	var got []int
	for e := range at(2).Watch(ctx, model.WatchConfig{}) {
		if !e.Deleted {
			got = append(got, e.Value)
		}
		if e.Value == 2 {
			break
		}
	}
	if len(got) == 0 || got[len(got)-1] != 2 {
		t.Errorf("saw %v", got)
	}
	if now := s.Now().Sub(s.Start()); now < 2*time.Second || now > 4*time.Second {
		t.Errorf("it is %v", now)
	}
	cancel()
	if err := at(0).Set(ctx, "k", 9); !errors.Is(err, context.Canceled) {
		t.Errorf("a write after cancel: %v", err)
	}
	converge(t, s, 0)
}

// A trace has a line for everything, encoded or not.
func TestTrace(t *testing.T) {
	for _, codec := range []engine.Codec{nil, new(sim.CountUpdates)} {
		var b bytes.Buffer
		s := start(t, sim.Config{Seed: 1, Nodes: 2, Engine: engine.Config{Codec: codec}, Link: sim.Link{Loss: 0.3, Duplicate: 0.3, Late: 0.1}, Trace: &b})
		s.Load(sim.Load{Rate: 5, Draft: byteKey})
		run(t, s, 5*time.Second)
		s.Cut(sim.Isolate("n0"))
		run(t, s, time.Second)
		s.Heal()
		s.Crash(s.Node("n0"))
		s.Restart(s.Node("n0"), false)
		for _, what := range []string{
			"0.000000000 join n0", "tick n1", "write n0 \"s\" ", "send n0>n1 ", "lost ", "cut off ", "arrive n1>n0 ",
			"6.000000000 heal", "6.000000000 crash n0", "6.000000000 restart n0",
		} {
			if !strings.Contains(b.String(), what) {
				t.Errorf("no %q", what)
			}
		}
	}
	if _, err := sim.New(sim.Config{Nodes: 1, Trace: full{}}); err == nil {
		t.Error("a trace that cannot be written goes unnoticed")
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }
