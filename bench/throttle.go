package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/wire"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

const throttleHelp = `throttle runs a real cluster on loopback sockets whose exchanges carry little, and lets
every node write as fast as it may: once with flow control, and once without.

usage: bench throttle [flags]

Without flow control nothing holds a writer back, so that memory would run out: there each
node writes -rate times per second. What nobody can carry away piles up all the same.

It prints a line for each second: how often nodes wrote, how fair that was (Jain's index),
how many updates nodes lacked, and how old the first one was that they lacked.

`

// throttleOptions are the command line, checked.
type throttleOptions struct {
	nodes    int
	duration time.Duration // of each run
	budget   int           // bytes
	interval time.Duration
	value    int     // bytes
	rate     float64 // per node, without flow control; 0: overload times capacity
}

const (
	minDuration = 3 * time.Second // thirds of a run are compared, second by second
	maxNodes    = 100
	maxValue    = 1 << 16
	// overload is how far writers without flow control go beyond the capacity.
	overload = 3
)

// parseThrottle reads the command line; help goes to stdout.
func parseThrottle(args []string, stdout io.Writer) (throttleOptions, error) {
	var o throttleOptions
	fs := flag.NewFlagSet("throttle", flag.ContinueOnError)
	fs.IntVar(&o.nodes, "nodes", 8, "how many `nodes`")
	fs.DurationVar(&o.duration, "duration", 30*time.Second, "how long each of the two runs takes")
	fs.IntVar(&o.budget, "budget", 4096, "`bytes` of updates that an exchange carries per direction")
	fs.DurationVar(&o.interval, "interval", 250*time.Millisecond, "between a node's rounds")
	fs.IntVar(&o.value, "value", 64, "`bytes` of each value")
	fs.Float64Var(&o.rate, "rate", 0, "`writes` per second and node without flow control (default three times what exchanges can carry)")
	if err := parse(fs, args, throttleHelp, stdout); err != nil {
		return o, err
	}
	bad := func(format string, args ...any) (throttleOptions, error) {
		return o, usagef("throttle: "+format, args...)
	}
	switch {
	case o.nodes < 2 || o.nodes > maxNodes:
		return bad("-nodes: %d, want 2 to %d", o.nodes, maxNodes)
	case o.duration < minDuration:
		return bad("-duration: %v, want at least %v", o.duration, minDuration)
	case o.budget < 1:
		return bad("-budget: %d bytes, want more", o.budget)
	case o.interval < time.Millisecond || o.interval > o.duration/minRounds:
		return bad("-interval: %v, want 1ms to a %dth of -duration", o.interval, minRounds)
	case o.value < 0 || o.value > maxValue:
		return bad("-value: %d bytes, want 0 to %d", o.value, maxValue)
	case o.rate < 0 || o.rate != o.rate || o.rate > 1e6:
		return bad("-rate: %v, want 0 to 1,000,000 writes per second", o.rate)
	}
	if o.rate == 0 {
		o.rate = overload * o.capacity()
	}
	return o, nil
}

// minRounds is how many rounds a run has at least.
const minRounds = 10

// capacity is how often per second each node can write so that exchanges carry it
// all: 2·budget / ((N−1)·T) (DESIGN §6), in updates of the size written here.
func (o throttleOptions) capacity() float64 {
	perExchange := max(float64(o.budget)/float64(o.updateSize()), 1) // one goes through whatever the budget (R2)
	return 2 * perExchange / (float64(o.nodes-1) * o.interval.Seconds())
}

// updateSize is how many bytes one more update takes in a message.
func (o throttleOptions) updateSize() int {
	r := clock.Replica{Node: "n0", Epoch: 1}
	var updates []*model.Update
	for i := range 2 {
		updates = append(updates, &model.Update{
			Dot:  clock.Dot{Replica: r, Version: clock.Version(i + 1)},
			Time: clock.TimestampOf(time.Unix(1, 0).Add(time.Duration(i) * o.interval)), Space: space,
			Key: []byte(keyOf(0, 1000)), Value: make([]byte, o.value),
		})
	}
	size := func(n int) int {
		b := engine.Batch{Replica: r, Through: clock.Version(n), Updates: updates[:n]}
		return wire.New(cluster).Size(&engine.Message{Kind: engine.Push, From: r, Batches: []engine.Batch{b}})
	}
	return size(2) - size(1)
}

// runThrottle is the subcommand.
func runThrottle(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseThrottle(args, stdout)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d nodes, a round every %v, %d bytes per direction: room for about %s writes per second and node\n\n",
		o.nodes, o.interval, o.budget, fixed(o.capacity(), 1))
	var runs []*throttled
	for _, flow := range []bool{true, false} {
		if flow {
			fmt.Fprintln(stdout, "With flow control: every node writes as fast as it is let")
		} else {
			fmt.Fprintf(stdout, "Without flow control: every node writes %s times per second\n", fixed(o.rate, 1))
		}
		run, err := o.run(ctx, flow, stdout)
		if err != nil {
			return err
		}
		fmt.Fprint(stdout, "writes/s of each node in the last third:")
		for _, rate := range run.accepted() {
			fmt.Fprintf(stdout, " %s", fixed(rate, 1))
		}
		fmt.Fprint(stdout, "\n\n")
		runs = append(runs, run)
	}
	report(stdout, throttleTargets(runs[0], runs[1]))
	return nil
}

// throttled is what one run showed, a value per second.
type throttled struct {
	writes [][]float64 // of each node, per second
	p99    []float64   // staleness, seconds
}

// thirds returns the mean of p99 in the second and in the last third.
func (r *throttled) thirds() (second, last float64) {
	n := len(r.p99) / 3
	return mean(r.p99[n : 2*n]), mean(r.p99[len(r.p99)-n:])
}

// accepted returns how often each node wrote per second in the last third.
func (r *throttled) accepted() []float64 {
	last := r.writes[len(r.writes)-len(r.writes)/3:]
	rates := make([]float64, len(r.writes[0]))
	for _, writes := range last {
		for i, n := range writes {
			rates[i] += n / float64(len(last))
		}
	}
	return rates
}

// Staleness is a maximum of few values and jumps about: what grows by less than
// this is noise.
const (
	noise      = 1.25
	noiseFloor = 0.25 // seconds
)

// throttleTargets compares both runs.
func throttleTargets(with, without *throttled) []target {
	second, last := with.thirds()
	grown, end := without.thirds()
	return []target{
		atMost("with flow control: p99 staleness in the last third", last, noise*second+noiseFloor, 2, " s"),
		atLeast("with flow control: Jain's index in the last third", jain(with.accepted()), 0.95, 3, ""),
		{
			what: "without: p99 staleness grows", ours: fixed(grown, 2) + " s in the second third, " + fixed(end, 2) + " s in the last",
			want: "more than noise", met: end > noise*grown+noiseFloor,
		},
	}
}

// throttleHead is above the lines of a run.
const throttleHead = "    s   writes/s: mean   lowest  highest  Jain   lacking    p50 (s)   p99 (s)   max (s)"

// line prints one second of a run.
func throttleLine(w io.Writer, second int, writes []float64, lacking float64, stale []float64) {
	fmt.Fprintf(w, "%5d  %15s %8s %8s  %.2f  %8s  %9s %9s %9s\n", second,
		fixed(mean(writes), 1), fixed(slices.Min(writes), 1), fixed(slices.Max(writes), 1), jain(writes), fixed(lacking, 0),
		fixed(quantile(stale, 0.5), 2), fixed(quantile(stale, 0.99), 2), fixed(quantile(stale, 1), 2))
}
