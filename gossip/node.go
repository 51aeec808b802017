package gossip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/flowcontrol"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/wire"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Errors that callers tell apart.
var (
	// ErrClosed is returned by everything on a node that was closed or is leaving,
	// or wrapped by what is returned when it had to close by itself.
	ErrClosed = errors.New("gossip: node is closed")
	// ErrNameTaken is returned by Start when another live node has the name, and
	// wrapped by Node.Err when that shows only later.
	ErrNameTaken = errors.New("gossip: another live node has this name")
	// ErrTooLarge is returned by writes of more than Config.MaxUpdate bytes.
	ErrTooLarge = engine.ErrTooLarge
	// ErrThrottled is returned by writes that would have to wait and are told not to,
	// and wrapped, with the context's error, by those that have waited in vain: at
	// present gossip cannot carry more (see Config.Flow).
	ErrThrottled = errors.New("gossip: writes are throttled")
	// ErrAttached is returned by Attach for a space that has a model already.
	ErrAttached = engine.ErrAttached
	// ErrNotAttached is returned by Detach for a space without a model.
	ErrNotAttached = engine.ErrNotAttached
	// ErrModelType is returned by Attach for a model of another type than the space had
	// before, or has at another node.
	ErrModelType = engine.ErrModelType
	// ErrQuota is returned by writes that would take a space over the limits that it was
	// attached with.
	ErrQuota = engine.ErrQuota
	// ErrClock is returned by writes while this node's clock is far ahead of most
	// others'.
	ErrClock = engine.ErrClock
	// ErrJoining is returned by writes that are told not to wait, in the first moments of
	// a node that found others: before one of them has taken it for a member.
	ErrJoining = engine.ErrJoining
	// ErrUnknownNode is returned by Retire for a name of which nothing is known.
	ErrUnknownNode = engine.ErrUnknownNode
	// ErrAlive is returned by Retire for a node that is not gone.
	ErrAlive = engine.ErrAlive
)

// Node is a running member of a cluster. All methods are safe for concurrent use.
type Node struct {
	cfg       Config
	log       *slog.Logger
	transport transport.Transport
	linker    transport.Linker // the same; nil: no live updates
	codec     *wire.Codec
	counters  counters
	metrics   *collector // nil without Config.Metrics
	throttle  *throttle  // nil without flow control

	// order is held from a call that changes the engine until its output is dealt
	// with: messages leave in the order in which they were made, while readers wait
	// for mu only. It is taken before mu.
	order   sync.Mutex
	watches watches // its loops are guarded by order
	trouble trouble // that was logged; guarded by order
	tenders tenders

	mu        *lock // guards the engine, the models, and what follows
	engine    *engine.Engine
	spaces    map[string]*host // attached
	standings standings
	armed     time.Time     // when the timer loop will wake up; zero: it is up
	conflicts uint64        // of model types that were logged
	joining   chan struct{} // closed when local writes are taken; nil: they are
	leaving   bool          // no more writes
	closed    error         // no more calls of the engine, and why

	described described
	encoded   encoded

	wake   chan struct{} // capacity 1: the timer loop must look at engine.Next again
	fresh  chan struct{} // capacity 1: there is something to feed links with
	unseen atomic.Int64  // how often there was something more while fresh was full
	done   chan struct{} // closed when the node is
	loops  sync.WaitGroup

	stopped chan struct{} // closed when the transport is, too

	patience context.Context // done once Close was called: a Leave under way must not wait
	hurry    context.CancelFunc
}

// Member is a node of the cluster.
type Member struct {
	transport.Member
	// Metadata is what the node says of itself, by Config.Metadata or SetMetadata; nil if
	// nothing, if it is not here yet, or while the node is not there. It is the
	// receiver's own.
	Metadata []byte
}

// CatchUp is how far a node has got that fetches much from one peer: its name, and how
// many versions came of those that the peer had and the node did not. Versions count what
// was overwritten, too.
type CatchUp = engine.CatchUp

// Status is a node's view of itself and of the data.
type Status struct {
	Self    clock.Replica
	Addr    string
	Clean   bool // the models' state is exact for everything in Vector (R4)
	Vector  clock.Vector
	Pending uint64               // versions that peers know and this node does not, and links do not bring, as last seen
	CatchUp CatchUp              // of a node that fetches much from one peer; zero: it does not
	Peers   int                  // alive or suspect members besides this one
	Links   int                  // connections over which live updates come and go
	Rates   flowcontrol.Rates    // of this node's writes; Maximum is infinite while they are not held back
	Spaces  []engine.SpaceStatus // without the node's own
	Stats   engine.Stats
	Stable  time.Time // everything older is known to all members (R7); zero: unknown, or nothing waits to be collected
	Oldest  time.Time // of the tombstones and expired updates that wait to be collected; zero: none do
	Waiting []string  // what keeps tombstones from being collected: members and conditions, by name; empty: nothing
	Retired int       // node names of which something is over: they left, were lost, or have begun later lives (R13)
}

// Start starts a node and returns when it can be used: it listens, and one
// attempt to join was made. ctx bounds that only. A node whose seeds do not
// answer serves alone and keeps trying. Errors: a field that Validate names,
// ErrNameTaken, or what the network or the metrics registry said.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	t := cfg.Transport
	if t == nil {
		var err error
		if t, err = listen(ctx, cfg); err != nil {
			return nil, err
		}
	}
	n, err := newNode(cfg, t)
	if err == nil {
		err = n.register()
	}
	if err != nil {
		if cfg.Transport == nil {
			_ = t.Close(canceled()) // the first error matters more
		}
		return nil, err
	}
	n.loops.Go(n.receive)
	n.loops.Go(n.rounds)
	n.loops.Go(n.membership)
	n.loops.Go(n.tend)
	if n.linker != nil {
		n.loops.Go(n.feed)
	}
	return n, nil
}

// newNode returns a node at rest.
func newNode(cfg Config, t transport.Transport) (*Node, error) {
	now := time.Now()
	seed := cfg.Seed
	if seed == 0 {
		seed = rand.Int63()
	}
	n := &Node{
		cfg: cfg, log: cfg.Logger.With("node", cfg.Name),
		transport: t, codec: wire.New(cfg.Cluster), mu: newLock(),
		spaces:    map[string]*host{},
		throttle:  newThrottle(cfg),
		standings: standings{of: map[string]model.Standing{}, known: now.Add(cfg.RemoveAfter)},
		tenders:   tenders{spaces: map[string]model.Tender{}, wake: make(chan struct{}, 1)},
		wake:      make(chan struct{}, 1), fresh: make(chan struct{}, 1), done: make(chan struct{}), stopped: make(chan struct{}),
	}
	if !cfg.RoundsOnly {
		n.linker, _ = t.(transport.Linker)
	}
	n.patience, n.hurry = context.WithCancel(context.Background())
	joining := n.hasPeers()
	if joining {
		n.joining = make(chan struct{})
	}
	var err error
	n.engine, err = engine.New(now, engine.Config{
		Self:    clock.Replica{Node: cfg.Name, Epoch: uint64(max(now.UnixMilli(), 1))},
		Cluster: cfg.Cluster, Codec: n.codec, Rand: rand.New(rand.NewSource(seed)),
		Interval: cfg.Interval, MinInterval: cfg.MinInterval, MaxInterval: cfg.MaxInterval,
		Budget: cfg.Budget, Window: cfg.Window, Order: cfg.Order, Flow: n.throttle.flow(), MaxDatagram: cfg.MaxDatagram, MaxUpdate: cfg.MaxUpdate,
		Collect: true, RemoveAfter: cfg.RemoveAfter, ReportInterval: cfg.ReportInterval, Joining: joining, JoinTimeout: joinTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("gossip: start: %w", err)
	}
	return n, n.describe()
}

// Status returns what the node knows now; what it knew last, once it is closed.
func (n *Node) Status() Status {
	var s Status
	n.status(&s, func() { s.Vector = n.engine.Vector() })
	return s
}

// status fills in a Status but for its Vector, and calls a function while the engine does
// not change.
func (n *Node) status(s *Status, also func()) {
	for _, m := range n.Members() {
		switch {
		case m.Self:
			s.Addr = m.Addr
		case m.State == transport.Alive || m.State == transport.Suspect:
			s.Peers++
		}
	}
	defer n.mu.RUnlock(n.mu.RLock())
	s.Self = n.engine.Self()
	s.Clean = n.engine.Clean()
	also()
	s.Pending = n.engine.Pending()
	s.Links = n.engine.Links()
	s.CatchUp = n.engine.CatchUp(time.Now())
	s.Rates = n.throttle.rates(time.Now())
	s.Spaces = slices.DeleteFunc(n.engine.Spaces(), func(s engine.SpaceStatus) bool { return s.Space == metadataSpace })
	s.Stats = n.engine.Stats()
	s.Retired = len(n.engine.Retired())
	stable, waiting := n.engine.Stable()
	if s.Waiting = waiting; stable > 0 {
		s.Stable = stable.Time()
	}
	if oldest := n.engine.OldestDead(); oldest > 0 {
		s.Oldest = oldest.Time()
	}
}

// Retire declares a node lost for good: one that failed and will never come back, or
// whose name will not be used again. What it wrote stays. What it wrote that no reachable
// node has is not waited for any more, and it does not count for the majority of nodes
// that collecting tombstones takes. All others learn of it by gossip. If the node lives
// all the same it becomes a new replica, and keeps what it wrote that was not known here.
// Errors: ErrAlive for a member that has not failed, ErrUnknownNode, ErrClosed, ctx's.
func (n *Node) Retire(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return n.do(func(now time.Time) (engine.Output, error) {
		if name == n.cfg.Name {
			return engine.Output{}, fmt.Errorf("%w: %q is this node", ErrAlive, name)
		}
		return engine.Output{}, n.engine.Retire(now, name)
	})
}

// Done returns a channel that is closed when the node is: by Close, by Leave, or
// by itself when it cannot go on, which Err tells apart.
func (n *Node) Done() <-chan struct{} { return n.done }

// Err returns nil while the node is open, and then why it is not: ErrClosed, or
// an error that wraps it and ErrNameTaken when it turned out that an older live
// node has this name, or the transport's error.
func (n *Node) Err() error {
	defer n.mu.RUnlock(n.mu.RLock())
	return n.closed
}

// do calls the engine by f, under the lock, and deals with the output after it.
func (n *Node) do(f func(now time.Time) (engine.Output, error)) error {
	out, err := n.ordered(f)
	if out.Fresh && n.linker != nil {
		n.wakeFeeder()
	}
	return err
}

func (n *Node) ordered(f func(now time.Time) (engine.Output, error)) (engine.Output, error) {
	n.order.Lock()
	defer n.order.Unlock()
	out, err := n.locked(f)
	n.handle(out)
	return out, err
}

func (n *Node) locked(f func(now time.Time) (engine.Output, error)) (engine.Output, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed != nil {
		return engine.Output{}, n.closed
	}
	n.encoded.reuse(n.engine)
	now := time.Now()
	out, err := f(now)
	if n.joining != nil && !n.engine.IsJoining(now) {
		close(n.joining)
		n.joining = nil
	}
	if next := n.engine.Next(); next.Before(n.armed) {
		n.armed = next
		select {
		case n.wake <- struct{}{}:
		default: // the loop has not seen the last one yet
		}
	}
	return out, err
}

// handle does the work that the engine left. order is held, mu is not.
func (n *Node) handle(out engine.Output) {
	for _, e := range out.Send {
		n.throttle.note(n.engine.Self(), e.Message)
		n.send(e)
	}
	n.watches.note(out.Changed)
	n.noteTrouble()
	n.noteTended(out.Changed)
	if n.metrics == nil {
		return
	}
	now := time.Now()
	for _, c := range out.Changed {
		if c.New != nil && c.New.Replica.Node != n.cfg.Name {
			n.metrics.staleness.Observe(max(now.Sub(c.New.Time.Time()), 0).Seconds())
		}
	}
}

// canceled returns a context that is done.
func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
