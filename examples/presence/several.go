package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
)

const (
	changeEvery = 4 * time.Second // how often a node goes, or one comes back
	mostAway    = 2               // nodes that are away at a time
)

// roles are those of the nodes of a cluster in one process, over and over.
var roles = []string{"web", "web", "db", "cache"}

// fleet is a cluster in one process. The first node stays.
type fleet struct {
	agents []*agent // nil: it is away
	addrs  []string
}

// several starts nodes and shows what the first one sees.
func several(ctx context.Context, o options, v view) error {
	f := &fleet{agents: make([]*agent, o.nodes), addrs: make([]string, o.nodes)}
	for i := range f.agents {
		if err := f.start(ctx, i); err != nil {
			return errors.Join(err, f.close())
		}
	}
	v.begin(f.addrs[0])
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	var changing sync.WaitGroup
	changing.Go(func() { failed <- f.change(ctx, cancel) })
	f.agents[0].watch(ctx, v)
	cancel()
	changing.Wait()
	return errors.Join(<-failed, f.close())
}

// start starts a node, for the first time or again.
func (f *fleet) start(ctx context.Context, i int) error {
	cfg := gossip.Config{Name: fmt.Sprintf("n%d", i+1), Cluster: cluster, Bind: "127.0.0.1:0"}
	if i > 0 {
		cfg.Join = f.addrs[:1]
	}
	a, err := startAgent(ctx, cfg, roles[i%len(roles)])
	if err != nil {
		return fmt.Errorf("%s: %w", cfg.Name, err)
	}
	f.agents[i], f.addrs[i] = a, a.node.Status().Addr
	return nil
}

// change lets nodes leave, crash and come back until ctx is done. If one cannot, it
// says so and ends everything.
func (f *fleet) change(ctx context.Context, end context.CancelFunc) error {
	var away []int
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(changeEvery):
		}
		var err error
		i := 1 + rand.IntN(len(f.agents)-1)
		switch a := f.agents[i]; {
		case len(away) == mostAway || a == nil:
			i, away = away[0], away[1:]
			err = f.start(ctx, i)
		case rand.IntN(2) == 0:
			f.agents[i], away = nil, append(away, i)
			err = a.leave()
		default:
			f.agents[i], away = nil, append(away, i)
			err = a.crash()
		}
		if err != nil && ctx.Err() == nil {
			end()
			return err
		}
	}
}

func (f *fleet) close() error {
	var all error
	for _, a := range f.agents {
		if a != nil {
			all = errors.Join(all, a.crash())
		}
	}
	return all
}
