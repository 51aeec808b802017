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

// space is the space that holds the input.
const space = "input"

// pollEvery is how often the example looks whether something has come true.
const pollEvery = time.Millisecond

// member is one node of the fleet, running or not.
type member struct {
	name    string
	addr    string // once it has run
	node    *gossip.Node
	keys    *model.Map[string]
	metrics *prometheus.Registry
	was     sample // what the last report said
}

// up reports whether the node runs.
func (m *member) up() bool { return m.node != nil }

// fleet is all nodes, in one process.
type fleet []*member

// startFleet starts n nodes on free ports of the loopback interface.
func startFleet(ctx context.Context, n int) (fleet, error) {
	var f fleet
	for i := range n {
		m := &member{name: fmt.Sprintf("n%d", i+1), addr: "127.0.0.1:0"}
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
	node, err := gossip.Start(ctx, gossip.Config{
		Name:    m.name,
		Cluster: "example",
		Bind:    m.addr,
		Join:    join,
		Metrics: registry,
	})
	if err != nil {
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

// errLate is returned by poll when the time is up.
var errLate = errors.New("time is up")

// poll waits until done returns true.
func poll(ctx context.Context, within time.Duration, done func() bool) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	deadline := time.After(within)
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return errLate
		case <-tick.C:
		}
	}
	return nil
}
