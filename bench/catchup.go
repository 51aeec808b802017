package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const catchupHelp = `catchup measures how long a newcomer takes to get all that the others have: from its
first message, membership established, until it has every key.

usage: bench catchup [flags]

All nodes but the newcomer have all keys. A line "machine" is what encoding by hand, TCP,
decoding and insertion into a map take in the same run.

`

var catchup = contest{
	name: "catchup", help: catchupHelp,
	defaults: contestOptions{n: 100_000, nodes: 2},
	columns:  []column{columnSeconds, columnRecords, columnPerRecord, columnCPU, columnHeap},
	run: func(ctx context.Context, o contestOptions, s system, run int, each func(result)) error {
		if s.name == o.systems[0].name {
			r, err := measureWhole(o.n)
			if err != nil {
				return err
			}
			r.Case, r.Run, r.Nodes = "catchup", run, o.nodes
			each(r)
		}
		r, err := catchUp(ctx, o, s)
		if err != nil {
			return err
		}
		r.Run = run
		each(r)
		return nil
	},
	closing: closeRatio("catchup"),
}

const (
	// spreading is how long the nodes before the newcomer may take to have everything.
	spreading = 2 * time.Minute
	// catchingUp is how long the newcomer may take.
	catchingUp = time.Minute
)

// catchUp measures one newcomer.
func catchUp(ctx context.Context, o contestOptions, s system) (r result, err error) {
	r = newResult("catchup", s.name, 0, o.nodes, o.n)
	var f fleet
	defer func() { err = errors.Join(err, f.close()) }()
	// The first one writes while it is alone: nothing holds it back.
	for i := range o.nodes - 1 {
		c, err := s.join(ctx, f, i)
		if err != nil {
			return r, err
		}
		f = append(f, c)
		if err := c.begin(ctx); err != nil {
			fmt.Fprintf(o.progress, "catchup: %s: %v\n", s.name, err)
			return r, nil
		}
		if i > 0 {
			continue
		}
		for k := range o.n {
			if err := c.put(ctx, recordKey(0, k), recordValue(k+1)); err != nil {
				return r, err
			}
		}
	}
	err = await(ctx, spreading, func() bool { return f[len(f)-1].size() == o.n })
	if errors.Is(err, errTooLong) {
		return r, nil
	} else if err != nil {
		return r, err
	}
	newcomer, err := s.join(ctx, f, o.nodes-1)
	if err != nil {
		return r, err
	}
	f = append(f, newcomer)
	m := startMeter(f)
	if err := newcomer.begin(ctx); err != nil { // its state is too large for it, say
		fmt.Fprintf(o.progress, "catchup: %s: %v\n", s.name, err)
		m.end(&r)
		return r, nil
	}
	err = await(ctx, catchingUp, func() bool { return newcomer.size() == o.n })
	took := time.Since(newcomer.begun())
	m.end(&r)
	switch {
	case errors.Is(err, errTooLong):
		return r, nil
	case err != nil:
		return r, err
	}
	r.Seconds, r.Rate = number(took.Seconds()), number(float64(o.n)/took.Seconds())
	r.Converged = true
	for k := range o.n {
		value, _ := newcomer.get(recordKey(0, k))
		r.Converged = r.Converged && seqOf(value) == k+1
	}
	return r, nil
}
