package engine

import (
	"errors"
	"fmt"
	"math/rand"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// Errors that callers tell apart.
var (
	// ErrTooLarge is returned by Write for an update over MaxUpdate (R2).
	ErrTooLarge = errors.New("engine: update is larger than MaxUpdate")
	// ErrAttached is returned by Attach for a space that has a model already.
	ErrAttached = errors.New("engine: space has a model already")
	// ErrModelType is returned by Attach for a model of another type than the space had
	// before, or has at another node.
	ErrModelType = errors.New("engine: space has a model of another type")
	// ErrQuota is returned by Write when a space would grow beyond its limits.
	ErrQuota = errors.New("engine: space is full")
	// ErrNotAttached is returned by Write for a space without a model.
	ErrNotAttached = errors.New("engine: space has no model")
	// ErrClock is returned by Write while this node's clock is MaxDrift ahead of
	// most peers (DESIGN §3).
	ErrClock = errors.New("engine: this node's clock is too far ahead")
	// ErrJoining is returned by Write until a member has admitted this node (R11).
	ErrJoining = errors.New("engine: not a member yet")
	// ErrMessage is wrapped by Step's errors: the message breaks the protocol. The
	// state is as it was.
	ErrMessage = errors.New("engine: bad message")
)

// Config says how an engine works. Zero fields take the default on their line.
// All nodes of a cluster must agree on Cluster and MaxUpdate.
type Config struct {
	Self    clock.Replica // required: who writes here
	Cluster string        // cluster id; seeds all hashes
	Codec   Codec         // required: measures messages
	Rand    *rand.Rand    // required: peer choice, phases, ties; owned by the engine

	Interval    time.Duration // T, time between rounds in normal operation; default 1 s
	MinInterval time.Duration // between rounds while something is missing; default 20 ms, at most Interval
	MaxInterval time.Duration // between rounds while vectors stay equal; default 4 × Interval
	Timeout     time.Duration // an exchange without a message for so long is over; default 5 s

	Order          Order         // which updates go first when not all fit; default Hybrid
	Budget         int           // bytes of updates that one exchange carries per direction; default 1 MiB
	Window         int           // bytes of updates that may be under way to this node while it catches up, outside of Budget; default 0: it keeps to Budget
	MaxDatagram    int           // bytes of one encoded message on the datagram channel; default 1,400
	MaxStream      int           // bytes of one encoded message on the stream channel; default MaxUpdate + 64 KiB
	MaxUpdate      int           // bytes of one encoded update (R2); default 1 MiB
	MaxPeers       int           // peers that are kept track of; default 10,000
	MaxReplicas    int           // replicas, living and dead; default 100,000
	Mesh           int           // nodes of the largest cluster in which each has a link to every other; default 16
	MaxSpaces      int           // spaces, attached or relayed; default 1,000
	RemoveAfter    time.Duration // a failed peer is a member for so long (R10); default 10 min
	ReportInterval time.Duration // least time between two reports (R6); default 10 s
	MaxDrift       time.Duration // an update whose time is further ahead is held; default 10 min

	// Collect lets this node take part in the collection of tombstones (R6–R8): it
	// reports, and collects what all members have reported to know. A member without it
	// holds up all others.
	Collect bool
	// Joining says that there is a cluster to join: no writes before a member has
	// admitted this node, for at most JoinTimeout (R11).
	Joining     bool
	JoinTimeout time.Duration // default 5 s

	// Flow takes part in flow control (Paper §4); nil: no rates are exchanged.
	Flow Flow

	// Unsafe weakens the engine, for tests that show what each rule is for.
	Unsafe Unsafe
}

// Unsafe turns rules off. A cluster with any of them set loses data.
type Unsafe struct {
	Classic    bool          // scuttlebutt as published: no horizon (R4), no state hashes (R12)
	Minority   bool          // collect without a majority (R7)
	Grace      time.Duration // collect what is so old, whoever knows it (against R6–R8); 0: no
	PerReplica bool          // a floor above the vector says nothing of other replicas (against R9)
	OwnClock   bool          // take no time from messages but their updates' (against §4)
}

const (
	// chunk is how many bytes of updates go into one stream message unless a
	// single update is larger: it bounds how long one Step holds its caller's lock.
	chunk = 128 << 10
	// envelope is room for everything in a message but its updates.
	envelope = 64 << 10
)

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	size := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	set(&c.Interval, time.Second)
	set(&c.MinInterval, min(20*time.Millisecond, c.Interval))
	set(&c.MaxInterval, 4*c.Interval)
	set(&c.Timeout, 5*time.Second)
	set(&c.MaxDrift, 10*time.Minute)
	set(&c.JoinTimeout, 5*time.Second)
	set(&c.RemoveAfter, 10*time.Minute)
	set(&c.ReportInterval, 10*time.Second)
	size(&c.Budget, 1<<20)
	size(&c.MaxDatagram, 1400)
	size(&c.MaxUpdate, 1<<20)
	size(&c.MaxStream, c.MaxUpdate+envelope)
	size(&c.MaxPeers, 10_000)
	size(&c.MaxReplicas, 100_000)
	size(&c.MaxSpaces, 1_000)
	size(&c.Mesh, 16)
	return c
}

// Validate reports the first field that cannot be used, defaults applied.
func (c Config) Validate() error {
	c = c.withDefaults()
	bad := func(field string, format string, args ...any) error {
		return fmt.Errorf("engine: Config.%s: %s", field, fmt.Sprintf(format, args...))
	}
	switch {
	case c.Self.Node == "":
		return bad("Self", "needs a node name")
	case len(c.Self.Node) > MaxName:
		return bad("Self", "node name of %d bytes, at most %d", len(c.Self.Node), MaxName)
	case len(c.Cluster) > MaxName:
		return bad("Cluster", "%d bytes, at most %d", len(c.Cluster), MaxName)
	case c.Codec == nil:
		return bad("Codec", "is missing")
	case c.Rand == nil:
		return bad("Rand", "is missing")
	case c.Interval < 0, c.Interval < c.MinInterval:
		return bad("Interval", "%v is below MinInterval %v", c.Interval, c.MinInterval)
	case c.MinInterval < 0:
		return bad("MinInterval", "%v is negative", c.MinInterval)
	case c.MaxInterval < c.Interval:
		return bad("MaxInterval", "%v is below Interval %v", c.MaxInterval, c.Interval)
	case c.Timeout < 0:
		return bad("Timeout", "%v is negative", c.Timeout)
	case c.RemoveAfter < 0:
		return bad("RemoveAfter", "%v is negative", c.RemoveAfter)
	case c.ReportInterval < 0:
		return bad("ReportInterval", "%v is negative", c.ReportInterval)
	case c.MaxDrift < 0:
		return bad("MaxDrift", "%v is negative", c.MaxDrift)
	case c.Order > Breadth:
		return bad("Order", "%v is unknown", c.Order)
	case c.Budget < 1:
		return bad("Budget", "%d bytes", c.Budget)
	case c.Window < 0 || c.Window > 1<<30:
		return bad("Window", "%d bytes, from 0 to 1 GiB", c.Window)
	case c.MaxDatagram < MinMessage:
		return bad("MaxDatagram", "%d bytes, at least %d", c.MaxDatagram, MinMessage)
	case c.MaxUpdate < 1 || c.MaxUpdate > 1<<30:
		return bad("MaxUpdate", "%d bytes, from 1 to 1 GiB", c.MaxUpdate)
	case c.MaxStream < MinMessage || c.MaxStream < c.MaxUpdate+MinMessage:
		return bad("MaxStream", "%d bytes, at least MaxUpdate + %d", c.MaxStream, MinMessage)
	case c.MaxPeers < 1:
		return bad("MaxPeers", "%d", c.MaxPeers)
	case c.MaxReplicas < 1:
		return bad("MaxReplicas", "%d", c.MaxReplicas)
	case c.Mesh < 1:
		return bad("Mesh", "%d nodes", c.Mesh)
	case c.MaxSpaces < 1:
		return bad("MaxSpaces", "%d", c.MaxSpaces)
	}
	return nil
}

// Limits of names, and of the smallest usable message.
const (
	MaxName    = 128 // bytes of a node name, cluster id or space name
	MinMessage = 512 // bytes: any envelope with one digest entry and one batch header fits
)
