package main

import (
	"context"
	"errors"
	"time"
)

const latencyHelp = `latency measures how long writes take until they are visible on all nodes, while all
nodes write at a steady rate.

usage: bench latency [flags]

One in a hundred writes is followed, but at least a hundred per second where there are as
many. Before, the same load runs for a while unmeasured.

`

var latency = contest{
	name: "latency", help: latencyHelp, bad: true,
	defaults: contestOptions{n: 1000, nodes: 8, rate: 400, duration: 10 * time.Second},
	columns:  []column{columnAsked, columnRate, columnP50, columnP99, columnBytes, columnCPU},
	run: func(ctx context.Context, o contestOptions, s system, run int, each func(result)) error {
		r, err := o.underLoad(ctx, s, o.n, o.rate)
		if err != nil {
			return err
		}
		r.Case, r.Run = "latency", run
		each(r)
		return nil
	},
}

const (
	// warmUp is how long, at most, a load runs before it is measured.
	warmUp = 2 * time.Second
	// visibleWithin is how soon after the last write everything must be visible.
	visibleWithin = 2 * time.Second
)

// underLoad measures a cluster at one rate.
func (o contestOptions) underLoad(ctx context.Context, s system, keys int, rate float64) (r result, err error) {
	r = newResult("", s.name, 0, o.nodes, keys)
	r.Asked = number(rate)
	f, err := s.launch(ctx, o.nodes)
	defer func() { err = errors.Join(err, f.close()) }()
	if err != nil {
		return r, err
	}
	l := newWorkload(f, keys, rate)
	if _, err := l.run(ctx, min(warmUp, o.duration), nil); err != nil {
		return r, err
	}
	before := l.total()
	m := startMeter(f)
	sampled := startSampler(f)
	took, err := l.run(ctx, o.duration, sampled)
	m.end(&r)
	if err == nil {
		r.Converged = l.settled(ctx, visibleWithin)
		err = context.Cause(ctx)
	}
	r.latencies(sampled.end())
	r.Seconds, r.Rate = number(took.Seconds()), number(float64(l.total()-before)/took.Seconds())
	return r, err
}
