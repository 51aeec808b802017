package gossip

import (
	"iter"
	"sync"
	"sync/atomic"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/wire"
)

const (
	// desks is how many messages may have been taken out of the transport and not been
	// dealt with. With fewer, who decodes and who applies wait for each other all the time.
	desks = 4
	// largeMessage is the size, in bytes, from which a message is handed over: it takes
	// longer to decode, or to apply, than to wake somebody up.
	largeMessage = 16 << 10
)

// desk is where a message is prepared. What it prepares is only there until the next one:
// so a message keeps its desk until it has been dealt with.
type desk struct {
	decoder *wire.Decoder
	intake  *engine.Intake
}

// arrival is a message that was decoded, or why it could not be.
type arrival struct {
	packet  transport.Packet
	message *engine.Message
	err     error
	desk    *desk
}

// inflow is the way of messages from the transport to the engine: in order, whoever deals
// with them.
type inflow struct {
	node   *Node
	free   chan *desk   // capacity desks
	large  chan arrival // capacity desks: to be dealt with by a goroutine of their own
	before atomic.Int64 // how many of these have not been dealt with
}

// receive gives arriving messages to the engine until the transport is closed. While a
// large one is applied, those after it are decoded, and their updates hashed.
// A small one is dealt with where it was decoded, if none is before it.
func (n *Node) receive() {
	in := &inflow{node: n, free: make(chan *desk, desks), large: make(chan arrival, desks)}
	for range desks {
		in.free <- &desk{n.codec.Decoder(), n.engine.Intake()}
	}
	var other sync.WaitGroup
	other.Go(func() {
		for a := range in.large {
			in.deal(a)
			in.before.Add(-1)
		}
	})
	for p := range packets(n.transport) {
		if a := in.decode(p); len(p.Bytes) < largeMessage && in.before.Load() == 0 {
			in.deal(a)
		} else {
			in.before.Add(1)
			in.large <- a
		}
	}
	close(in.large)
	other.Wait()
	// Nobody else closes the transport but stop itself: it gave up.
	if first, _ := n.stop(canceled(), n.failure()); first {
		n.log.Error("node stopped", "error", n.Err())
	}
}

// packets are those that a transport receives until it is closed.
func packets(t transport.Transport) iter.Seq[transport.Packet] {
	return func(yield func(transport.Packet) bool) {
		if s, ok := t.(transport.Source); ok {
			for p, ok := s.Next(); ok && yield(p); p, ok = s.Next() {
			}
			return
		}
		for p := range t.Receive() {
			if !yield(p) {
				return
			}
		}
	}
}

// decode prepares a message, outside of all locks.
func (in *inflow) decode(p transport.Packet) arrival {
	a := arrival{packet: p, desk: <-in.free}
	a.message, a.err = a.desk.decoder.Decode(p.Bytes)
	if a.err == nil && a.message.CatchUp && a.message.Kind == engine.Push {
		a.desk.intake.Own(a.message)
	}
	return a
}

// deal gives a message to the engine, and its memory back.
func (in *inflow) deal(a arrival) {
	in.node.take(a.packet, a.message, a.err)
	if a.packet.Release != nil && (a.message == nil || a.message.Digest.Parts <= 1) { // the engine keeps parts
		a.packet.Release(a.packet.Bytes)
	}
	in.free <- a.desk
}
