// Package transport moves bytes between the nodes of a cluster and says who
// they are. It knows nothing of what the bytes mean.
//
// Package memnet is a network in memory with seeded faults, for tests and
// simulations in one process. Package swim is hashicorp/memberlist: UDP for
// datagrams, SWIM for membership, and package stream's connections for streams. Package
// transporttest is the suite that every transport passes.
package transport

import (
	"context"
	"errors"
)

// Errors that callers tell apart.
var (
	ErrClosed    = errors.New("transport: closed")
	ErrNoPeer    = errors.New("transport: unknown peer")
	ErrQueueFull = errors.New("transport: queue is full")
	ErrTooLarge  = errors.New("transport: message is larger than the channel allows")
)

// Channel is a way for a message to go.
type Channel uint8

// The channels.
const (
	Datagram Channel = iota // small, may be lost, reordered or repeated
	Stream                  // large, over a connection; lost only when that fails
)

// String returns "datagram" or "stream".
func (c Channel) String() string {
	if c == Datagram {
		return "datagram"
	}
	return "stream"
}

// State is what membership says of a node.
type State uint8

// The states of a member.
const (
	Alive State = iota
	Suspect
	Failed
	Left
)

// String returns the state's name in lower case.
func (s State) String() string {
	if s > Left {
		return "unknown"
	}
	return [...]string{"alive", "suspect", "failed", "left"}[s]
}

// Member is a node of the cluster as a transport sees it.
type Member struct {
	Name  string
	Addr  string // host:port, for people; peers are named by Name
	State State
	Self  bool
}

// Packet is a message that arrived. Its bytes belong to the receiver.
type Packet struct {
	Channel Channel
	Bytes   []byte
	// Release, if there is one, takes Bytes back, to be used again: who needs them no
	// more may call it with them, once.
	Release func(b []byte)
}

// Source is a Transport that packets can be fetched from without a channel, into which
// another goroutine would have to put each.
type Source interface {
	Transport
	// Next waits for a packet and returns it; false once the transport was closed. It is
	// called by one goroutine, and Receive is not: what wraps a Transport to see what
	// arrives needs both.
	Next() (Packet, bool)
}

// FuncSender is a Transport that can have a stream message encoded when it is written.
type FuncSender interface {
	Transport
	// SendFunc is Send, by stream, of a message of at most size bytes. encode appends it
	// to b; it is called on another goroutine, once, or never if the message is dropped.
	SendFunc(to string, size int, encode func(b []byte) []byte) error
}

// Link is a connection to a peer that stays.
type Link struct {
	Peer string
	Life uint64 // names the connection: messages that were lost between two of them leave no other trace
	Busy bool   // stream messages wait to be written
}

// Linker is a Transport whose stream messages go over connections that stay, and arrive
// in order until one breaks. All methods are safe for concurrent use.
type Linker interface {
	Transport
	// Link says to which peers there should be connections, and to which not any more,
	// for this node's sake: others may connect to it all the same. Whatever breaks is
	// made again, after a pause if that fails.
	Link(peers []string)
	// Links appends the connections that are there now to buf, ascending by peer.
	Links(buf []Link) []Link
	// Changed returns a channel, always the same, of capacity 1. It holds a token when a
	// connection came or went since Links was called last, or one that was busy then is
	// not any more.
	Changed() <-chan struct{}
}

// Transport is one node's access to the network. All methods are safe for
// concurrent use.
type Transport interface {
	// Send queues msg for a node and returns at once: ErrNoPeer, ErrQueueFull,
	// ErrTooLarge or ErrClosed when it cannot. Nil does not mean that it arrives.
	// The transport owns msg from here on, but does not change one that goes by stream: that
	// may be sent to several nodes.
	Send(to string, ch Channel, msg []byte) error
	// Receive returns the queue of arrived messages: bounded, newest dropped when
	// full (and counted by the transport), or, if streams, kept waiting at their sender.
	// It is closed by Close.
	Receive() <-chan Packet
	// Members returns all known nodes, this one included, by name, and a channel
	// that is closed when that list is no longer the newest.
	Members() ([]Member, <-chan struct{})
	// Close tells the others that this node leaves, unless ctx is done, and for as
	// long as it is not; then it stops everything and waits for it.
	Close(ctx context.Context) error
}
