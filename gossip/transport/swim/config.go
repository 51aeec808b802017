package swim

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// Config says how a node takes part. Zero fields take the default on their line.
// All nodes of a cluster must agree on Cluster and Key.
type Config struct {
	Name    string // required: unique in the cluster, at most 128 bytes
	Cluster string // cluster id, the label of every packet and stream; default "scuttlebutt", at most 255 bytes
	Key     []byte // 16, 24 or 32 bytes (AES-GCM) encrypt all that leaves the process; empty: plain

	// Bind is the host:port to listen on, UDP and TCP; default "127.0.0.1:7946".
	// Port 0 takes a port that is free for both. No host, or 0.0.0.0, listens on all
	// addresses.
	Bind string
	// Advertise is the host:port that others use; default: Bind's host, or the address
	// of the default route when Bind has none; Bind's port when it has none or is 0.
	Advertise string
	// Join are seeds: host:port, or a name, whose addresses are all tried, with Bind's
	// port when it has none. Empty: wait for others to join.
	Join []string

	MaxDatagram int // bytes of one datagram before labels and encryption; default 1,400, at most 60,000
	MaxStream   int // bytes of one stream message; default 4 MiB, at most 16 MiB
	// CompressAbove is the size of stream messages, in bytes, above which they are compressed
	// with zstd; default 0: none are. Nodes need not agree on it; see package stream.
	CompressAbove int

	ReceiveQueue  int // messages that wait to be received; default 1,024
	ReceiveBytes  int // bytes that wait to be received; default 64 MiB, at least one message fits
	SendQueue     int // stream messages that wait for one peer; default 256
	SendBytes     int // bytes of streams that wait for one peer; default 16 MiB, at least one message fits
	DatagramQueue int // datagrams that wait to be sent, for all peers; default 1,024
	MaxMembers    int // nodes remembered, in any state; default 10,000
	MaxConns      int // incoming connections, links not counted; one more closes the oldest; default 512
	MaxLinks      int // peers with a connection that stays; default 512

	RemoveAfter    time.Duration // how long failed and left members are listed; default 10 min
	JoinTimeout    time.Duration // bounds the first attempt to join, made by Start; default 3 s
	JoinInterval   time.Duration // first pause between attempts, doubling; default 500 ms
	JoinMax        time.Duration // longest pause between attempts while alone; default 30 s
	RedialInterval time.Duration // longest pause between dialling what is missing while not alone; default 15 s
	DialTimeout    time.Duration // to connect; default 3 s
	TCPTimeout     time.Duration // for everything on a connection of membership, and for progress on a link; default 10 s
	LeaveTimeout   time.Duration // bounds telling others that this node leaves; default 5 s

	ProbeInterval    time.Duration // between probes for failures; default 1 s
	ProbeTimeout     time.Duration // wait for a probe's answer; default 500 ms
	SuspicionMult    int           // suspicion lasts this × log10(nodes) × ProbeInterval; default 4
	GossipInterval   time.Duration // between packets that spread membership; default 200 ms
	PushPullInterval time.Duration // between exchanges of whole member lists; default 30 s
	GossipToTheDead  time.Duration // how long membership is still told to failed members; default 30 s

	Logger *slog.Logger // nil: silent

	// Cut, if set, decides what a bad network loses: it is asked before each packet
	// that this node sends, each connection that it opens, membership's own included,
	// and each write to a link, and true loses the packet, has the connection refused, or
	// breaks the link. from is this
	// node's address, to the other's, as host:port. Nothing cuts what comes in: to cut
	// two nodes off from each other both need it. It is called by many goroutines at
	// once and must not wait. For tests and demonstrations.
	Cut func(from, to string, ch transport.Channel) bool
}

const defaultBind = "127.0.0.1:7946"

// Validate reports the first field that cannot be used.
func (c Config) Validate() error {
	c = c.withDefaults()
	switch {
	case c.Name == "":
		return errors.New("swim: Name is empty")
	case len(c.Name) > maxName:
		return fmt.Errorf("swim: Name has %d bytes, more than %d", len(c.Name), maxName)
	case len(c.Cluster) > memberlist.LabelMaxSize:
		return fmt.Errorf("swim: Cluster has %d bytes, more than %d", len(c.Cluster), memberlist.LabelMaxSize)
	case len(c.Key) != 0 && len(c.Key) != 16 && len(c.Key) != 24 && len(c.Key) != 32:
		return fmt.Errorf("swim: Key has %d bytes, not 16, 24 or 32", len(c.Key))
	case c.MaxDatagram > 60_000:
		return fmt.Errorf("swim: MaxDatagram is %d, more than 60000", c.MaxDatagram)
	case c.MaxStream > 16<<20:
		return fmt.Errorf("swim: MaxStream is %d, more than %d", c.MaxStream, 16<<20)
	}
	if _, _, err := net.SplitHostPort(c.Bind); err != nil {
		return fmt.Errorf("swim: Bind: %w", err)
	}
	if c.Advertise != "" {
		if _, _, err := net.SplitHostPort(c.Advertise); err != nil {
			return fmt.Errorf("swim: Advertise: %w", err)
		}
	}
	for _, seed := range c.Join {
		if seed == "" {
			return errors.New("swim: Join has an empty address")
		}
	}
	for name, n := range map[string]int{
		"MaxDatagram": c.MaxDatagram, "MaxStream": c.MaxStream, "CompressAbove": c.CompressAbove, "ReceiveQueue": c.ReceiveQueue,
		"ReceiveBytes": c.ReceiveBytes, "SendQueue": c.SendQueue, "SendBytes": c.SendBytes,
		"DatagramQueue": c.DatagramQueue, "MaxMembers": c.MaxMembers, "MaxConns": c.MaxConns, "MaxLinks": c.MaxLinks,
		"SuspicionMult": c.SuspicionMult,
	} {
		if n < 0 {
			return fmt.Errorf("swim: %s is negative: %d", name, n)
		}
	}
	for name, d := range map[string]time.Duration{
		"RemoveAfter": c.RemoveAfter, "JoinTimeout": c.JoinTimeout, "JoinInterval": c.JoinInterval,
		"JoinMax": c.JoinMax, "RedialInterval": c.RedialInterval, "DialTimeout": c.DialTimeout,
		"TCPTimeout": c.TCPTimeout, "LeaveTimeout": c.LeaveTimeout, "ProbeInterval": c.ProbeInterval,
		"ProbeTimeout": c.ProbeTimeout, "GossipInterval": c.GossipInterval,
		"PushPullInterval": c.PushPullInterval, "GossipToTheDead": c.GossipToTheDead,
	} {
		if d < 0 {
			return fmt.Errorf("swim: %s is negative: %v", name, d)
		}
	}
	return nil
}

func (c Config) withDefaults() Config {
	c.Cluster = cmp.Or(c.Cluster, "scuttlebutt")
	c.Bind = cmp.Or(c.Bind, defaultBind)
	c.MaxDatagram = cmp.Or(c.MaxDatagram, 1400)
	c.MaxStream = cmp.Or(c.MaxStream, 4<<20)
	c.ReceiveQueue = cmp.Or(c.ReceiveQueue, 1024)
	c.ReceiveBytes = cmp.Or(c.ReceiveBytes, 64<<20)
	c.SendQueue = cmp.Or(c.SendQueue, 256)
	c.SendBytes = cmp.Or(c.SendBytes, 16<<20)
	c.DatagramQueue = cmp.Or(c.DatagramQueue, 1024)
	c.MaxMembers = cmp.Or(c.MaxMembers, 10_000)
	c.MaxConns = cmp.Or(c.MaxConns, 512)
	c.MaxLinks = cmp.Or(c.MaxLinks, 512)
	c.RemoveAfter = cmp.Or(c.RemoveAfter, 10*time.Minute)
	c.JoinTimeout = cmp.Or(c.JoinTimeout, 3*time.Second)
	c.JoinInterval = cmp.Or(c.JoinInterval, 500*time.Millisecond)
	c.JoinMax = cmp.Or(c.JoinMax, 30*time.Second)
	c.RedialInterval = cmp.Or(c.RedialInterval, 15*time.Second)
	c.DialTimeout = cmp.Or(c.DialTimeout, 3*time.Second)
	c.TCPTimeout = cmp.Or(c.TCPTimeout, 10*time.Second)
	c.LeaveTimeout = cmp.Or(c.LeaveTimeout, 5*time.Second)
	c.ProbeInterval = cmp.Or(c.ProbeInterval, time.Second)
	c.ProbeTimeout = cmp.Or(c.ProbeTimeout, 500*time.Millisecond)
	c.SuspicionMult = cmp.Or(c.SuspicionMult, 4)
	c.GossipInterval = cmp.Or(c.GossipInterval, 200*time.Millisecond)
	c.PushPullInterval = cmp.Or(c.PushPullInterval, 30*time.Second)
	c.GossipToTheDead = cmp.Or(c.GossipToTheDead, 30*time.Second)
	return c
}
