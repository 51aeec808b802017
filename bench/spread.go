package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

const (
	hop         = 5 * time.Millisecond // one-way delay: 0.005 T
	spreadLimit = time.Minute          // far more than any number of nodes needs
)

// heard is a model that counts, for all nodes of a simulation together, how many
// have the first update of a replica.
type heard struct {
	count *int
	known map[clock.Replica]bool
}

// Apply implements model.Model.
func (h *heard) Apply(u *model.Update) model.Effect {
	if !h.known[u.Replica] {
		h.known[u.Replica] = true
		*h.count++
	}
	return model.Effect{}
}

// Discard implements model.Model.
func (h *heard) Discard(*model.Update) {}

// Supersedes implements model.Model.
func (h *heard) Supersedes(a, b *model.Update) bool { return false }

// spread returns how long one update takes until the last of n real engines has
// it: one gossip per second and node, no budget.
func spread(ctx context.Context, n int, seed int64) (time.Duration, error) {
	count := 0
	s, err := sim.New(sim.Config{
		Seed: seed, Nodes: n, Uniform: true, Check: sim.Off, Remember: -1,
		Link: sim.Link{Delay: sim.Constant(hop)},
		Engine: engine.Config{
			Codec: new(sim.CountUpdates), Interval: time.Second, MinInterval: time.Second, MaxInterval: time.Second,
			Timeout: 5 * time.Second, Unsafe: engine.Unsafe{Classic: true},
		},
		Models: func() map[string]model.Model {
			return map[string]model.Model{space: &heard{count: &count, known: make(map[clock.Replica]bool)}}
		},
	})
	if err != nil {
		return 0, err
	}
	// The first second is when nodes begin, each at a moment of its own.
	at := time.Second + time.Duration(s.Rand().Int63n(int64(time.Second)))
	s.At(at, func() { err = s.Write(s.Nodes()[0], space, model.Draft{Key: []byte{0}}) })
	stop := fmt.Errorf("bench: one update reached only some of %d nodes in %v", n, spreadLimit)
	if e := s.Until(spreadLimit, "all nodes have the update", func() bool { return err != nil || count == n || ctx.Err() != nil }); e != nil {
		return 0, fmt.Errorf("%w: %w", stop, e)
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	return s.Now().Sub(s.Start()) - at, err
}

const spreadLawName = "0.81·ln N + 0.6"

// spreadLaw is what the literature says for it, in rounds.
func spreadLaw(n int) float64 { return 0.81*math.Log(float64(n)) + 0.6 }
