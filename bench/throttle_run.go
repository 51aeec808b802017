package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

const (
	cluster   = "bench"                // id of the cluster
	sampling  = 100 * time.Millisecond // between looks at what nodes know
	assembly  = 30 * time.Second       // for all nodes to find each other
	lookAgain = 20 * time.Millisecond  // at whether they have
)

// keyOf is the key of a node's i-th write. Each write has one of its own, so that
// nothing that waits is ever overwritten.
func keyOf(node, i int) string { return strconv.Itoa(node) + "/" + strconv.Itoa(i) }

// crew is a running cluster and what its nodes have written.
type crew struct {
	nodes    []*gossip.Node
	maps     []*model.Map[string]
	replicas []clock.Replica
	begin    time.Time

	mu     sync.Mutex // guards ledger
	ledger *ledger
}

// run lets a cluster write, and measures it.
func (o throttleOptions) run(ctx context.Context, flow bool, stdout io.Writer) (*throttled, error) {
	c, err := o.start(ctx, flow)
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	writing, stop := context.WithTimeout(ctx, o.duration)
	defer stop()
	var wg sync.WaitGroup
	failed := make(chan error, len(c.nodes))
	c.begin = time.Now()
	for i := range c.nodes {
		wg.Go(func() {
			if err := c.write(writing, i, o, flow); err != nil {
				failed <- err
				stop()
			}
		})
	}
	r := c.measure(writing, int(o.duration/time.Second), stdout)
	wg.Wait()
	close(failed)
	return r, errors.Join(<-failed, ctx.Err(), c.close())
}

// start starts the nodes on free ports and waits until all know all and have
// exchanged something.
func (o throttleOptions) start(ctx context.Context, flow bool) (*crew, error) {
	c := &crew{ledger: newLedger(o.nodes)}
	var join []string
	for i := range o.nodes {
		node, err := gossip.Start(ctx, o.config(i, join, flow))
		if err != nil {
			return c, err
		}
		m := new(model.Map[string])
		c.nodes, c.maps = append(c.nodes, node), append(c.maps, m)
		if err := node.Attach(space, m); err != nil {
			return c, err
		}
		status := node.Status()
		c.replicas = append(c.replicas, status.Self)
		join = append(join, status.Addr)
	}
	ctx, cancel := context.WithTimeout(ctx, assembly)
	defer cancel()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	// A node that has exchanged nothing yet is not held back.
	apart := func(n *gossip.Node) bool {
		s := n.Status()
		return s.Peers < o.nodes-1 || flow && math.IsInf(s.Rates.Maximum, 1)
	}
	for slices.ContainsFunc(c.nodes, apart) {
		select {
		case <-again.C:
		case <-ctx.Done():
			return c, fmt.Errorf("throttle: not all %d nodes found each other: %w", o.nodes, context.Cause(ctx))
		}
	}
	return c, nil
}

// config is that of the i-th node. Rounds come at one pace, whatever is missing:
// then what exchanges can carry is known.
func (o throttleOptions) config(i int, join []string, flow bool) gossip.Config {
	control := gossip.FlowOff
	if flow {
		control = gossip.FlowQuota
	}
	return gossip.Config{
		Name: fmt.Sprintf("n%d", i), Cluster: cluster, Bind: "127.0.0.1:0", Join: join, Seed: int64(i + 1), Flow: control,
		Interval: o.interval, MinInterval: o.interval, MaxInterval: o.interval, Budget: o.budget, RoundsOnly: true, // budgets bound rounds
	}
}

// write lets a node write until ctx is done: as fast as it is let, or, without flow
// control, at a rate.
func (c *crew) write(ctx context.Context, i int, o throttleOptions, flow bool) error {
	value := strings.Repeat("v", o.value)
	for n := 0; ctx.Err() == nil; n++ {
		if !flow {
			due := c.begin.Add(time.Duration(float64(n) / o.rate * float64(time.Second)))
			select {
			case <-time.After(time.Until(due)):
			case <-ctx.Done():
				return nil
			}
		}
		switch err := c.maps[i].Set(ctx, keyOf(i, n), value); {
		case err == nil:
			c.mu.Lock()
			c.ledger.wrote(i, time.Since(c.begin), 0)
			c.mu.Unlock()
		case ctx.Err() == nil:
			return fmt.Errorf("throttle: n%d: %w", i, err)
		}
	}
	return nil
}

// measure prints a line for each second, until ctx is done.
func (c *crew) measure(ctx context.Context, seconds int, stdout io.Writer) *throttled {
	fmt.Fprintln(stdout, throttleHead)
	r := new(throttled)
	before := make([]int, len(c.nodes))
	look := time.NewTicker(sampling)
	defer look.Stop()
	for second := 1; second <= seconds; second++ {
		var stale []float64
		var lacking float64
		end := c.begin.Add(time.Duration(second) * time.Second)
		for now := c.begin; now.Before(end); {
			select {
			case now = <-look.C:
			case <-ctx.Done():
				if second < seconds {
					return r // it was broken off
				}
				now = end // which is when ctx is done
			}
			stale, lacking = c.look(stale)
		}
		writes := make([]float64, len(c.nodes))
		c.mu.Lock()
		for i := range writes {
			n := len(c.ledger.owners[i].at)
			writes[i], before[i] = float64(n-before[i]), n
		}
		c.mu.Unlock()
		throttleLine(stdout, second, writes, lacking, stale)
		r.writes = append(r.writes, writes)
		r.p99 = append(r.p99, quantile(stale, 0.99))
	}
	return r
}

// look adds to stale how old the first update is that a node lacks of another one,
// in seconds, for all pairs, and returns how many updates a node lacks on average.
func (c *crew) look(stale []float64) ([]float64, float64) {
	lacking := 0
	for i, n := range c.nodes {
		v := n.Status().Vector
		c.mu.Lock()
		now := time.Since(c.begin)
		for r, id := range c.replicas {
			if r != i {
				o := &c.ledger.owners[r]
				stale = append(stale, o.age(now, v.Version(id)).Seconds())
				lacking += max(len(o.at)-int(v.Version(id)), 0)
			}
		}
		c.mu.Unlock()
	}
	return stale, float64(lacking) / float64(len(c.nodes))
}

// close stops all nodes.
func (c *crew) close() error {
	var errs []error
	for _, n := range c.nodes {
		errs = append(errs, n.Close())
	}
	return errors.Join(errs...)
}
