package memnet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

var _ transport.Linker = (*Endpoint)(nil)

// Endpoint is one node's access to a Network. It implements transport.Transport.
type Endpoint struct {
	net  *Network
	name string

	queue chan transport.Packet // written and closed under net.mu

	// The rest is guarded by net.mu.
	wanted  map[string]bool // to whom it wants connections
	relinks chan struct{}   // capacity 1; see Changed
	views   map[string]view // of every other node known
	changed chan struct{}   // closed when views change
	dropped uint64
	closed  bool
}

func newEndpoint(n *Network, name string) *Endpoint {
	return &Endpoint{
		net:     n,
		name:    name,
		queue:   make(chan transport.Packet, n.cfg.Queue),
		relinks: make(chan struct{}, 1),
		views:   map[string]view{},
		changed: make(chan struct{}),
	}
}

// Name returns the node's name.
func (e *Endpoint) Name() string { return e.name }

// Send implements transport.Transport. It never returns ErrQueueFull. Messages to
// failed nodes are accepted and vanish; nodes that left, and the node itself, are
// unknown.
func (e *Endpoint) Send(to string, ch transport.Channel, msg []byte) error {
	n := e.net
	limit := n.cfg.MaxDatagram
	if ch == transport.Stream {
		limit = n.cfg.MaxStream
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.closed {
		return transport.ErrClosed
	}
	if len(msg) > limit {
		return fmt.Errorf("memnet: %s of %d bytes to %s, limit %d: %w", ch, len(msg), to, limit, transport.ErrTooLarge)
	}
	if v, ok := e.views[to]; !ok || v.state == transport.Left {
		return fmt.Errorf("memnet: send to %s: %w", to, transport.ErrNoPeer)
	}
	n.send(e.name, to, ch, msg)
	return nil
}

// Receive implements transport.Transport.
func (e *Endpoint) Receive() <-chan transport.Packet { return e.queue }

// Members implements transport.Transport. Once closed the list is empty and never
// changes.
func (e *Endpoint) Members() ([]transport.Member, <-chan struct{}) {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	if e.closed {
		return nil, e.changed
	}
	list := make([]transport.Member, 0, len(e.views)+1)
	list = append(list, transport.Member{Name: e.name, Addr: addr(e.name), State: transport.Alive, Self: true})
	for name, v := range e.views {
		list = append(list, transport.Member{Name: name, Addr: addr(name), State: v.state})
	}
	slices.SortFunc(list, func(a, b transport.Member) int { return strings.Compare(a.Name, b.Name) })
	return list, e.changed
}

// Dropped returns how many messages did not fit into the receive queue.
func (e *Endpoint) Dropped() uint64 {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	return e.dropped
}

// Close implements transport.Transport. With a done ctx it is a crash. Messages
// that wait in the receive queue can still be read.
func (e *Endpoint) Close(ctx context.Context) error {
	e.stop(ctx.Err() == nil)
	return nil
}

// stop takes e off the network; the last one takes all timers with it.
func (e *Endpoint) stop(leave bool) {
	n := e.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.closed {
		return
	}
	e.closed = true
	delete(n.nodes, e.name)
	n.relink(e.name)
	close(e.queue)
	e.touch()
	now := time.Now()
	if leave {
		for _, other := range n.nodes {
			if n.connected(e.name, other.name) {
				other.hearLeave(e.name, now)
			}
		}
	}
	n.observe([]string{e.name})
	if len(n.nodes) == 0 {
		clear(n.lines)
		n.stopAll()
	}
}

func addr(name string) string { return "mem:" + name }
