package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

const (
	cluster = "example" // its id
	space   = "input"   // holds the input
)

// member is one node of the fleet, running or not.
type member struct {
	name    string
	addr    string // once it has run
	node    *gossip.Node
	keys    *model.Map[string]
	metrics *prometheus.Registry
	faults  *faults // between this node and others; nil: none
	was     sample  // what it had counted when its row was filled in last
}

// up reports whether the node runs.
func (m *member) up() bool { return m.node != nil }

// fleet is all nodes, in one process.
type fleet []*member

// running returns how many nodes run.
func (f fleet) running() int {
	n := 0
	for _, m := range f {
		if m.up() {
			n++
		}
	}
	return n
}

// startFleet starts n nodes on free ports of the loopback interface. With faults
// they are between all of them.
func startFleet(ctx context.Context, n int, between *faults) (fleet, error) {
	var f fleet
	for i := range n {
		m := &member{name: fmt.Sprintf("n%d", i+1), addr: "127.0.0.1:0", faults: between}
		f = append(f, m)
		if err := f.start(ctx, m); err != nil {
			return nil, cmp.Or(err, f.close())
		}
	}
	return f, nil
}

// start starts a node, for the first time or again, and joins those that run.
func (f fleet) start(ctx context.Context, m *member) error {
	var join []string
	for _, o := range f {
		if o.up() {
			join = append(join, o.addr)
		}
	}
	registry := prometheus.NewRegistry()
	config := gossip.Config{Name: m.name, Cluster: cluster, Metrics: registry}
	if m.faults == nil {
		config.Bind, config.Join = m.addr, join
	} else {
		t, err := m.faults.listen(ctx, m, join)
		if err != nil {
			return err
		}
		config.Transport = t
	}
	node, err := gossip.Start(ctx, config)
	if err != nil {
		if config.Transport != nil {
			err = errors.Join(err, config.Transport.Close(ctx))
		}
		return err
	}
	keys := new(model.Map[string])
	if err := node.Attach(space, keys); err != nil {
		return cmp.Or(err, node.Close())
	}
	m.node, m.keys, m.metrics, m.was = node, keys, registry, sample{}
	m.addr = node.Status().Addr
	return nil
}

// crash stops a node without a goodbye, as soon as its own writes have reached
// another one: everything is in memory, so what nobody else has got would be lost.
func (f fleet) crash(ctx context.Context, m *member) error {
	self := m.node.Status()
	last := clock.Dot{Replica: self.Self, Version: self.Vector.Version(self.Self)}
	err := poll(ctx, 10*time.Second, func() bool {
		for _, o := range f {
			if o != m && o.up() && (last.Version == 0 || o.node.Status().Vector.Covers(last)) {
				return true
			}
		}
		return false
	})
	if err != nil {
		return fmt.Errorf("%s: its last write, %v, has not reached another node: %w", m.name, last, err)
	}
	err = m.node.Close()
	m.node = nil
	return err
}

// close stops all nodes.
func (f fleet) close() error {
	var errs []error
	for _, m := range f {
		if m.up() {
			errs = append(errs, m.node.Close())
			m.node = nil
		}
	}
	return errors.Join(errs...)
}
