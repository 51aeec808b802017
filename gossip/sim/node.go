package sim

import (
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Node is one node of a simulation: a name, and one life after the other under it.
type Node struct {
	sim     *Sim
	name    string
	index   int // in the order of joining
	state   state
	engine  *engine.Engine
	codec   engine.Codec
	encoder encoder // nil: messages are handed over as they are
	watch   watch   // what checks know of it

	maxDatagram int // bytes of a message on each channel
	maxStream   int
	maxUpdate   int
	budget      int // bytes that an exchange, or a window while catching up, carries for certain
	interval    time.Duration
	removeAfter time.Duration

	models  map[string]model.Model
	flow    *flow         // nil: none
	skew    time.Duration // how far its clock is ahead
	due     time.Duration // of its next round, in the simulation's time
	place   int           // in the rota; -1: not there
	alive   int           // place among the living; -1: not there
	peer    *Node         // that it knows now, when Uniform
	peers   map[*Node]belief
	began   time.Duration // its present life
	epochs  []uint64      // of all its lives: no two have one identity
	clean   bool
	leaving bool
	gone    bool      // it left: the others have forgotten it
	backlog []*packet // that came while it was paused
	pipes   map[*Node]*pipe

	watchers []watcher // loops over what changes here
}

// state is what a node does.
type state uint8

const (
	running state = iota
	paused        // it does nothing, and messages wait
	down          // messages to it are lost
)

// Name returns the node's name.
func (n *Node) Name() string { return n.name }

// Up reports whether the node is running, paused or not.
func (n *Node) Up() bool { return n.state != down }

// Leaving reports whether the node is about to leave: it runs for a little longer.
func (n *Node) Leaving() bool { return n.leaving }

// Vector returns what the node knows, of replicas that have vanished everything (R13).
func (n *Node) Vector() clock.Vector { return n.sim.vector(n) }

// Engine returns the engine of the node's present or last life. Only the simulator
// may call what changes it.
func (n *Node) Engine() *engine.Engine { return n.engine }

// Model returns the node's model of a space, one of those that Config.Models made;
// nil if it has not attached the space.
func (n *Node) Model(space string) model.Model { return n.models[space] }

// Clock returns what the node takes for the time.
func (n *Node) Clock() time.Time { return n.sim.start.Add(n.sim.now + n.skew) }

// Rates returns the node's desired and maximum rates, ρ and τ, in updates per
// second; zero without flow control.
func (n *Node) Rates() (desired, maximum float64) {
	if n.flow == nil {
		return 0, 0
	}
	r := n.flow.participant.Rates()
	return r.Desired, r.Maximum
}

// SetDesired sets the rate that the node's writers want, ρ, in updates per second.
func (n *Node) SetDesired(rate float64) {
	if n.flow != nil {
		n.flow.participant.SetDesired(rate)
	}
}

// noteEpoch remembers under which identities the node wrote.
func (n *Node) noteEpoch() {
	if e := n.engine.Self().Epoch; n.epochs[len(n.epochs)-1] != e {
		n.epochs = append(n.epochs, e)
	}
}

// newEpoch returns the epoch of a new life: unix milliseconds, unless an earlier
// life had that (R1).
func (n *Node) newEpoch() uint64 {
	epoch := uint64(max(n.Clock().UnixMilli(), 0))
	for slices.Contains(n.epochs, epoch) {
		epoch++
	}
	return epoch
}

// reschedule puts the node into the rota where its next round belongs.
func (n *Node) reschedule() {
	if n.state != running {
		return
	}
	due := max(n.engine.Next().Sub(n.sim.start)-n.skew, 0)
	if due != n.due || n.place < 0 {
		n.due = due
		n.sim.rota.put(n)
	}
}
