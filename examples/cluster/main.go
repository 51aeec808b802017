// Command cluster shows the whole thing at work: it starts a cluster of nodes
// with real sockets in one process, writes a real file into it line by line at
// all nodes, crashes one of them half-way, brings it back, and checks at the end
// that every node holds the same.
//
//	go run ./examples/cluster                       # about ten seconds
//	go run ./examples/cluster -chaos                # with loss and a partition that heals
//	go run ./examples/cluster -for 60s -rate 500    # the file over and over, with new values
//
// On a terminal it draws a table, a row for each node: what it holds, what it
// lacks, its traffic, and how stale it is, now and in the last seconds. Otherwise
// it prints a line for each node and second.
//
// Each line of input becomes one key: its first two fields, joined by a space;
// the rest of the line is the value. All writes of a key are made at one node, or
// at another one while that node is down; so it is certain which one is the last,
// and in the end every node must hold just that. When all is well the last line is
//
//	converged: 5 nodes, 76 keys, 33 ms after the last write
//
// Exit status: 0 converged, 1 not, 2 for flags that make no sense, 130 when
// interrupted.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// maxNodes is how many nodes one process may reasonably run.
const maxNodes = 100

// How long the writing takes by default.
const (
	defaultLast = 10 * time.Second
	chaosLast   = 20 * time.Second
)

const help = `cluster runs a cluster in one process, writes a file into it and checks that all nodes become equal.

usage: cluster [flags]

On a terminal it draws a table of the nodes while it runs, in colours unless NO_COLOR is set.
Otherwise it prints a line for each node and second.

With -chaos packets and connections are dropped on their way out: some at random,
and all from one side of a partition to the other, those of membership included. So
each side takes the other for failed (seen: how many members a node takes for
alive), and both meet again when the network heals.

At the end every node must hold, for each key, the value written last: all writes
of a key are made at one node, or at another one while that node is down.

`

// options are the command line, checked.
type options struct {
	nodes int
	input string
	last  time.Duration // how long the writing takes, unless a rate alone is given
	rate  float64       // writes per second; 0: what fits the time
	cycle bool          // write the input over and over for as long as last says
	chaos bool
}

func main() {
	// The first signal stops the run; a second one ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], onTerminal(os.Stdout), os.Stderr))
}

// run is the whole command; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	var lines []entry
	if err == nil {
		lines, err = readInput(o.input)
	}
	if err != nil {
		fmt.Fprintf(stderr, "cluster: %v\n", err)
		return 2
	}
	var between *faults
	if o.chaos {
		between = newFaults()
	}
	f, err := startFleet(ctx, o.nodes, between)
	if err == nil {
		err = cmp.Or(newShow(f, newPlan(lines, o), between, stdout).play(ctx), f.close())
	}
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "cluster: interrupted")
		return 130
	default:
		fmt.Fprintf(stderr, "cluster: %v\n", err)
		return 1
	}
}

// parseFlags reads the command line; help goes to stdout.
func parseFlags(args []string, stdout io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("cluster", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&o.nodes, "n", 5, "how many `nodes`")
	fs.StringVar(&o.input, "input", "", "`file` whose lines are written (default: the nearest go.sum, from here upwards)")
	fs.DurationVar(&o.last, "for", 0, "how long the writing takes (default 10s; with -chaos 20s)")
	fs.Float64Var(&o.rate, "rate", 0, "`writes` per second: alone, the input is written once; with -for or -chaos, over and over for that long, with new values")
	fs.BoolVar(&o.chaos, "chaos", false, "make the network lose packets, cut it in two for a third of the time and heal it")
	err := fs.Parse(args)
	set := make(map[string]bool)
	fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
	switch {
	case errors.Is(err, flag.ErrHelp):
		io.WriteString(stdout, help)
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return o, err
	case err != nil:
		return o, err
	case fs.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case o.nodes < 2 || o.nodes > maxNodes:
		return o, fmt.Errorf("-n: %d nodes, want 2 to %d", o.nodes, maxNodes)
	case o.last < 0 || o.last == 0 && set["for"]:
		return o, fmt.Errorf("-for: %v, want more than 0", o.last)
	case o.rate != 0 && !(o.rate >= 0.01 && o.rate <= 1e6):
		return o, fmt.Errorf("-rate: %v, want 0.01 to 1,000,000 writes per second", o.rate)
	}
	o.cycle = o.rate > 0 && (set["for"] || o.chaos)
	if o.last == 0 {
		o.last = defaultLast
		if o.chaos {
			o.last = chaosLast
		}
	}
	if o.input == "" {
		o.input, err = findUpwards("go.sum")
	}
	return o, err
}
