package main

import (
	"cmp"
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

const (
	cluster = "presence" // its id
	space   = "services"

	startTimeout = 10 * time.Second // one attempt to join
	leaveTimeout = 3 * time.Second
	busyEvery    = time.Second // how often a node says how busy it is
)

// service is what a node says of itself.
type service struct {
	Role  string
	Load  int // percent
	Since time.Time
}

// agent is a node, and what it knows of all services.
type agent struct {
	node     *gossip.Node
	services model.Presence[service]
	busy     sync.WaitGroup // says how busy it is
	idle     context.CancelFunc
}

// startAgent starts a node that says of itself what it is, from then on.
func startAgent(ctx context.Context, cfg gossip.Config, role string) (*agent, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	a := new(agent)
	var err error
	if a.node, err = gossip.Start(ctx, cfg); err != nil {
		return nil, err
	}
	me := service{Role: role, Load: rand.IntN(100), Since: time.Now()}
	if err := cmp.Or(a.node.Attach(space, &a.services), a.services.Set(ctx, me)); err != nil {
		return nil, cmp.Or(err, a.node.Close())
	}
	work, idle := context.WithCancel(context.Background())
	a.idle = idle
	a.busy.Go(func() { a.work(work, me) })
	return a, nil
}

// work says how busy the node is, for as long as it runs.
func (a *agent) work(ctx context.Context, me service) {
	ticker := time.NewTicker(busyEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.node.Done():
			return
		case <-ticker.C:
			me.Load = min(max(me.Load+rand.IntN(21)-10, 0), 100)
			_ = a.services.Set(ctx, me) // the node is closing, or says it a second later
		}
	}
}

// leave ends the node in order.
func (a *agent) leave() error {
	a.idle()
	a.busy.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	return a.node.Leave(ctx)
}

// crash ends the node without a word.
func (a *agent) crash() error {
	a.idle()
	a.busy.Wait()
	return a.node.Close()
}

// watch shows what the node sees until ctx is done or the node ends.
func (a *agent) watch(ctx context.Context, v view) {
	b := newBoard(a.node.Status().Self.Node, time.Now())
	var drawing sync.WaitGroup
	defer drawing.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	drawing.Go(func() { v.draw(ctx, b) })
	for c := range a.services.Watch(ctx, model.WatchConfig{State: true}) {
		if e, ok := b.change(time.Now(), c); ok {
			v.event(e)
		}
	}
}

// one is one node of a cluster.
func one(ctx context.Context, o options, v view) error {
	a, err := startAgent(ctx, o.config, o.role)
	if err != nil {
		return err
	}
	v.begin(a.node.Status().Addr)
	a.watch(ctx, v)
	if ctx.Err() == nil { // by itself: it turned out that its name is taken, say
		a.idle()
		a.busy.Wait()
		return cmp.Or(a.node.Err(), a.node.Close())
	}
	return a.leave()
}
