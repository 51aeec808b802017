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
)

// command is a subcommand. Its run returns flag.ErrHelp when it has printed its
// help, and a usageError when the command line asks for something impossible.
type command struct {
	name, about string
	run         func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}

// commands are all subcommands, in the order of the help.
var commands = []command{
	{"paper", "the experiments of the paper, in the simulator, beside the published figures", runPaper},
	{"throttle", "flow control on real sockets: every node writes as fast as it may", runThrottle},
	{"limit", "what this machine can do: codec, loopback TCP, map, engine", limit.start},
	{"catchup", "how long a newcomer takes to get everything, beside memberlist", catchup.start},
	{"latency", "how soon a write is visible on all nodes, beside memberlist", latency.start},
	{"maxrate", "how many writes per second a cluster carries, beside memberlist", maxrate.start},
	{"idle", "what a cluster costs in which nothing happens, beside memberlist", idle.start},
}

// usageError is an error of whoever typed the command line: exit status 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usagef returns a usageError.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	// The first signal stops the run; a second one ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole command; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := dispatch(ctx, args, stdout, stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, new(usageError)):
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return 2
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "bench: interrupted")
		return 130
	default:
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return 1
	}
}

// dispatch calls the subcommand that the first argument names.
func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var names []string
	for _, c := range commands {
		names = append(names, c.name)
	}
	if len(args) == 0 {
		return usagef("which? %s; -h tells more", strings.Join(names, ", "))
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		io.WriteString(stdout, overview())
		return flag.ErrHelp
	}
	for _, c := range commands {
		if c.name == args[0] {
			return c.run(ctx, args[1:], stdout, stderr)
		}
	}
	return usagef("no subcommand %q; there are %s", args[0], strings.Join(names, ", "))
}

// overview is the help of the command as a whole.
func overview() string {
	var b strings.Builder
	b.WriteString("bench measures the engine.\n\nusage: bench subcommand [flags]\n\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "  %-10s %s\n", c.name, c.about)
	}
	b.WriteString("\nbench subcommand -h tells its flags.\n")
	return b.String()
}

// parse reads the flags of a subcommand. With -h it prints about and the flags to
// stdout and returns flag.ErrHelp; all other errors are usageErrors.
func parse(fs *flag.FlagSet, args []string, about string, stdout io.Writer) error {
	fs.SetOutput(io.Discard)
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		io.WriteString(stdout, about)
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return flag.ErrHelp
	case err != nil:
		return usagef("%s: %w", fs.Name(), err)
	case fs.NArg() > 0:
		return usagef("%s: unexpected argument %q", fs.Name(), fs.Arg(0))
	}
	return nil
}
