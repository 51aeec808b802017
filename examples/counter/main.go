// Command counter counts the visits of pages on any number of servers: each counts
// those that it serves, and every one shows the total of all, whoever is up.
//
//	go run ./examples/counter -name a
//	go run ./examples/counter -name b -bind 127.0.0.1:7947 -http 127.0.0.1:8081 -join 127.0.0.1:7946
//	curl http://127.0.0.1:8080/home http://127.0.0.1:8081/home
//	curl http://127.0.0.1:8080
//
// GET of a page counts a visit and says how many there were; GET of / lists all pages;
// DELETE of a page starts it again at 0, without losing visits that are counted
// elsewhere meanwhile. What a server has counted stays when it ends, as long as another
// one is up.
//
// Exit status: 0 after SIGINT or SIGTERM, 1 when it cannot start or go on, 2 for flags
// that make no sense.
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

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
)

const help = `counter counts the visits of pages on any number of servers, with one total.

usage: counter [flags]

  GET /page      counts a visit, and says how many there were
  GET /          lists all pages
  DELETE /page   starts a page again at 0

The API has no access control.

`

func main() {
	// The first signal ends the server in order, a second one at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole command; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg, http, err := parseFlags(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "counter: %v\n", err)
		return 2
	}
	s, err := start(ctx, cfg, http)
	if err == nil {
		fmt.Fprintf(stdout, "serving name=%s gossip=%s http=%s\n", cfg.Name, s.node.Status().Addr, s.listen.Addr())
		err = s.serve(ctx)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(stderr, "counter: %v\n", err)
		return 1
	}
	return 0
}

// parseFlags reads the command line; help goes to stdout.
func parseFlags(args []string, stdout io.Writer) (cfg gossip.Config, http string, err error) {
	var join string
	fs := flag.NewFlagSet("counter", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&cfg.Name, "name", "", "this server's stable `name`, unique among all (required)")
	fs.StringVar(&cfg.Bind, "bind", "127.0.0.1:7946", "`host:port` for gossip, UDP and TCP; port 0 takes a free one")
	fs.StringVar(&join, "join", "", "`addresses` of servers to join, separated by commas")
	fs.StringVar(&http, "http", "127.0.0.1:8080", "`host:port` for visitors; port 0 takes a free one")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		io.WriteString(stdout, help)
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return cfg, http, err
	case err != nil:
		return cfg, http, err
	case fs.NArg() > 0:
		return cfg, http, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case cfg.Name == "":
		return cfg, http, errors.New("-name is required")
	}
	cfg.Cluster = "counter"
	if join != "" {
		cfg.Join = strings.Split(join, ",")
	}
	return cfg, http, cfg.Validate()
}
