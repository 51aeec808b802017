package main

import (
	"context"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
)

// contender is an order of experiment 1.
type contender struct {
	name      string
	reconcile func(ctx context.Context, name string, sc scale, write load, seed int64) (reconciled, error)
}

// baselines are the paper's idealised orders, which need synchronised clocks and
// digests as large as the state.
var baselines = []contender{{"precise-newest", precisely(false)}, {"precise-oldest", precisely(true)}}

// orders are those of engines.
var orders = []contender{
	{"depth", onEngines(engine.Depth)},
	{"breadth", onEngines(engine.Breadth)},
	{"span", onEngines(engine.Span)},
	{"hybrid", onEngines(engine.Hybrid)},
}

// onEngines runs experiment 1 on real engines.
func onEngines(order engine.Order) func(context.Context, string, scale, load, int64) (reconciled, error) {
	return func(ctx context.Context, name string, sc scale, write load, seed int64) (reconciled, error) {
		w, err := newSwarm(sc, order, seed, random, nil)
		if err != nil {
			return reconciled{}, err
		}
		out := reconciledAs(name)
		err = w.seconds(ctx, reconcileS, func(t int) {
			switch t {
			case 0:
				w.codec.SetCost(0)
			case limitFrom:
				w.codec.SetCost(1)
			}
			out.note(w.lag())
			write(w, writesIn(t))
		})
		return out, err
	}
}

// precisely runs experiment 1 on a baseline. Its load is always even.
func precisely(oldest bool) func(context.Context, string, scale, load, int64) (reconciled, error) {
	return func(ctx context.Context, name string, sc scale, _ load, seed int64) (reconciled, error) {
		p, err := sim.NewPrecise(sim.PreciseConfig{Seed: seed, Nodes: sc.nodes, Keys: sc.keys, Oldest: oldest, Rate: float64(writesIn(0))})
		if err != nil {
			return reconciled{}, err
		}
		out := reconciledAs(name)
		for t := range reconcileS + 1 {
			if t == limitFrom {
				p.SetBudget(sc.budget)
			}
			l := lag{worst: make([]float64, sc.nodes)} // here by who has not seen it
			for i := range sc.nodes {
				l.stale += float64(p.Stale(i)) / float64(sc.nodes)
				l.worst[i] = p.Staleness(i).Seconds()
			}
			out.note(l)
			p.SetRate(float64(writesIn(t + 1))) // the second that begins now is planned already
			p.Run(time.Second)
			if err := context.Cause(ctx); err != nil {
				return reconciled{}, err
			}
		}
		return out, nil
	}
}
