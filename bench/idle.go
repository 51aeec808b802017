package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const idleHelp = `idle measures what a cluster costs in which nothing happens.

usage: bench idle [flags]

Every node writes its keys; when all have everything, the cluster is left alone for a
while, and then measured.

`

var idle = contest{
	name: "idle", help: idleHelp,
	defaults: contestOptions{n: 10_000, nodes: 8, duration: 30 * time.Second},
	columns:  []column{columnSeconds, columnNodeWire, columnNodeData, columnNodeCPU},
	run: func(ctx context.Context, o contestOptions, s system, run int, each func(result)) error {
		r, err := o.idle(ctx, s)
		if err != nil {
			return err
		}
		r.Run = run
		each(r)
		return nil
	},
}

const (
	// filling is how long everything may take to be everywhere.
	filling = 30 * time.Second
	// comingToRest is how long, at most, a cluster is left alone then.
	comingToRest = 10 * time.Second
)

func (o contestOptions) idle(ctx context.Context, s system) (r result, err error) {
	r = newResult("idle", s.name, 0, o.nodes, o.n)
	f, err := s.launch(ctx, o.nodes)
	defer func() { err = errors.Join(err, f.close()) }()
	if err != nil {
		return r, err
	}
	l := newWorkload(f, o.n, 0)
	if err := l.fill(ctx); err != nil {
		return r, err
	}
	if r.Converged = l.settled(ctx, filling); !r.Converged {
		fmt.Fprintf(o.progress, "idle: %s: not everything is everywhere after %v\n", s.name, filling)
	}
	if err := rest(ctx, min(comingToRest, o.duration)); err != nil {
		return r, err
	}
	m := startMeter(f)
	begin := time.Now()
	err = rest(ctx, o.duration)
	r.Seconds = number(time.Since(begin).Seconds())
	m.end(&r)
	return r, err
}

// fill has every node write each of its keys once, as fast as it may.
func (l *workload) fill(ctx context.Context) error {
	for k := range l.keys {
		for node, c := range l.fleet {
			l.wrote[node] = k + 1
			if err := c.put(ctx, recordKey(node, (k+1)%l.keys), recordValue(k+1)); err != nil {
				return err
			}
		}
	}
	return nil
}

// rest waits.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
