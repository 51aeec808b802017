package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
)

// What -chaos does to the network.
const (
	datagramLoss = 0.20
	streamLoss   = 0.05
)

// conditions are what the network is like for a while. The zero value is a
// network without faults.
type conditions struct {
	datagrams, streams float64           // shares that are lost
	side               map[string]string // where each node is; nil: everybody reaches everybody
}

// cuts reports whether nothing gets from one node to another.
func (c *conditions) cuts(from, to string) bool { return c.side[from] != c.side[to] }

// loses reports whether a message with a chance from 0 to 1 is lost.
func (c *conditions) loses(ch transport.Channel, chance float64) bool {
	if ch == transport.Datagram {
		return chance < c.datagrams
	}
	return chance < c.streams
}

// String says it for people.
func (c *conditions) String() string {
	var what []string
	if c.side != nil {
		what = append(what, "partitioned")
	}
	if c.datagrams > 0 || c.streams > 0 {
		what = append(what, fmt.Sprintf("%.0f %% of datagrams and %.0f %% of streams are lost", c.datagrams*100, c.streams*100))
	}
	if what == nil {
		return "no faults"
	}
	return strings.Join(what, ", ")
}

// faults is the network between the nodes of one process: all their transports
// share it. Its methods are safe for concurrent use.
type faults struct {
	now       atomic.Pointer[conditions]
	lost, cut atomic.Uint64 // messages
}

func newFaults() *faults {
	f := new(faults)
	f.now.Store(new(conditions))
	return f
}

// faulty is a transport over real sockets that drops some of what it is given to
// send. Membership has its own messages, which are not touched: in the nodes'
// eyes all others stay alive. That is what a short partition looks like anyway, as
// it takes seconds until silent nodes count as failed.
type faulty struct {
	*swim.Transport
	self   string
	faults *faults
}

var _ transport.Transport = faulty{}

// Send implements transport.Transport.
func (t faulty) Send(to string, ch transport.Channel, msg []byte) error {
	now := t.faults.now.Load()
	switch {
	case now.cuts(t.self, to):
		t.faults.cut.Add(1)
		return nil
	case now.loses(ch, rand.Float64()):
		t.faults.lost.Add(1)
		return nil
	}
	return t.Transport.Send(to, ch, msg)
}

// listen opens a node's sockets behind the faults and joins the others.
func (f *faults) listen(ctx context.Context, m *member, join []string) (faulty, error) {
	t, err := swim.Start(ctx, swim.Config{Name: m.name, Cluster: cluster, Bind: m.addr, Join: join})
	return faulty{Transport: t, self: m.name, faults: f}, err
}
