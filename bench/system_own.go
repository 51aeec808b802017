package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// own is a node of this library, with its defaults.
type own struct {
	tr    *noting
	node  *gossip.Node // nil until it begins
	table model.Map[[]byte]
	worse *atomic.Bool // the network is a bad one from now on
}

var _ contestant = (*own)(nil)

// noting is a transport that notes when the first message leaves.
type noting struct {
	*swim.Transport
	first atomic.Int64 // unix nanoseconds; 0: none yet
}

// Send implements transport.Transport.
func (t *noting) Send(to string, ch transport.Channel, msg []byte) error {
	if t.first.Load() == 0 {
		t.first.CompareAndSwap(0, time.Now().UnixNano())
	}
	return t.Transport.Send(to, ch, msg)
}

// network is what is wrong with the network of a cluster, once its members know each
// other. The zero value is a good one.
type network struct {
	refuse bool    // no connections: they break, and cannot be made
	loss   float64 // part of the datagrams that are lost
}

// String says what is wrong, for people.
func (w network) String() string {
	var all []string
	if w.refuse {
		all = append(all, "no streams")
	}
	if w.loss > 0 {
		all = append(all, fmt.Sprintf("%.3g %% loss", 100*w.loss))
	}
	return strings.Join(all, ", ")
}

// scuttlebutt is this library in a network.
func (w network) scuttlebutt() system {
	name := "scuttlebutt"
	if w != (network{}) {
		name += ", " + w.String()
	}
	return system{name, w.open}
}

func (w network) open(ctx context.Context, name string, join []string) (contestant, error) {
	o := &own{worse: new(atomic.Bool)}
	cfg := swim.Config{Name: name, Cluster: cluster, Bind: "127.0.0.1:0", Join: join}
	if w != (network{}) {
		cfg.Cut = func(_, _ string, ch transport.Channel) bool {
			switch {
			case !o.worse.Load():
				return false
			case ch == transport.Stream:
				return w.refuse
			default:
				return rand.Float64() < w.loss
			}
		}
	}
	tr, err := swim.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	o.tr = &noting{Transport: tr}
	return o, nil
}

func (o *own) addr() string { return o.tr.Addr() }

func (o *own) peers() int {
	n := 0
	list, _ := o.tr.Members()
	for _, m := range list {
		if !m.Self && m.State == transport.Alive {
			n++
		}
	}
	return n
}

func (o *own) begin(ctx context.Context) error {
	o.worse.Store(true)
	self := ""
	list, _ := o.tr.Members()
	for _, m := range list {
		if m.Self {
			self = m.Name
		}
	}
	node, err := gossip.Start(ctx, gossip.Config{Name: self, Cluster: cluster, Transport: o.tr})
	if err != nil {
		return err
	}
	o.node = node
	return node.Attach("bench", &o.table)
}

func (o *own) begun() time.Time {
	if at := o.tr.first.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

func (o *own) put(ctx context.Context, key string, value []byte) error {
	return o.table.Set(ctx, key, value)
}

func (o *own) get(key string) ([]byte, bool) { return o.table.Get(key) }
func (o *own) size() int                     { return o.table.Len() }

func (o *own) traffic() traffic {
	c := o.tr.Counters()
	return traffic{
		wire:    c["udp_bytes_out"] + c["tcp_bytes_out"],
		payload: c["datagram_bytes_out"] + c["stream_bytes_out"],
	}
}

func (o *own) close() error {
	if o.node != nil {
		return o.node.Close()
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := o.tr.Close(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
