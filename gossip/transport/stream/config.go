package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Config says how a node keeps its links. Zero fields take the default on their line.
// All nodes of a cluster must agree on Cluster and Key.
type Config struct {
	Name    string // required: this node's, at most 128 bytes
	Cluster string // cluster id, at most 255 bytes
	Key     []byte // 16, 24 or 32 bytes: everything is sealed; empty: plain

	// Dial connects to a peer: required. It is called by one goroutine at a time for each
	// peer, and should give up when ctx is done.
	Dial func(ctx context.Context, peer string) (net.Conn, error)
	// Deliver takes a message that arrived, whose bytes are its own: required. It is
	// called by many goroutines at once. While it waits no more is read from that peer; it
	// must end when the node closes.
	Deliver func(msg []byte)
	// IsMember, if set, says whether a peer is known: others go first when there are too
	// many links. It must not wait nor call Links.
	IsMember func(peer string) bool
	// IsCut, if set, is asked before each write to a peer; true breaks the connection. It
	// must not wait. For tests.
	IsCut func(peer string) bool

	// CompressAbove is the size of messages, in bytes, above which they are compressed, with
	// zstd; default 0: none are. What comes compressed is read in any case.
	CompressAbove int

	MaxMessage int           // bytes of one message; default 4 MiB, at most 64 MiB
	SendQueue  int           // messages that wait for one peer; default 256
	SendBytes  int           // bytes that wait for one peer; default 16 MiB, at least one message fits
	MaxLinks   int           // peers with a connection; default 512
	MaxPending int           // incoming connections that have not shown who they are; default 64
	Timeout    time.Duration // for a handshake, and for a write or the rest of a message to make progress; default 10 s
	RetryMin   time.Duration // first pause after a failed dial; default 50 ms
	RetryMax   time.Duration // longest pause; default 2 s

	Logger *slog.Logger // nil: silent
}

// NowWriter is implemented by connections that can be written to without waiting. Small
// messages are written to those by who sends them, and not by a goroutine for each.
type NowWriter interface {
	// WriteNow writes as much of b as there is room for at this moment, and returns how
	// much that was: it may be nothing. An error ends the connection.
	WriteNow(b []byte) (int, error)
}

const (
	maxName    = 128
	maxCluster = 255
	maxMessage = 64 << 20
)

// Validate reports the first field that cannot be used.
func (c Config) Validate() error {
	bad := func(field, format string, args ...any) error {
		return fmt.Errorf("stream: Config.%s: %s", field, fmt.Sprintf(format, args...))
	}
	switch {
	case c.Name == "" || len(c.Name) > maxName:
		return bad("Name", "%d bytes, from 1 to %d", len(c.Name), maxName)
	case len(c.Cluster) > maxCluster:
		return bad("Cluster", "%d bytes, at most %d", len(c.Cluster), maxCluster)
	case len(c.Key) != 0 && len(c.Key) != 16 && len(c.Key) != 24 && len(c.Key) != 32:
		return bad("Key", "%d bytes, must be 16, 24 or 32", len(c.Key))
	case c.Dial == nil:
		return bad("Dial", "is required")
	case c.Deliver == nil:
		return bad("Deliver", "is required")
	case c.MaxMessage < 0 || c.MaxMessage > maxMessage:
		return bad("MaxMessage", "%d bytes, at most %d", c.MaxMessage, maxMessage)
	}
	for _, f := range []struct {
		name string
		bad  bool
	}{
		{"CompressAbove", c.CompressAbove < 0}, {"SendQueue", c.SendQueue < 0}, {"SendBytes", c.SendBytes < 0}, {"MaxLinks", c.MaxLinks < 0},
		{"MaxPending", c.MaxPending < 0}, {"Timeout", c.Timeout < 0}, {"RetryMin", c.RetryMin < 0}, {"RetryMax", c.RetryMax < 0},
	} {
		if f.bad {
			return bad(f.name, "is negative")
		}
	}
	return nil
}

func (c Config) withDefaults() Config {
	c.MaxMessage = cmp.Or(c.MaxMessage, 4<<20)
	c.SendQueue = cmp.Or(c.SendQueue, 256)
	c.SendBytes = cmp.Or(c.SendBytes, 16<<20)
	c.MaxLinks = cmp.Or(c.MaxLinks, 512)
	c.MaxPending = cmp.Or(c.MaxPending, 64)
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.RetryMin = cmp.Or(c.RetryMin, 50*time.Millisecond)
	c.RetryMax = max(cmp.Or(c.RetryMax, 2*time.Second), c.RetryMin)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Why a connection was refused or given up.
var (
	errCluster   = errors.New("of another cluster")
	errKey       = errors.New("not sealed with this cluster's key")
	errMalformed = errors.New("not understood")
	errStranger  = errors.New("not from or to whom it should be")
	errRecorded  = errors.New("does not repeat what was drawn for it")
	errSelf      = errors.New("this node has that name")
)
