package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/pprof"
	"slices"
	"time"
)

// contest is a subcommand that measures systems beside each other.
type contest struct {
	name     string
	help     string
	defaults contestOptions
	columns  []column
	// alone says that no systems are compared: there is nothing to choose.
	alone bool
	// bad says that the network may be a bad one.
	bad bool
	// run measures one system once, and passes on each result.
	run func(ctx context.Context, o contestOptions, s system, number int, each func(result)) error
	// closing prints what follows from all results; may be nil.
	closing func(w io.Writer, results []result)
}

// contestOptions are the command line, checked.
type contestOptions struct {
	n        int // keys; 0: what the subcommand says
	nodes    int
	rate     float64 // writes per second of all nodes
	duration time.Duration
	p99      time.Duration // maxrate: what takes longer is too much; 0: nothing is
	runs     int
	systems  []system
	json     bool
	profile  string
	network  network

	progress io.Writer
}

const (
	maxKeys = 10_000_000
	maxRate = 100_000_000
	maxRuns = 1000
	maxSpan = time.Hour
)

// parse reads the command line; help goes to stdout. Only flags that the subcommand
// has a default for are there.
func (c contest) parse(args []string, stdout io.Writer) (contestOptions, error) {
	o := c.defaults
	fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
	least := 1
	switch c.name {
	case "limit":
		fs.IntVar(&o.n, "n", o.n, "how many `records`")
	case "catchup":
		fs.IntVar(&o.n, "n", o.n, "how many `keys` the newcomer lacks")
	case "maxrate":
		least = 0
		fs.IntVar(&o.n, "n", o.n, "`keys` of each node (default two loads, 50,000 and 1,000)")
		fs.DurationVar(&o.p99, "p99", 0, "a rate works only if 99 % of the writes are visible everywhere after this `time` (default any)")
	default:
		fs.IntVar(&o.n, "n", o.n, "`keys` of each node")
	}
	if o.nodes > 0 {
		fs.IntVar(&o.nodes, "nodes", o.nodes, "how many `nodes`")
	}
	if o.rate > 0 {
		fs.Float64Var(&o.rate, "rate", o.rate, "`writes` per second of all nodes together; for maxrate the first one tried")
	}
	if o.duration > 0 {
		fs.DurationVar(&o.duration, "duration", o.duration, "how long is measured, each time")
	}
	fs.IntVar(&o.runs, "runs", 1, "how many `times` everything is measured")
	list := systemNames()
	if !c.alone {
		fs.StringVar(&list, "systems", list, "which `systems`, separated by commas")
	}
	if c.bad {
		fs.BoolVar(&o.network.refuse, "refuse-streams", false, "no connections between nodes once they know each other; scuttlebutt only")
		fs.Float64Var(&o.network.loss, "loss", 0, "the `part` of datagrams that is lost from then on, 0 to 0.9; scuttlebutt only")
	}
	fs.BoolVar(&o.json, "json", false, "one JSON object per result instead of a table")
	fs.StringVar(&o.profile, "cpuprofile", "", "write a processor profile to this `file`")
	if err := parse(fs, args, c.help, stdout); err != nil {
		return o, err
	}
	bad := func(format string, args ...any) (contestOptions, error) {
		return o, usagef(c.name+": "+format, args...)
	}
	switch {
	case o.n < least || o.n > maxKeys:
		return bad("-n: %d, want %d to %d", o.n, least, maxKeys)
	case c.defaults.nodes > 0 && (o.nodes < 2 || o.nodes > maxNodes):
		return bad("-nodes: %d, want 2 to %d", o.nodes, maxNodes)
	case c.defaults.rate > 0 && (!(o.rate >= 1) || o.rate > maxRate):
		return bad("-rate: %v, want 1 to %d writes per second", o.rate, maxRate)
	case c.defaults.duration > 0 && (o.duration < time.Second/10 || o.duration > maxSpan):
		return bad("-duration: %v, want 100ms to %v", o.duration, maxSpan)
	case o.p99 < 0 || o.p99 > maxSpan:
		return bad("-p99: %v, want 0 to %v", o.p99, maxSpan)
	case !(o.network.loss >= 0 && o.network.loss <= 0.9):
		return bad("-loss: %v, want 0 to 0.9", o.network.loss)
	case o.runs < 1 || o.runs > maxRuns:
		return bad("-runs: %d, want 1 to %d", o.runs, maxRuns)
	}
	var err error
	if o.systems, err = systemsOf(list); err != nil {
		return bad("-systems: %w", err)
	}
	if c.alone {
		o.systems = []system{{name: "machine"}}
	}
	if o.network != (network{}) {
		if list != "scuttlebutt" {
			return bad("-refuse-streams, -loss: only with -systems scuttlebutt")
		}
		o.systems = []system{o.network.scuttlebutt()}
	}
	return o, nil
}

// start is the subcommand: in each run, one system after the other, so that what
// goes on beside hits all alike.
func (c contest) start(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := c.parse(args, stdout)
	if err != nil {
		return err
	}
	o.progress = stderr
	stop, err := startProfile(o.profile)
	if err != nil {
		return err
	}
	var results []result
	lines := json.NewEncoder(stdout)
	each := func(r result) {
		results = append(results, r)
		if o.json && err == nil {
			err = lines.Encode(r)
		}
	}
	for run := 1; run <= o.runs; run++ {
		for _, s := range o.systems {
			fmt.Fprintf(stderr, "%s: run %d of %d, %s\n", c.name, run, o.runs, s.name)
			if err := c.run(ctx, o, s, run, each); err != nil {
				return errors.Join(err, stop())
			}
		}
	}
	if err := errors.Join(err, stop()); err != nil || o.json {
		return err
	}
	title := fmt.Sprintf("%s: medians of %d", c.name, o.runs)
	if o.runs == 1 {
		title = c.name + ": one run"
	}
	writeTable(stdout, title, c.columns, results)
	if c.closing != nil {
		c.closing(stdout, results)
	}
	return nil
}

// startProfile writes a processor profile to a file until stop is called; without a
// name it does nothing.
func startProfile(name string) (stop func() error, err error) {
	if name == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, usagef("-cpuprofile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// closeRatio prints how long this library takes compared with the tuned baseline.
func closeRatio(name string) func(io.Writer, []result) {
	return func(w io.Writer, results []result) {
		if q := ratio(results, name, "scuttlebutt", "memberlist-tuned"); !math.IsNaN(q) {
			fmt.Fprintf(w, "%s: scuttlebutt takes %s of the time of memberlist-tuned (median of runs)\n", name, fixed(q, 2))
		}
	}
}

// latencies writes the median and the 99th percentile into r.
func (r *result) latencies(ms []float64) {
	slices.Sort(ms)
	r.P50, r.P99 = number(quantile(ms, 0.5)), number(quantile(ms, 0.99))
}
