package main

import (
	"context"
	"fmt"
	"math/rand"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/flowcontrol"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// space is where the participants of an experiment write.
const space = "slots"

// scale is the size of the paper's cluster, or of a smaller one that behaves alike.
type scale struct {
	nodes  int
	keys   int // of each participant
	budget int // updates per direction of an exchange: the paper's MTU
}

// partners says with whom a participant begins an exchange.
type partners uint8

const (
	random    partners = iota // the paper's choice: anybody, drawn anew for each round
	scheduled                 // the engine's
)

// swarm is the paper's cluster on real engines: each gossips once per second, an
// exchange takes no time, and budgets count updates.
type swarm struct {
	scale
	sim      *sim.Sim
	codec    *sim.CountUpdates
	rng      *rand.Rand // of the load
	replicas []clock.Replica
	ledger   *ledger
}

// newSwarm returns a swarm at rest. flow makes each node's controller; nil: none.
func newSwarm(sc scale, order engine.Order, seed int64, with partners, flow func(node string) flowcontrol.Controller) (*swarm, error) {
	codec := new(sim.CountUpdates)
	s, err := sim.New(sim.Config{
		Seed: seed, Nodes: sc.nodes, Uniform: with == random, Check: sim.Off, Remember: -1, Flow: flow,
		Engine: engine.Config{
			Codec: codec, Order: order, Budget: sc.budget,
			Interval: time.Second, MinInterval: time.Second, MaxInterval: time.Second, Timeout: 5 * time.Second,
			Unsafe: engine.Unsafe{Classic: true},
		},
		Models: func() map[string]model.Model { return map[string]model.Model{space: newSlots()} },
	})
	if err != nil {
		return nil, err
	}
	w := &swarm{scale: sc, sim: s, codec: codec, rng: s.Rand(), ledger: newLedger(sc.nodes)}
	for _, n := range s.Nodes() {
		w.replicas = append(w.replicas, n.Engine().Self())
	}
	return w, nil
}

// now is the time since the start.
func (w *swarm) now() time.Duration { return w.sim.Now().Sub(w.sim.Start()) }

// draft is a write of a participant to a random key of its own.
func (w *swarm) draft(i int) model.Draft {
	key := byte(w.rng.Intn(w.keys))
	w.ledger.wrote(i, w.now(), key)
	return model.Draft{Key: []byte{key}}
}

// writeWithin lets a participant write once at a random moment of the second that
// begins now.
func (w *swarm) writeWithin(i int) {
	at := w.now() + time.Duration(w.rng.Int63n(int64(time.Second)))
	w.sim.At(at, func() {
		if err := w.sim.Write(w.sim.Nodes()[i], space, w.draft(i)); err != nil {
			panic(fmt.Sprintf("bench: the engine refused a write of an experiment: %v", err))
		}
	})
}

// seconds runs the swarm from second 0 to last. At the beginning of each it calls
// begin, which samples and says what happens in it.
func (w *swarm) seconds(ctx context.Context, last int, begin func(t int)) error {
	for t := range last {
		begin(t)
		if err := w.sim.Run(time.Second); err != nil {
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
	}
	begin(last)
	return nil
}

// lag compares what the participants know with what was written.
func (w *swarm) lag() lag {
	known := make([]clock.Version, w.nodes*w.nodes)
	for i, n := range w.sim.Nodes() {
		v := n.Engine().Vector()
		for r, id := range w.replicas {
			known[i*w.nodes+r] = v.Version(id)
		}
	}
	return w.ledger.lag(w.now(), func(i, r int) clock.Version { return known[i*w.nodes+r] })
}
