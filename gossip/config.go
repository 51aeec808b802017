package gossip

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// Config says how a node works. Zero fields take the default on their line.
// Start does not change the caller's copy. All nodes of a cluster must agree on
// Cluster, Key and MaxUpdate.
type Config struct {
	Name    string // required: this node's stable name, unique in the cluster, at most 128 bytes of UTF-8
	Cluster string // cluster id: nodes of different ids never exchange anything; default "scuttlebutt"
	// Metadata is what this node says of itself at first, in any form; see
	// [Node.SetMetadata] and [Member]. Nil: nothing.
	Metadata []byte

	// Bind is the host:port for gossip, UDP and TCP; default "127.0.0.1:7946". Port
	// 0 takes a free one.
	Bind string
	// Advertise is the host:port that others reach this node under; default: Bind.
	Advertise string
	// Join are nodes to start from, host:port or DNS names, all of whose addresses
	// are tried, again and again until one answers. Empty: wait to be joined.
	Join []string
	// Key encrypts whatever leaves the process: 16, 24 or 32 bytes (AES). Empty: plain.
	Key []byte
	// CompressAbove is the size of messages over links, in bytes, above which they are
	// compressed with zstd: 16 KiB, say, compresses what nodes get that catch up, and hardly
	// anything else. It is for slow networks: on fast ones it costs more time than it
	// saves. Default 0: none are. Nodes need not agree on it.
	CompressAbove int
	// Transport replaces sockets and membership (Bind, Advertise, Join, Key and
	// CompressAbove must be empty then). The node owns it from a successful Start on, and closes it.
	Transport transport.Transport

	Interval    time.Duration // T, time between gossip rounds; default 1 s
	MinInterval time.Duration // between rounds while something is missing; default 20 ms, at most Interval
	MaxInterval time.Duration // between rounds while nothing changes; default 4 × Interval
	Budget      int           // bytes of updates that one exchange carries per direction; default 1 MiB
	Window      int           // bytes of updates that may be under way to this node while it catches up, outside of Budget; default 1 MiB, at most 1 GiB
	Flow        FlowControl   // how local writes are held back while gossip cannot keep up; default FlowQuota
	RoundsOnly  bool          // no live updates, and catching up keeps to Budget: what is new waits for a round; default: it goes out at once
	Order       engine.Order  // which updates go first when the budget is too small for all; default engine.Hybrid
	MaxUpdate   int           // bytes of one encoded update, key, value and overhead; default 1 MiB, at most 15 MiB
	MaxDatagram int           // bytes of one datagram before encryption; default 1,400

	// RemoveAfter is how long a failed node counts as a member, for whom what was deleted
	// is kept; default 10 min.
	RemoveAfter time.Duration
	// ReportInterval is the least time between two reports of this node while something
	// that was deleted waits to be collected; it takes about three; default 10 s.
	ReportInterval time.Duration

	Logger  *slog.Logger          // nil: silent
	Metrics prometheus.Registerer // nil: no metrics; see the package documentation for names
	Seed    int64                 // of peer choice and phases; 0: random
}

// Validate reports the first field that cannot be used, defaults applied. The
// error names it: "gossip: Config.Name: …".
func (c Config) Validate() error {
	c = c.withDefaults()
	bad := func(field, format string, args ...any) error {
		return fmt.Errorf("gossip: Config.%s: %s", field, fmt.Sprintf(format, args...))
	}
	switch {
	case c.Name == "":
		return bad("Name", "is required")
	case len(c.Name) > engine.MaxName:
		return bad("Name", "%d bytes, at most %d", len(c.Name), engine.MaxName)
	case !utf8.ValidString(c.Name):
		return bad("Name", "%q is not UTF-8", c.Name)
	case c.Metadata != nil && len(c.Metadata) > c.MaxUpdate-metadataRoom:
		return bad("Metadata", "%d bytes, at most %d with Config.MaxUpdate %d", len(c.Metadata), c.MaxUpdate-metadataRoom, c.MaxUpdate)
	case len(c.Cluster) > engine.MaxName:
		return bad("Cluster", "%d bytes, at most %d", len(c.Cluster), engine.MaxName)
	case len(c.Key) != 0 && len(c.Key) != 16 && len(c.Key) != 24 && len(c.Key) != 32:
		return bad("Key", "%d bytes, must be 16, 24 or 32", len(c.Key))
	case c.CompressAbove < 0:
		return bad("CompressAbove", "%d bytes", c.CompressAbove)
	case c.Interval < 0:
		return bad("Interval", "%v is negative", c.Interval)
	case c.MinInterval < 0 || c.MinInterval > c.Interval:
		return bad("MinInterval", "%v, from 0 to Interval %v", c.MinInterval, c.Interval)
	case c.MaxInterval < c.Interval:
		return bad("MaxInterval", "%v is below Interval %v", c.MaxInterval, c.Interval)
	case c.Budget < 0:
		return bad("Budget", "%d bytes", c.Budget)
	case c.Window < 0 || c.Window > maxWindow:
		return bad("Window", "%d bytes, from 0 to %d", c.Window, maxWindow)
	case c.Flow > FlowOff:
		return bad("Flow", "%v is unknown", c.Flow)
	case c.Order > engine.Breadth:
		return bad("Order", "%v is unknown", c.Order)
	case c.MaxUpdate < 0 || c.MaxUpdate > maxMaxUpdate:
		return bad("MaxUpdate", "%d bytes, at most %d", c.MaxUpdate, maxMaxUpdate)
	case c.MaxDatagram < engine.MinMessage || c.MaxDatagram > maxMaxDatagram:
		return bad("MaxDatagram", "%d bytes, from %d to %d", c.MaxDatagram, engine.MinMessage, maxMaxDatagram)
	case c.RemoveAfter < 0:
		return bad("RemoveAfter", "%v is negative", c.RemoveAfter)
	case c.ReportInterval < 0:
		return bad("ReportInterval", "%v is negative", c.ReportInterval)
	}
	if c.Transport != nil {
		return c.validateNoSockets(bad)
	}
	return c.validateSockets(bad)
}

const (
	metadataRoom   = 512      // what else an update of metadata may take: names, above all
	maxMaxUpdate   = 15 << 20 // what fits into one message of a stream
	maxWindow      = 1 << 30
	maxMaxDatagram = 60_000 // what fits into one UDP packet, encrypted
)

func (c Config) validateNoSockets(bad func(field, format string, args ...any) error) error {
	const why = "must be empty when Transport is set"
	switch {
	case c.Bind != "":
		return bad("Bind", why)
	case c.Advertise != "":
		return bad("Advertise", why)
	case len(c.Join) > 0:
		return bad("Join", why)
	case len(c.Key) > 0:
		return bad("Key", why)
	case c.CompressAbove > 0:
		return bad("CompressAbove", why)
	}
	return nil
}

func (c Config) validateSockets(bad func(field, format string, args ...any) error) error {
	if _, _, err := net.SplitHostPort(c.Bind); err != nil {
		return bad("Bind", "%v", err)
	}
	if c.Advertise != "" {
		if _, _, err := net.SplitHostPort(c.Advertise); err != nil {
			return bad("Advertise", "%v", err)
		}
	}
	if slices.Contains(c.Join, "") {
		return bad("Join", "has an empty address")
	}
	return nil
}

func (c Config) withDefaults() Config {
	c.Cluster = cmp.Or(c.Cluster, "scuttlebutt")
	if c.Transport == nil {
		c.Bind = cmp.Or(c.Bind, "127.0.0.1:7946")
	}
	c.Interval = cmp.Or(c.Interval, time.Second)
	c.MinInterval = cmp.Or(c.MinInterval, min(20*time.Millisecond, c.Interval))
	c.MaxInterval = cmp.Or(c.MaxInterval, 4*c.Interval)
	c.Budget = cmp.Or(c.Budget, 1<<20)
	if c.Window = cmp.Or(c.Window, 1<<20); c.RoundsOnly {
		c.Window = 0 // rounds carry everything, as their budget allows
	}
	c.MaxUpdate = cmp.Or(c.MaxUpdate, 1<<20)
	c.MaxDatagram = cmp.Or(c.MaxDatagram, 1400)
	c.RemoveAfter = cmp.Or(c.RemoveAfter, 10*time.Minute)
	c.ReportInterval = cmp.Or(c.ReportInterval, 10*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
