package sim

import (
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/flowcontrol"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

var _ engine.Flow = (*flow)(nil)

// flow is a node's flow control as its engine sees it.
type flow struct {
	sim         *Sim
	participant *flowcontrol.Participant
}

func newFlow(s *Sim, c flowcontrol.Controller) *flow {
	return &flow{s, flowcontrol.NewParticipant(c)}
}

// Rates implements engine.Flow.
func (f *flow) Rates(time.Time) engine.Rates {
	r := f.participant.Rates()
	return engine.Rates{Desired: r.Desired, Maximum: r.Maximum, Capacity: r.Capacity}
}

// Exchanged implements engine.Flow.
func (f *flow) Exchanged(now time.Time, x engine.Exchanged) {
	rates := func(r engine.Rates) flowcontrol.Rates {
		return flowcontrol.Rates{Desired: r.Desired, Maximum: r.Maximum, Capacity: r.Capacity}
	}
	nodes := x.Peers + 1
	if f.sim.cfg.Uniform {
		nodes = len(f.sim.living) // of whom it knows one
	}
	f.participant.Observe(flowcontrol.Exchange{
		Time: now, Initiated: x.Initiated, Nodes: nodes,
		Pending: float64(x.Pending), Budget: x.Budget, Mine: rates(x.Mine), Theirs: rates(x.Theirs),
	})
}
