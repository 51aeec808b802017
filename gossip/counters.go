package gossip

import (
	"errors"
	"sync/atomic"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/wire"
)

// counters counts messages. The zero value is ready; all is atomic.
type counters struct {
	bytes    [2][channels]atomic.Uint64
	messages [2][kinds]atomic.Uint64
	dropped  [reasons]atomic.Uint64
}

// Indices into counters.bytes and counters.messages.
const (
	outgoing = iota
	incoming
)

const (
	channels = int(transport.Stream) + 1
	kinds    = int(engine.Graft) + 1
)

func (c *counters) sent(ch transport.Channel, k engine.Kind, size int) {
	c.count(outgoing, ch, k, size)
}
func (c *counters) received(ch transport.Channel, k engine.Kind, size int) {
	c.count(incoming, ch, k, size)
}

func (c *counters) count(direction int, ch transport.Channel, k engine.Kind, size int) {
	if int(ch) < channels {
		c.bytes[direction][ch].Add(uint64(size))
	}
	if int(k) < kinds {
		c.messages[direction][k].Add(1)
	}
}

// reason says why a message was dropped.
type reason int

const (
	otherVersion reason = iota
	otherCluster
	malformed
	refused
	noPeer
	queueFull
	tooLarge
	closed
	sendFailed
	reasons
)

// String returns the reason as the metric has it.
func (r reason) String() string {
	return [reasons]string{
		otherVersion: "version", otherCluster: "cluster", malformed: "malformed", refused: "refused",
		noPeer: "no_peer", queueFull: "queue_full", tooLarge: "too_large", closed: "closed", sendFailed: "send",
	}[r]
}

// inbound reports whether the message came from the network.
func (r reason) inbound() bool { return r <= refused }

// reasonOf says why a message was dropped from the error of the codec, the
// engine or the transport.
func reasonOf(err error) reason {
	for target, r := range map[error]reason{
		wire.ErrVersion: otherVersion, wire.ErrCluster: otherCluster, wire.ErrMalformed: malformed,
		engine.ErrMessage: refused, transport.ErrNoPeer: noPeer, transport.ErrQueueFull: queueFull,
		transport.ErrTooLarge: tooLarge, transport.ErrClosed: closed,
	} {
		if errors.Is(err, target) {
			return r
		}
	}
	return sendFailed
}
