package sim_test

import (
	"math"
	"math/rand"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/flowcontrol"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// fleet is a simulation of real engines with flow control under the paper's
// settings (Paper §4): each node gossips once per second with a peer drawn
// uniformly, exchanges take no time, budgets count updates, the order is depth, and
// everybody writes as fast as it may.
type fleet struct {
	*sim.Sim
	t       testing.TB
	codec   *sim.CountUpdates
	nodes   []*sim.Node
	budget  int
	written map[*sim.Node][]time.Time // by version − 1
}

func newFleet(t testing.TB, n, budget int, control func() flowcontrol.Controller) *fleet {
	t.Helper()
	w := &fleet{t: t, codec: new(sim.CountUpdates), budget: budget, written: map[*sim.Node][]time.Time{}}
	s, err := sim.New(sim.Config{
		Seed: 1, Nodes: n, Uniform: true, Check: sim.Off, Remember: -1,
		Flow:   func(string) flowcontrol.Controller { return control() },
		Models: func() map[string]model.Model { return map[string]model.Model{"s": ownKeys{}} },
		Engine: engine.Config{
			Codec: w.codec, Order: engine.Depth, Budget: budget,
			Interval: time.Second, MinInterval: time.Second, MaxInterval: time.Second,
			Unsafe: engine.Unsafe{Classic: true},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Sim, w.nodes = s, s.Nodes()
	s.Load(sim.Load{Throttled: true, Draft: func(rng *rand.Rand, n *sim.Node, _ int) (string, model.Draft) {
		w.written[n] = append(w.written[n], s.Now())
		return "s", model.Draft{Key: []byte{byte(rng.Intn(64))}}
	}})
	return w
}

// desire sets what these nodes want.
func (w *fleet) desire(rate float64, nodes ...*sim.Node) {
	for _, n := range nodes {
		n.SetDesired(rate)
	}
}

// halve halves the budget of all nodes.
func (w *fleet) halve() {
	w.codec.SetCost(2)
	w.budget /= 2
}

// until runs the fleet up to a number of seconds since its start, and calls each, if
// it is not nil, after every second.
func (w *fleet) until(seconds int, each func()) {
	w.t.Helper()
	for w.Now().Before(w.Start().Add(time.Duration(seconds) * time.Second)) {
		if err := w.Run(time.Second); err != nil {
			w.t.Fatal(err)
		}
		if each != nil {
			each()
		}
	}
}

// law is the capacity law: what each node can write at most (DESIGN §6).
func (w *fleet) law() float64 { return 2 * float64(w.budget) / float64(len(w.nodes)-1) }

// rates returns the mean of τ over some nodes, and how even it is by Jain's index:
// 1 if all have the same, 1/n if one has all.
func (w *fleet) rates(nodes []*sim.Node) (mean, jain float64) {
	var sum, squares float64
	for _, n := range nodes {
		_, tau := n.Rates()
		sum += tau
		squares += tau * tau
	}
	n := float64(len(nodes))
	return sum / n, sum * sum / (n * squares)
}

// staleness is how long ago, in seconds, the oldest update was written that some
// node has not seen.
func (w *fleet) staleness() (most float64) {
	for _, n := range w.nodes {
		vector := n.Engine().Vector()
		for _, o := range w.nodes {
			at := w.written[o]
			if v := vector.Version(o.Engine().Self()); int(v) < len(at) {
				most = max(most, w.Now().Sub(at[v]).Seconds())
			}
		}
	}
	return most
}

// writes returns how many updates per second were written since, on average.
func (w *fleet) writes(since time.Time) float64 {
	count := 0
	for _, at := range w.written {
		for _, a := range at {
			if !a.Before(since) {
				count++
			}
		}
	}
	return float64(count) / w.Now().Sub(since).Seconds()
}

// ownKeys is a model in which each key belongs to its writer: an update makes the
// one before it redundant.
type ownKeys map[slot]*model.Update

type slot struct {
	replica clock.Replica
	key     byte
}

func (o ownKeys) Apply(u *model.Update) model.Effect {
	s := slot{u.Replica, u.Key[0]}
	old := o[s]
	o[s] = u
	if old == nil {
		return model.Effect{}
	}
	return model.Effect{Superseded: []*model.Update{old}}
}

func (o ownKeys) Discard(u *model.Update) { delete(o, slot{u.Replica, u.Key[0]}) }

func (o ownKeys) Supersedes(a, b *model.Update) bool {
	return a.Replica == b.Replica && a.Key[0] == b.Key[0] && a.Version > b.Version
}

// mean returns the mean of some figures.
func mean(all []float64) float64 {
	sum := 0.0
	for _, v := range all {
		sum += v
	}
	return sum / float64(len(all))
}

// off is how far got is from want, as a part of it.
func off(got, want float64) float64 { return math.Abs(got-want) / want }
