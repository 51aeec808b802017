package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const maxrateHelp = `maxrate looks for the largest rate of writes at which everything is visible everywhere
within 2 s of the last write.

usage: bench maxrate [flags]

With -p99, a rate works only if 99 % of the writes are visible everywhere after that time
at most. A rate that works is doubled, one that does not is halved, then the gap is narrowed. Each
rate gets a cluster of its own. A system that makes writers wait is measured by what it
lets them write.

`

var maxrate = contest{
	name: "maxrate", help: maxrateHelp, bad: true,
	defaults: contestOptions{nodes: 8, rate: 2000, duration: 5 * time.Second},
	columns:  []column{columnAsked, columnRate, columnP50, columnP99, columnBytes, columnCPU},
	run: func(ctx context.Context, o contestOptions, s system, run int, each func(result)) error {
		loads := []int{50_000, 1000}
		if o.n > 0 {
			loads = []int{o.n}
		}
		for _, keys := range loads {
			r, err := o.search(ctx, keys, s.name, func(rate float64) (result, error) {
				return o.underLoad(ctx, s, keys, rate)
			})
			if err != nil {
				return err
			}
			r.Case, r.Run = "maxrate", run
			each(r)
		}
		return nil
	},
}

const (
	narrowing = 3    // steps between a rate that works and twice that
	reached   = 0.95 // of what was asked: more was not let in
	leastRate = 10   // writes per second: with less nothing works
)

// search returns the result with the largest rate at which all was visible in time, and
// soon enough; without one, a rate of 0.
func (o contestOptions) search(ctx context.Context, keys int, system string, try func(rate float64) (result, error)) (best result, err error) {
	works, fails := 0.0, 0.0
	best = newResult("", system, 0, o.nodes, keys)
	best.Rate = 0
	for rate, steps := o.rate, 0; ; {
		r, err := try(rate)
		if err != nil || ctx.Err() != nil {
			return best, errors.Join(err, context.Cause(ctx))
		}
		o.tell(r)
		fits := r.Converged && (o.p99 == 0 || float64(r.P99) <= milliseconds(o.p99))
		if fits && r.Rate >= best.Rate {
			best = r
		}
		if fits && float64(r.Rate) >= reached*rate {
			works = rate
		} else {
			fails = rate
		}
		switch {
		case works == 0 && rate/2 < leastRate, fails == 0 && 2*rate > maxRate:
			return best, nil
		case works == 0:
			rate /= 2
		case fails == 0:
			rate *= 2
		case steps == narrowing:
			return best, nil
		default:
			steps++
			rate = (works + fails) / 2
		}
	}
}

// tell reports one rate of a search.
func (o contestOptions) tell(r result) {
	verdict := "too much"
	if r.Converged {
		verdict = "visible in time"
	}
	fmt.Fprintf(o.progress, "maxrate: %s, %d keys of each node: asked %s writes/s, got %s, p50 %s ms, p99 %s ms, %s\n", r.System, r.N,
		fixed(float64(r.Asked), 0), fixed(float64(r.Rate), 0), fixed(float64(r.P50), 1), fixed(float64(r.P99), 1), verdict)
}
