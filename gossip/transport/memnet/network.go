package memnet

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// ErrNameTaken is returned by Join for a name that is on the network already.
var ErrNameTaken = errors.New("memnet: name is taken")

// Network connects nodes by name. All methods are safe for concurrent use.
type Network struct {
	cfg Config

	mu     sync.Mutex
	idle   *sync.Cond           // signalled when firing falls to zero
	nodes  map[string]*Endpoint // who is on the network; all of them are open
	group  map[string]int       // side of the partition; who is not in it is on side 0
	faults Faults               // of links that are not in links
	links  map[wire]Faults      // of single links
	rngs   map[lane]*rand.Rand  // made at first use, kept for ever: a restart does not rewind
	pairs  map[pair]uint64      // connections that are there, and the life of each
	lives  uint64               // connections that there were
	lines  map[lane][]underway  // what goes over connections, first in front
	timers map[*alarm]struct{}  // what will happen later
	firing int                  // alarms that could not be stopped and have not returned
	tap    func(from, to string, ch transport.Channel, msg []byte)
	count  Counters
}

// Counters is what became of messages so far.
type Counters struct {
	Sent       uint64 // accepted by Send
	SentBytes  uint64 // their bytes
	Delivered  uint64 // put into a receive queue, copies included
	Lost       uint64 // by Faults.Loss
	Duplicated uint64 // by Faults.Duplicate
	Cut        uint64 // by a partition, or because nobody had the name on arrival
	Dropped    uint64 // because the receive queue was full
}

// New returns an empty network. It panics when cfg is not valid, as only tests
// make networks.
func New(cfg Config) *Network {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	n := &Network{
		cfg:    cfg.withDefaults(),
		nodes:  map[string]*Endpoint{},
		group:  map[string]int{},
		faults: cfg.Faults,
		links:  map[wire]Faults{},
		rngs:   map[lane]*rand.Rand{},
		pairs:  map[pair]uint64{},
		lines:  map[lane][]underway{},
		timers: map[*alarm]struct{}{},
	}
	n.idle = sync.NewCond(&n.mu)
	return n
}

// Join adds a node. A name can join again once its endpoint is closed, as a
// restarted node. It fails with ErrNameTaken while the name is in use.
func (n *Network) Join(name string) (*Endpoint, error) {
	if name == "" {
		return nil, errors.New("memnet: join: name is empty")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.nodes[name] != nil {
		return nil, fmt.Errorf("memnet: join %q: %w", name, ErrNameTaken)
	}
	e := newEndpoint(n, name)
	n.nodes[name] = e
	now := time.Now()
	for other := range n.nodes {
		e.look(other, now)
	}
	n.lookAll([]string{name})
	n.relink(name)
	return e, nil
}

// SetFaults replaces the faults of all links that have none of their own. It
// panics when f is not valid.
func (n *Network) SetFaults(f Faults) {
	if err := f.Validate(); err != nil {
		panic(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = f
}

// SetLink gives one direction of a link faults of its own. It panics when f is
// not valid.
func (n *Network) SetLink(from, to string, f Faults) {
	if err := f.Validate(); err != nil {
		panic(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links[wire{from, to}] = f
}

// ResetLink takes a link's own faults away again.
func (n *Network) ResetLink(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.links, wire{from, to})
}

// Partition cuts the network: nodes of different groups, by name, cannot reach
// each other. All nodes in no group are on one further side. It replaces an earlier
// partition and holds for names that join later. Messages under way are cut too.
func (n *Network) Partition(groups ...[]string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.group)
	for i, names := range groups {
		for _, name := range names {
			n.group[name] = i + 1
		}
	}
	n.observe(nil)
	for name := range n.nodes {
		n.relink(name)
	}
}

// Heal ends the partition.
func (n *Network) Heal() { n.Partition() }

// Crash stops a node abruptly: it does not leave, the others find out. Unknown
// names are ignored.
func (n *Network) Crash(name string) {
	n.mu.Lock()
	e := n.nodes[name]
	n.mu.Unlock()
	if e != nil {
		e.stop(false)
	}
}

// Tap calls f with every message that Send accepts, before its fate, in the order
// of the network; nil ends that. f must not call the network, nor change msg or
// keep it.
func (n *Network) Tap(f func(from, to string, ch transport.Channel, msg []byte)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tap = f
}

// Inject delivers a copy of msg at once to whoever has the name now, as if a
// stranger had sent it, who is no member: no fault and no partition concerns it.
func (n *Network) Inject(to string, ch transport.Channel, msg []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.deliver(lane{to, to, ch}, transport.Packet{Channel: ch, Bytes: append([]byte(nil), msg...)})
}

// Counters returns what became of messages so far.
func (n *Network) Counters() Counters {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.count
}

// connected reports whether no partition is between two names. n.mu is held.
func (n *Network) connected(a, b string) bool { return n.group[a] == n.group[b] }

// send gives a message its fate and delivers it or sees to it. n.mu is held.
func (n *Network) send(from, to string, ch transport.Channel, msg []byte) {
	n.count.Sent++
	n.count.SentBytes += uint64(len(msg))
	if n.tap != nil {
		n.tap(from, to, ch, msg)
	}
	f, ok := n.links[wire{from, to}]
	if !ok {
		f = n.faults
	}
	l := lane{from, to, ch}
	r := n.rngs[l]
	if r == nil {
		r = l.rng(n.cfg.Seed)
		n.rngs[l] = r
	}
	d := f.draw(r, ch)
	if !n.connected(from, to) {
		n.count.Cut++
		return
	}
	if d.lost {
		n.count.Lost++
		if ch == transport.Stream {
			n.snap(from, to)
		}
		return
	}
	if ch == transport.Stream && n.pairs[pairOf(from, to)] > 0 {
		n.queue(d.delay, l, msg)
		return
	}
	n.deliverAfter(d.delay, l, msg)
	if d.twice {
		n.count.Duplicated++
		n.deliverAfter(d.delayCopy, l, msg)
	}
}

// deliverAfter hands a copy of msg over now, or later. n.mu is held.
func (n *Network) deliverAfter(d time.Duration, l lane, msg []byte) {
	p := transport.Packet{Channel: l.ch, Bytes: append([]byte(nil), msg...)}
	if d == 0 {
		n.deliver(l, p)
		return
	}
	n.after(d, func() { n.deliver(l, p) })
}

// deliver puts p into the queue of whoever has the name now. n.mu is held.
func (n *Network) deliver(l lane, p transport.Packet) {
	e := n.nodes[l.to]
	if e == nil || !n.connected(l.from, l.to) {
		n.count.Cut++
		return
	}
	select {
	case e.queue <- p:
		n.count.Delivered++
	default:
		n.count.Dropped++
		e.dropped++
	}
}
