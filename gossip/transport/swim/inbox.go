package swim

import (
	"sync"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// inbox is the receive queue: bounded in messages and bytes.
type inbox struct {
	maxBytes int

	moving sync.Once // run was started
	runs   sync.WaitGroup
	out    chan transport.Packet
	stop   chan struct{}

	mu     sync.Mutex
	ring   []transport.Packet // oldest at head
	head   int
	n      int
	bytes  int // of what is in ring
	closed bool
	news   sync.Cond // ring is not empty any more, or the inbox is closed

	room    sync.Cond // there may be room, or the inbox is closed
	waiting int       // who waits for that
}

func newInbox(maxMessages, maxBytes int) *inbox {
	b := &inbox{
		maxBytes: maxBytes,
		out:      make(chan transport.Packet),
		stop:     make(chan struct{}),
		ring:     make([]transport.Packet, maxMessages),
	}
	b.room.L, b.news.L = &b.mu, &b.mu
	return b
}

// put queues a packet, or reports false when there is no room for it.
func (b *inbox) put(p transport.Packet) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.full(p, len(b.ring), b.maxBytes) {
		return false
	}
	b.add(p)
	return true
}

// await queues a packet as soon as there is room for it, and some to spare: who waits
// must not keep out who does not. False: the inbox was closed.
func (b *inbox) await(p transport.Packet) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.closed && b.full(p, max(1, len(b.ring)*3/4), b.maxBytes*3/4) {
		b.waiting++
		b.room.Wait()
		b.waiting--
	}
	if b.closed {
		return false
	}
	b.add(p)
	return true
}

// full reports whether p does not fit into so much room; the first one always does. mu
// is held.
func (b *inbox) full(p transport.Packet, packets, bytes int) bool {
	return b.n >= packets || b.bytes > 0 && b.bytes+len(p.Bytes) > bytes
}

// add queues p. mu is held.
func (b *inbox) add(p transport.Packet) {
	b.ring[(b.head+b.n)%len(b.ring)] = p
	b.n++
	b.bytes += len(p.Bytes)
	if b.n == 1 {
		b.news.Signal()
	}
}

// next waits for a packet and takes the oldest out; false: the inbox was closed.
func (b *inbox) next() (transport.Packet, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.n == 0 && !b.closed {
		b.news.Wait()
	}
	if b.closed {
		return transport.Packet{}, false
	}
	p := b.ring[b.head]
	b.ring[b.head] = transport.Packet{}
	b.head = (b.head + 1) % len(b.ring)
	b.n--
	b.bytes -= len(p.Bytes)
	if b.waiting > 0 {
		b.room.Broadcast() // the one that waits for longest may need more room than there is
	}
	return p, true
}

// receive returns a channel to which all packets go from now on; close closes it.
func (b *inbox) receive() <-chan transport.Packet {
	b.moving.Do(func() { b.runs.Go(b.run) })
	return b.out
}

// run moves packets to out until close.
func (b *inbox) run() {
	defer close(b.out)
	for {
		p, ok := b.next()
		if !ok {
			return
		}
		select {
		case b.out <- p:
		case <-b.stop:
			return
		}
	}
}

// close drops what waits, and waits for run.
func (b *inbox) close() {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		b.room.Broadcast()
		b.news.Broadcast()
		close(b.stop)
	}
	b.mu.Unlock()
	b.runs.Wait()
}
