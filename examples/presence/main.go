// Command presence lists the services of a cluster, live: who is there, in which role,
// how busy, since when; and of each role the least busy one, which is what a client
// would ask for.
//
//	go run ./examples/presence                                # a cluster in one process
//	go run ./examples/presence -name a -role web
//	go run ./examples/presence -name b -role db -bind 127.0.0.1:7947 -join 127.0.0.1:7946
//
// Each node says of itself what it is, and nobody else can: a node that fails is gone
// from the list of all others as soon as they notice, and is back when it returns.
// Without -name it starts -n nodes, and shows what the first one sees, while others
// leave, crash and come back. How busy a node is is made up.
//
// On a terminal it draws a table; otherwise it prints a line when somebody comes or
// goes. Exit status: 0 after SIGINT, SIGTERM or -for, 1 when it cannot start or go on, 2
// for flags that make no sense.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
)

const help = `presence lists the services of a cluster, live.

usage: presence [flags]

With -name it is one node of a cluster. Without it starts several in one process, some
of which leave, crash and come back.

`

// maxNodes is how many nodes one process may reasonably run.
const maxNodes = 50

// options are the command line, checked.
type options struct {
	config gossip.Config // without a name: a cluster in this process
	role   string
	nodes  int
	last   time.Duration // 0: until interrupted
}

func main() {
	// The first signal ends the node in order, a second one at once.
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
	if err != nil {
		fmt.Fprintf(stderr, "presence: %v\n", err)
		return 2
	}
	if o.last > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.last)
		defer cancel()
	}
	play := one
	if o.config.Name == "" {
		play = several
	}
	if err := play(ctx, o, newView(stdout)); err != nil && ctx.Err() == nil {
		fmt.Fprintf(stderr, "presence: %v\n", err)
		return 1
	}
	return 0
}

// parseFlags reads the command line; help goes to stdout.
func parseFlags(args []string, stdout io.Writer) (options, error) {
	var o options
	var join string
	fs := flag.NewFlagSet("presence", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&o.config.Name, "name", "", "this node's stable `name`, unique in the cluster (default: a cluster in this process)")
	fs.StringVar(&o.role, "role", "web", "what this node is for: any `word`")
	fs.StringVar(&o.config.Bind, "bind", "127.0.0.1:7946", "`host:port` for gossip, UDP and TCP; port 0 takes a free one")
	fs.StringVar(&join, "join", "", "`addresses` of nodes to join, separated by commas")
	fs.IntVar(&o.nodes, "n", 6, "how many `nodes` to start, without -name")
	fs.DurationVar(&o.last, "for", 0, "how long to run (default: until interrupted)")
	err := fs.Parse(args)
	set := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
	alone := set["role"] || set["bind"] || set["join"]
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
	case o.last < 0:
		return o, fmt.Errorf("-for: %v, want more than 0", o.last)
	case o.config.Name == "" && alone:
		return o, errors.New("-role, -bind and -join need -name")
	case o.config.Name != "" && set["n"]:
		return o, errors.New("-n: with -name there is one node")
	case o.nodes < 2 || o.nodes > maxNodes:
		return o, fmt.Errorf("-n: %d nodes, want 2 to %d", o.nodes, maxNodes)
	case o.config.Name == "":
		return o, nil
	}
	o.config.Cluster = cluster
	if join != "" {
		o.config.Join = strings.Split(join, ",")
	}
	return o, o.config.Validate()
}
