package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
)

// What -chaos does to the network.
const (
	packetLoss     = 0.20
	connectionLoss = 0.05
)

// conditions are what the network is like for a while. The zero value is a
// network without faults.
type conditions struct {
	packets, connections float64           // shares that are lost
	side                 map[string]string // where each address is; nil: everybody reaches everybody
}

// cuts reports whether nothing gets from one address to another.
func (c *conditions) cuts(from, to string) bool { return c.side[from] != c.side[to] }

// loses reports whether a packet or a connection with a chance from 0 to 1 is
// lost.
func (c *conditions) loses(ch transport.Channel, chance float64) bool {
	if ch == transport.Datagram {
		return chance < c.packets
	}
	return chance < c.connections
}

// String says it for people.
func (c *conditions) String() string {
	var what []string
	if c.side != nil {
		what = append(what, "partitioned")
	}
	if c.packets > 0 || c.connections > 0 {
		what = append(what, fmt.Sprintf("%.0f %% of packets and %.0f %% of connections are lost", c.packets*100, c.connections*100))
	}
	if what == nil {
		return "no faults"
	}
	return strings.Join(what, ", ")
}

// faults is the network between the nodes of one process: all their transports
// share it. What it does it does to data and membership alike. Its methods are
// safe for concurrent use.
type faults struct {
	now       atomic.Pointer[conditions]
	lost, cut atomic.Uint64 // packets and connections
}

func newFaults() *faults {
	f := new(faults)
	f.now.Store(new(conditions))
	return f
}

// drops decides about one packet or connection, as swim.Config.Cut does.
func (f *faults) drops(from, to string, ch transport.Channel) bool {
	now := f.now.Load()
	switch {
	case now.cuts(from, to):
		f.cut.Add(1)
		return true
	case now.loses(ch, rand.Float64()):
		f.lost.Add(1)
		return true
	}
	return false
}

// listen opens a node's sockets behind the faults and joins the others.
// Membership hurries: a failure shows within seconds and so does a return, as there
// is less than half a minute to watch.
func (f *faults) listen(ctx context.Context, m *member, join []string) (transport.Transport, error) {
	return swim.Start(ctx, swim.Config{
		Name: m.name, Cluster: cluster, Bind: m.addr, Join: join, Cut: f.drops,
		ProbeInterval: 400 * time.Millisecond, ProbeTimeout: 100 * time.Millisecond, SuspicionMult: 2,
		GossipInterval: 50 * time.Millisecond, PushPullInterval: 5 * time.Second,
		JoinInterval: 250 * time.Millisecond, JoinMax: time.Second, RedialInterval: time.Second,
	})
}
