package swim

import (
	"fmt"

	"github.com/hashicorp/memberlist"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// sender carries stream messages to one peer. It is in Transport.senders while it
// has work, and so is its goroutine: no peer waits for another.
type sender struct {
	name  string
	queue [][]byte // guarded by Transport.mu, as bytes
	bytes int
	gone  chan struct{} // closed when the goroutine has returned
}

// frameBytes is the size at which a payload takes no further message.
const frameBytes = 1 << 20

type datagram struct {
	node memberlist.Node
	msg  []byte
}

// queueDatagram passes msg to the goroutine that writes datagrams.
func (t *Transport) queueDatagram(p peer, msg []byte) error {
	select {
	case t.datagrams <- datagram{p.node, msg}:
		return nil
	default:
		t.count.inc(dropSendFull)
		return fmt.Errorf("swim: datagram to %s: %w", p.node.Name, transport.ErrQueueFull)
	}
}

// writeDatagrams sends datagrams, and replies to questions, until Close: encryption
// and the socket's buffer must not hold up who calls Send or memberlist.
func (t *Transport) writeDatagrams() {
	for {
		select {
		case d := <-t.datagrams:
			if err := t.list.Load().SendBestEffort(&d.node, frameDatagram(d.msg)); err != nil {
				t.count.inc(dropSendFailed)
				continue
			}
			t.count.inc(datagramsOut)
			t.count.add(datagramBytesOut, len(d.msg))
		case r := <-t.replies:
			_ = t.list.Load().SendToAddress(memberlist.Address{Addr: r.to}, r.payload)
		case <-t.stopped:
			return
		}
	}
}

// queueStream passes msg to the peer's sender, which it starts when there is none.
// t.mu is held.
func (t *Transport) queueStream(name string, msg []byte) error {
	s := t.senders[name]
	if s == nil {
		s = &sender{name: name, gone: make(chan struct{})}
		t.senders[name] = s
		t.wg.Go(func() { t.runSender(s) })
	}
	if len(s.queue) >= t.cfg.SendQueue || len(s.queue) > 0 && s.bytes+len(msg) > t.cfg.SendBytes {
		t.count.inc(dropSendFull)
		return fmt.Errorf("swim: stream to %s: %w", name, transport.ErrQueueFull)
	}
	s.queue = append(s.queue, msg)
	s.bytes += len(msg)
	return nil
}

// runSender sends what s has until nothing is left.
func (t *Transport) runSender(s *sender) {
	defer close(s.gone)
	for {
		batch, size := t.nextBatch(s)
		if batch == nil {
			return
		}
		p, ok := t.roster.find(s.name)
		if !ok {
			t.count.add(dropNoPeer, len(batch)+t.abandon(s))
			continue
		}
		if err := t.list.Load().SendReliable(&p.node, frameStream(batch)); err != nil {
			// What waits behind it would wait for nothing, and be old by then.
			t.count.add(dropSendFailed, len(batch)+t.abandon(s))
			continue
		}
		t.count.add(streamsOut, len(batch))
		t.count.add(streamBytesOut, size)
	}
}

// nextBatch takes the oldest messages of s, or ends s when there are none.
func (t *Transport) nextBatch(s *sender) (batch [][]byte, size int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.halted || len(s.queue) == 0 {
		delete(t.senders, s.name)
		return nil, 0
	}
	n := 0
	for ; n < len(s.queue) && (n == 0 || size+len(s.queue[n]) <= frameBytes); n++ {
		size += len(s.queue[n])
	}
	batch = append(batch, s.queue[:n]...)
	s.queue = append(s.queue[:0], s.queue[n:]...)
	clear(s.queue[len(s.queue) : len(s.queue)+n])
	s.bytes -= size
	return batch, size
}

// abandon drops what waits in s and returns how many messages that was.
func (t *Transport) abandon(s *sender) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(s.queue)
	s.queue, s.bytes = nil, 0
	return n
}
