package swim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/stream"
)

// ErrNameTaken means that another live process, which started earlier, has this
// node's name. Start returns it; when it shows only later, Err does.
var ErrNameTaken = errors.New("swim: another live process has this name")

var (
	_ transport.Linker     = (*Transport)(nil)
	_ transport.FuncSender = (*Transport)(nil)
	_ transport.Source     = (*Transport)(nil)
)

// Transport is one node's access to a cluster. It implements
// transport.Transport; all methods are safe for concurrent use.
type Transport struct {
	cfg         Config
	log         *slog.Logger
	incarnation []byte // names this process; see incarnation.go
	count       counters
	socks       *sockets
	inbox       *inbox
	roster      *roster
	links       *stream.Links
	free        func(msg []byte)                      // of links
	list        atomic.Pointer[memberlist.Memberlist] // nil only inside Start
	datagrams   chan datagram
	claims      chan claim // of our name by others, to be looked into
	unlisted    atomic.Bool
	question    atomic.Pointer[question] // that waits for an answer, nil when none does
	replies     chan reply               // to the questions of others

	ctx     context.Context // done when Close begins
	cancel  context.CancelFunc
	stopped chan struct{}  // closed when nothing may be sent any more
	wg      sync.WaitGroup // every goroutine but those of socks, inbox, links and memberlist
	done    chan struct{}  // closed when all has stopped

	mu      sync.Mutex
	closing bool // Send refuses
	err     error
}

// Start listens, and makes one attempt to join, bounded by ctx and
// Config.JoinTimeout. A node whose seeds do not answer serves alone and keeps
// trying. ctx is not used once Start has returned. It fails with ErrNameTaken
// when a live process answers under this name.
func Start(ctx context.Context, cfg Config) (*Transport, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	cfg.Key, cfg.Join = bytes.Clone(cfg.Key), slices.Clone(cfg.Join)
	t := &Transport{
		cfg:         cfg,
		log:         cfg.Logger,
		incarnation: newIncarnation(time.Now()),
		datagrams:   make(chan datagram, cfg.DatagramQueue),
		claims:      make(chan claim, 1),
		replies:     make(chan reply, 1),
		stopped:     make(chan struct{}),
		done:        make(chan struct{}),
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	var err error
	if t.links, err = t.newLinks(); err != nil {
		return nil, fmt.Errorf("swim: %w", err)
	}
	t.free = t.links.Free
	if t.socks, err = listen(ctx, cfg, &t.count); err != nil {
		return nil, err
	}
	t.roster = newRoster(cfg, transport.Member{Name: cfg.Name, Addr: t.socks.addr.String(), State: transport.Alive, Self: true})
	t.inbox = newInbox(cfg.ReceiveQueue, cfg.ReceiveBytes)
	t.socks.run(t.links.Serve)
	list, err := memberlist.Create(t.memberlistConfig())
	if err != nil {
		t.inbox.close()
		t.links.Close()
		_ = t.socks.Shutdown()
		return nil, fmt.Errorf("swim: %w", err)
	}
	t.list.Store(list)
	t.wg.Go(t.writeDatagrams)
	t.wg.Go(t.sweep)
	if err := t.firstJoin(ctx); err != nil {
		t.stop(doneContext(), err)
		return nil, err
	}
	t.wg.Go(t.rejoin)
	t.wg.Go(t.watchClaims)
	return t, nil
}

func (t *Transport) memberlistConfig() *memberlist.Config {
	adapter := &logAdapter{logger: t.cfg.Logger, count: &t.count, suspect: t.roster.suspect}
	c := memberlist.DefaultLANConfig()
	c.Name = t.cfg.Name
	c.Label = t.cfg.Cluster
	c.SecretKey = t.cfg.Key
	c.Transport = t.socks
	c.BindPort = int(t.socks.addr.Port())
	c.Logger = log.New(adapter, "", 0)
	c.EnableCompression = false
	c.TCPTimeout = t.cfg.TCPTimeout
	c.ProbeInterval = t.cfg.ProbeInterval
	c.ProbeTimeout = t.cfg.ProbeTimeout
	c.SuspicionMult = t.cfg.SuspicionMult
	c.GossipInterval = t.cfg.GossipInterval
	c.RetransmitMult = 8 // with 4, one of 8 nodes misses a change now and then
	c.PushPullInterval = t.cfg.PushPullInterval
	c.GossipToTheDeadTime = t.cfg.GossipToTheDead
	// A failed node may come back at another address at once, but for the time in
	// which its failure spreads: those who still believe the old one would accuse
	// the new one.
	c.DeadNodeReclaimTime = t.cfg.ProbeInterval
	d := delegate{t}
	c.Delegate, c.Events, c.Alive, c.Conflict, c.Merge, c.Ping = d, d, d, d, d, d
	return c
}

// Addr returns the host:port that others reach this node under.
func (t *Transport) Addr() string { return t.socks.addr.String() }

// Send implements transport.Transport. Failed nodes can be sent to; nodes that
// left, and the node itself, are unknown.
func (t *Transport) Send(to string, ch transport.Channel, msg []byte) error {
	return t.send(to, ch, len(msg), func(p peer) error {
		if ch == transport.Datagram {
			return t.queueDatagram(p, msg)
		}
		return t.links.Send(to, msg)
	})
}

// SendFunc implements transport.FuncSender.
func (t *Transport) SendFunc(to string, size int, encode func(b []byte) []byte) error {
	return t.send(to, transport.Stream, size, func(peer) error { return t.links.SendFunc(to, size, encode) })
}

func (t *Transport) send(to string, ch transport.Channel, size int, queue func(p peer) error) error {
	limit := t.cfg.MaxDatagram
	if ch == transport.Stream {
		limit = t.cfg.MaxStream
	}
	if size > limit {
		return fmt.Errorf("swim: %s of %d bytes to %s, limit %d: %w", ch, size, to, limit, transport.ErrTooLarge)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closing {
		return transport.ErrClosed
	}
	p, ok := t.roster.find(to)
	if !ok {
		t.count.inc(dropNoPeer)
		return fmt.Errorf("swim: %s to %q: %w", ch, to, transport.ErrNoPeer)
	}
	if err := queue(p); err != nil {
		return fmt.Errorf("swim: %w", err)
	}
	return nil
}

// Receive implements transport.Transport.
func (t *Transport) Receive() <-chan transport.Packet { return t.inbox.receive() }

// Next implements transport.Source.
func (t *Transport) Next() (transport.Packet, bool) { return t.inbox.next() }

// Members implements transport.Transport. Once closed the list is empty and never
// changes.
func (t *Transport) Members() ([]transport.Member, <-chan struct{}) { return t.roster.members() }

// Err returns nil while the transport works, ErrNameTaken when it had to stop
// because of that, and transport.ErrClosed once it was closed.
func (t *Transport) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Close implements transport.Transport: unless ctx is done, it sends what waits
// for live peers and tells them that this node leaves, for as long as ctx and
// Config.LeaveTimeout allow.
func (t *Transport) Close(ctx context.Context) error {
	t.stop(ctx, transport.ErrClosed)
	return nil
}

// fail stops the transport for a reason of its own, which Err returns.
func (t *Transport) fail(err error) {
	t.log.Info("swim: stopping", "err", err)
	go t.stop(doneContext(), err) // its end is t.done, which Close waits for
}

// stop stops everything, once, and waits for that.
func (t *Transport) stop(ctx context.Context, reason error) {
	t.mu.Lock()
	first := !t.closing
	if first {
		t.closing, t.err = true, reason
	}
	t.mu.Unlock()
	if !first {
		<-t.done
		return
	}
	t.cancel()
	if ctx.Err() == nil {
		t.flush(ctx)
		t.leave(ctx)
	}
	close(t.stopped)
	t.inbox.close() // nobody waits for room in it any more
	t.links.Close()
	_ = t.list.Load().Shutdown() // closes all connections: nothing below waits for the network
	t.wg.Wait()
	t.roster.close()
	close(t.done)
}

// sweep keeps the list of members tidy.
func (t *Transport) sweep() {
	tick := time.NewTicker(min(time.Second, max(t.cfg.RemoveAfter/4, time.Millisecond)))
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			t.roster.sweep(now)
		case <-t.ctx.Done():
			return
		}
	}
}

// doneContext returns a context that is done: stopping with it is abrupt.
func doneContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
