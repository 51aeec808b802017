package main

import (
	"context"
	"math/rand"

	"github.com/insecure-scuttlebutt/scuttlebutt/flowcontrol"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// The phases of experiment 2 (Paper §4), in seconds.
const (
	controlFrom = 15  // before, nobody writes, and τ is 0
	halveAt     = 90  // the budget is halved
	controlS    = 180 // the end
)

// greedy is a desired rate that nobody gets, in updates per second.
const greedy = 20

// controlled is what one run of experiment 2 showed, one value per second.
type controlled struct {
	rate     curve       // τ, mean over participants
	worst    curve       // largest staleness, seconds
	rates    [][]float64 // τ of each participant, by second
	accepted [][]float64 // writes of each participant since the second before, by second
}

// control runs experiment 2 on real engines: desired(i) is what participant i
// wants. The swarm begins at second 15.
func control(ctx context.Context, name string, sc scale, seed int64, with partners, c func() flowcontrol.Controller, desired func(i int) float64) (controlled, error) {
	w, err := newSwarm(sc, engine.Depth, seed, with, func(string) flowcontrol.Controller { return c() })
	if err != nil {
		return controlled{}, err
	}
	index := make(map[string]int, sc.nodes)
	for i, n := range w.sim.Nodes() {
		index[n.Name()] = i
		n.SetDesired(desired(i))
	}
	w.sim.Load(sim.Load{Throttled: true, Draft: func(_ *rand.Rand, n *sim.Node, _ int) (string, model.Draft) {
		return space, w.draft(index[n.Name()])
	}})
	out := controlled{rate: curve{name: name}, worst: curve{name: name}}
	for range controlFrom {
		out.note(make([]float64, sc.nodes), make([]float64, sc.nodes), 0)
	}
	before := make([]int, sc.nodes)
	err = w.seconds(ctx, controlS-controlFrom, func(t int) {
		if t == halveAt-controlFrom {
			w.codec.SetCost(2)
		}
		rates, accepted := make([]float64, sc.nodes), make([]float64, sc.nodes)
		for i, n := range w.sim.Nodes() {
			_, rates[i] = n.Rates()
			n := len(w.ledger.owners[i].at)
			accepted[i], before[i] = float64(n-before[i]), n
		}
		out.note(rates, accepted, w.lag().max())
	})
	return out, err
}

func (c *controlled) note(rates, accepted []float64, worst float64) {
	c.rate.values = append(c.rate.values, mean(rates))
	c.worst.values = append(c.worst.values, worst)
	c.rates = append(c.rates, rates)
	c.accepted = append(c.accepted, accepted)
}

// capacity is the most that each participant can write (DESIGN §6): 2·budget /
// ((N−1)·T), the budget being halved from halveAt on.
func (sc scale) capacity(t int) float64 {
	budget := float64(sc.budget)
	if t >= halveAt {
		budget /= 2
	}
	return 2 * budget / float64(sc.nodes-1)
}
