package sim

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/flowcontrol"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/wire"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Config says what is simulated. Zero fields take the default on their line.
type Config struct {
	Seed  int64 // of everything random
	Nodes int   // that are there at the start, named n0, n1, …; default none: Join them

	Engine   engine.Config                            // of every node; Self, Cluster, Rand and Flow are the simulator's, and Codec unless it is set
	EngineOf func(node string) engine.Config          // if not nil, instead of Engine
	Flow     func(node string) flowcontrol.Controller // of a node's flow control; nil: none takes part

	// Models returns fresh models by space, for one life of a node, or for an oracle.
	// A model.Handle is bound, and writes through it are writes of its node. Default:
	// a Register in space "s".
	Models func() map[string]model.Model
	Spaces func(node string) []string // those of Models that a node attaches when it starts; default all

	Link   Link                       // between any two nodes
	LinkOf func(from, to string) Link // if not nil, instead of Link
	// Live gives nodes the links for live updates that they want (engine.Neighbours), over
	// which each message takes so long, in order. Default: none.
	Live Delay
	// Uniform gives each node one peer at a time, drawn anew for every round, uniformly
	// among the living (the paper's choice of partners); memory and time per node do
	// not depend on the number of nodes then. Meant for delays far below an Interval:
	// an exchange that is under way when the next round begins is broken off. Default:
	// everybody knows everybody.
	Uniform bool

	// Detect is about how long a node takes to notice that messages between it and
	// another do not pass both ways any more, or pass again; it takes the other one for
	// failed meanwhile. Default: crashes are noticed at once, and nothing else is.
	Detect time.Duration

	Check    Check     // default Touched
	Remember int       // messages that Replay chooses from: a random sample of all; default 256
	Trace    io.Writer // one line per event; default none

	// Tamper may change each message before it arrives, in place: for tests that show
	// what a rule is for.
	Tamper func(to *Node, m *engine.Message)
}

// Check says when invariants are checked.
type Check uint8

// The times at which invariants are checked.
const (
	Touched Check = iota // after each event at the node that it touched; at all every 1,000 events, and by Converge and Sim.Check
	Every                // after each event at all nodes
	Off                  // never: for figures
)

// cluster is the id of every simulated cluster.
const cluster = "sim"

// Validate reports the first field that cannot be used, defaults applied.
func (c Config) Validate() error {
	switch {
	case c.Nodes < 0:
		return fmt.Errorf("sim: Config.Nodes: %d", c.Nodes)
	case c.Detect < 0:
		return fmt.Errorf("sim: Config.Detect: %v", c.Detect)
	case c.Check > Off:
		return fmt.Errorf("sim: Config.Check: %d is unknown", c.Check)
	}
	if err := c.Link.validate(); err != nil {
		return fmt.Errorf("sim: Config.Link: %w", err)
	}
	c = c.withDefaults()
	if len(c.Models()) == 0 {
		return fmt.Errorf("sim: Config.Models: there are none")
	}
	return c.engineOf("n"+strconv.Itoa(c.Nodes), 0, source(0)).Validate()
}

func (c Config) withDefaults() Config {
	if c.Models == nil {
		c.Models = func() map[string]model.Model { return map[string]model.Model{"s": NewRegister()} }
	}
	if c.Remember == 0 {
		c.Remember = 256
	}
	return c
}

// engineOf returns the configuration of one life of a node.
func (c Config) engineOf(node string, epoch uint64, src source) engine.Config {
	e := c.Engine
	if c.EngineOf != nil {
		e = c.EngineOf(node)
	}
	e.Self = clock.Replica{Node: node, Epoch: epoch}
	e.Cluster = cluster
	e.Rand = src.rand()
	if e.Codec == nil {
		e.Codec = wire.New(cluster)
	}
	return e
}
