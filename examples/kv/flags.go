package main

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
)

// maxName is how many bytes a node name or cluster id may have.
const maxName = 128

// How long a stream without events may be silent.
const (
	defaultHeartbeat = 15 * time.Second
	minHeartbeat     = 100 * time.Millisecond
	maxHeartbeat     = time.Hour
)

// How long a failed daemon counts as a member, and how often daemons report.
const (
	defaultRemove = 10 * time.Minute
	minRemove     = time.Second
	defaultReport = 10 * time.Second
	minReport     = 100 * time.Millisecond
)

// options are the command line, checked.
type options struct {
	name      string
	bind      string
	advertise string
	http      string
	join      []string
	cluster   string
	key       []byte
	flow      gossip.FlowControl
	heartbeat time.Duration
	remove    time.Duration
	report    time.Duration
	maxKeys   int
	maxBytes  int64
	level     slog.Level
}

// rawFlags are the flags whose text needs more than the flag package checks.
type rawFlags struct{ join, key, flow, level string }

const usageHead = `kv is a replicated key-value daemon.

usage: kv [flags]

Every daemon of a cluster holds all keys in memory and accepts writes; gossip
makes them equal. There is no disk: what no other daemon has got when a daemon
is killed is lost. The HTTP API has no access control.

`

const usageTail = `
routes:
  PUT, GET, DELETE /v1/kv/{key}   the key percent-encoded, 1 to 1,024 bytes; a write
                                  that gossip cannot carry waits up to 10 s for its
                                  turn, then: 503 with Retry-After; one for which
                                  there is no room (-max-keys, -max-bytes): 507
  PUT /v1/kv/{key}?ttl=30s        the value is gone everywhere 30 s after the write,
                                  1ms to 87600h; GET says in X-TTL what is left
  GET /v1/kv?prefix=P             {"key": "value in base64", ...}; all, or with
                                  &limit=N (1 to 10000) a page; if there are more,
                                  X-Next-After is what &after= must be for the next
  GET /v1/watch?prefix=P          server-sent events: the state, then what changes;
                                  Last-Event-ID goes on within 2 minutes, or gets
                                  an event "reset" and the state again; a comment
                                  every -heartbeat shows that the daemon lives
  POST /v1/members/{name}/retire  a failed daemon is lost for good: it does not count
                                  for the majority that collecting what was deleted
                                  takes, and nobody waits for what it wrote
  GET /v1/members, /v1/status, /healthz, /metrics
`

func flagSet(o *options, raw *rawFlags) *flag.FlagSet {
	fs := flag.NewFlagSet("kv", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // run prints the one line that matters
	fs.StringVar(&o.name, "name", "", "this node's stable `name`, unique in the cluster (default: the host name)")
	fs.StringVar(&o.bind, "bind", "127.0.0.1:7946", "`host:port` for gossip, UDP and TCP; port 0 takes a free one")
	fs.StringVar(&o.advertise, "advertise", "", "`host:port` under which others reach this node (default: -bind)")
	fs.StringVar(&o.http, "http", "127.0.0.1:8080", "`host:port` for the HTTP API; port 0 takes a free one")
	fs.StringVar(&raw.join, "join", "", "`addresses` of nodes to join, separated by commas (default: wait to be joined)")
	fs.StringVar(&o.cluster, "cluster", "kv", "cluster `id`: nodes with different ids never exchange anything")
	fs.StringVar(&raw.key, "key", "", "key that encrypts gossip, in `hex`: 16, 24 or 32 bytes, the same on all nodes (default: plain)")
	fs.StringVar(&raw.flow, "flow", "quota", "`how` writers are held back while gossip cannot keep up, the same on all nodes: quota, aimd (the paper's) or off")
	fs.DurationVar(&o.heartbeat, "heartbeat", defaultHeartbeat, "`time` between the comments that show a client of /v1/watch that the daemon lives, 100ms to 1h")
	fs.DurationVar(&o.remove, "remove-after", defaultRemove, "`time` for which a failed daemon counts as a member, for whom what was deleted is kept; 1s or more")
	fs.DurationVar(&o.report, "report-interval", defaultReport, "least `time` between two reports to the others while deleted keys wait to be collected, which takes about three; 100ms or more")
	fs.IntVar(&o.maxKeys, "max-keys", 0, "how many `keys` writes here may fill the daemon with (default: no limit); what others write is always taken")
	fs.Int64Var(&o.maxBytes, "max-bytes", 0, "the same in `bytes` of keys and values")
	fs.StringVar(&raw.level, "log-level", "info", "`level` from which logs are written: debug, info, warn or error")
	return fs
}

func usage(w io.Writer) {
	fs := flagSet(new(options), new(rawFlags))
	io.WriteString(w, usageHead+"flags:\n")
	fs.SetOutput(w)
	fs.PrintDefaults()
	io.WriteString(w, usageTail)
}

// parseFlags reads the command line. Its errors name the flag; flag.ErrHelp
// means that help was asked for.
func parseFlags(args []string) (options, error) {
	var (
		o   options
		raw rawFlags
	)
	fs := flagSet(&o, &raw)
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if err := o.fillName(fs); err != nil {
		return o, err
	}
	if len(o.cluster) > maxName || o.cluster == "" || !printable(o.cluster) {
		return o, fmt.Errorf("-cluster: want 1 to %d printable bytes, got %q", maxName, o.cluster)
	}
	for _, a := range []struct{ flag, addr string }{{"bind", o.bind}, {"http", o.http}} {
		if err := checkAddr(a.addr, 0); err != nil {
			return o, fmt.Errorf("-%s: %w", a.flag, err)
		}
	}
	if o.advertise != "" {
		if err := checkAdvertise(o.advertise); err != nil {
			return o, fmt.Errorf("-advertise: %w", err)
		}
	}
	if o.heartbeat < minHeartbeat || o.heartbeat > maxHeartbeat {
		return o, fmt.Errorf("-heartbeat: want %v to %v, got %v", minHeartbeat, maxHeartbeat, o.heartbeat)
	}
	if o.remove < minRemove {
		return o, fmt.Errorf("-remove-after: want %v or more, got %v", minRemove, o.remove)
	}
	if o.report < minReport {
		return o, fmt.Errorf("-report-interval: want %v or more, got %v", minReport, o.report)
	}
	if o.maxKeys < 0 {
		return o, fmt.Errorf("-max-keys: want 0 or more, got %d", o.maxKeys)
	}
	if o.maxBytes < 0 {
		return o, fmt.Errorf("-max-bytes: want 0 or more, got %d", o.maxBytes)
	}
	return o, o.parseRaw(raw)
}

// parseRaw reads the flags that are more than a string.
func (o *options) parseRaw(raw rawFlags) error {
	if raw.join != "" {
		for addr := range strings.SplitSeq(raw.join, ",") {
			addr = strings.TrimSpace(addr)
			if err := checkAddr(addr, 1); err != nil {
				return fmt.Errorf("-join: %w", err)
			}
			o.join = append(o.join, addr)
		}
	}
	key, err := hex.DecodeString(raw.key)
	if err != nil { // never printed: it may be half of a secret
		return errors.New("-key: not hexadecimal")
	}
	if n := len(key); n != 0 && n != 16 && n != 24 && n != 32 {
		return fmt.Errorf("-key: %d bytes, want 16, 24 or 32", n)
	}
	o.key = key
	for o.flow = gossip.FlowQuota; o.flow.String() != raw.flow; o.flow++ {
		if o.flow == gossip.FlowOff {
			return fmt.Errorf("-flow: want quota, aimd or off, got %q", raw.flow)
		}
	}
	if err := o.level.UnmarshalText([]byte(raw.level)); err != nil {
		return fmt.Errorf("-log-level: want debug, info, warn or error, got %q", raw.level)
	}
	return nil
}

// fillName takes the host name when no name was given.
func (o *options) fillName(fs *flag.FlagSet) error {
	given := false
	fs.Visit(func(f *flag.Flag) { given = given || f.Name == "name" })
	if !given {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("-name: none given, and the host has none: %w", err)
		}
		o.name = host
	}
	switch {
	case o.name == "":
		return errors.New("-name: must not be empty")
	case len(o.name) > maxName:
		return fmt.Errorf("-name: %d bytes, at most %d", len(o.name), maxName)
	case !printable(o.name) || strings.ContainsRune(o.name, ' '):
		return fmt.Errorf("-name: %q has a space or an unprintable character", o.name)
	}
	return nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// checkAddr reports what is wrong with a host:port of a port not below minPort.
// Whether a host name resolves is found out when it is used.
func checkAddr(addr string, minPort int) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not host:port", addr)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || int(n) < minPort {
		return fmt.Errorf("%q: the port must be a number from %d to 65535", addr, minPort)
	}
	if host == "" && minPort == 0 {
		return nil // all interfaces
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	// A name of digits, dots and colons only is an address with a slip in it.
	if strings.Trim(host, "0123456789.:") == "" || strings.ContainsAny(host, " /\\@:") || !printable(host) {
		return fmt.Errorf("%q: %q is neither an IP address nor a host name", addr, host)
	}
	return nil
}

func checkAdvertise(addr string) error {
	if err := checkAddr(addr, 1); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(addr) // checkAddr split it
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		return fmt.Errorf("%q: others cannot reach an unspecified address", addr)
	}
	return nil
}
