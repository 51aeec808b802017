// Command kv is a replicated key-value daemon: every daemon of a cluster holds
// all keys in memory, accepts writes, and passes them on by gossip. Of
// concurrent writes to one key the later one wins, everywhere.
//
//	kv -name a
//	kv -name b -bind 127.0.0.1:7947 -http 127.0.0.1:8081 -join 127.0.0.1:7946
//	curl -X PUT --data-binary hello http://127.0.0.1:8080/v1/kv/greeting
//	curl http://127.0.0.1:8081/v1/kv/greeting
//
// The API has no access control: whoever reaches the HTTP port may read and
// write everything. Type api lists its routes; kv -help lists the flags.
//
// Exit status: 0 after SIGINT or SIGTERM, 1 when the daemon cannot start or go
// on, 2 for flags that make no sense.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// The first signal ends the daemon in order; after that signals have their
	// usual effect again, so that a second one ends it at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole command; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(args)
	if errors.Is(err, flag.ErrHelp) {
		usage(stdout)
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "kv: %v (kv -help lists the flags)\n", err)
		return 2
	}
	d, err := start(ctx, o, stderr)
	switch {
	case ctx.Err() != nil && err != nil: // told to end before it had begun
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "kv: %v\n", err)
		return 1
	}
	fmt.Fprintf(stdout, "serving name=%s gossip=%s http=%s\n", o.name, d.gossipAddr(), d.httpAddr())
	if err := d.serve(ctx); err != nil {
		fmt.Fprintf(stderr, "kv: %v\n", err)
		return 1
	}
	return 0
}
