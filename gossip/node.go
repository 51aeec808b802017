package gossip

import (
	"context"
	"errors"
	"iter"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Errors that callers tell apart.
var (
	ErrClosed    = errors.New("gossip: node is closed")
	ErrNameTaken = errors.New("gossip: another live node has this name")
	ErrTooLarge  = engine.ErrTooLarge
	ErrAttached  = engine.ErrAttached
)

// Node is a running member of a cluster. All methods are safe for concurrent use.
type Node struct{}

// Member is a node of the cluster.
type Member = transport.Member

// MemberEvent says that a member came, went or changed state.
type MemberEvent struct {
	Member
	Before transport.State // meaningless when Joined
	Joined bool            // not known before
}

// Status is a node's view of itself and of the data.
type Status struct {
	Self    clock.Replica
	Addr    string
	Clean   bool
	Vector  clock.Vector
	Pending uint64 // versions that peers know and this node does not, as last seen
	Peers   int    // alive or suspect members besides this one
	Spaces  []engine.SpaceStatus
	Stats   engine.Stats
}

// Start starts a node and returns when it can be used: it listens, and one
// attempt to join was made. ctx bounds that only. A node whose seeds do not
// answer serves alone and keeps trying.
func Start(ctx context.Context, cfg Config) (*Node, error) { panic("TODO") }

// Attach makes h the model of a space and applies what is known of that space.
func (n *Node) Attach(space string, h model.Handle) error { panic("TODO") }

// Members returns all known nodes by name, this one included.
func (n *Node) Members() []Member { panic("TODO") }

// MemberEvents yields the current members as joined, then every change, until
// ctx is done or the node is closed. A slow reader misses intermediate states,
// never the latest.
func (n *Node) MemberEvents(ctx context.Context) iter.Seq[MemberEvent] { panic("TODO") }

// Status returns what the node knows now.
func (n *Node) Status() Status { panic("TODO") }

// Leave hands this node's newest updates to a peer, tells the others that it
// leaves, and closes it. It returns early when ctx is done; the node is closed
// in any case.
func (n *Node) Leave(ctx context.Context) error { panic("TODO") }

// Close stops the node at once: the others will find it failed. It waits for
// every goroutine. Calls on a closed node return ErrClosed.
func (n *Node) Close() error { panic("TODO") }
