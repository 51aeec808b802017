package gossip

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// Config says how a node works. Zero fields take the default on their line.
// Start does not change the caller's copy. All nodes of a cluster must agree on
// Cluster, Key and MaxUpdate.
type Config struct {
	Name    string // required: this node's stable name, unique in the cluster, at most 128 bytes
	Cluster string // cluster id: nodes of different ids never exchange anything; default "scuttlebutt"

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
	// Transport replaces sockets and membership (Bind, Advertise, Join and Key must be
	// empty then). The node owns it and closes it.
	Transport transport.Transport

	Interval    time.Duration // T, time between gossip rounds; default 1 s
	MinInterval time.Duration // between rounds while something is missing; default 20 ms
	MaxInterval time.Duration // between rounds while nothing changes; default 4 × Interval
	Budget      int           // bytes of updates that one exchange carries per direction; default 1 MiB
	MaxUpdate   int           // bytes of one encoded update, key, value and overhead; default 1 MiB
	MaxDatagram int           // bytes of one datagram before encryption; default 1,400

	// RemoveAfter is how long a failed node counts as a member; default 10 min.
	RemoveAfter time.Duration

	Logger  *slog.Logger          // nil: silent
	Metrics prometheus.Registerer // nil: no metrics; see the package documentation for names
	Seed    int64                 // of peer choice and phases; 0: random
}
