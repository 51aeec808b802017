package stream

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// Links are a node's connections to its peers. All methods are safe for concurrent
// use.
type Links struct {
	cfg      Config
	instance instance
	count    counters
	wearOut  uint64 // bytes in one direction under one key; tests make it small

	ctx    context.Context // done when Close begins
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine

	press  *compressor
	spares spares

	mu      sync.Mutex
	links   map[string]*link
	conns   map[net.Conn]uint64 // all that are open; the value orders those whose handshake is under way, 0: it is over
	pending int                 // how many are not 0
	arrived uint64
	lives   uint64 // connections that were used so far
	closed  bool

	changed chan struct{} // capacity 1; see Changed
}

// New returns a node's links; there are none yet.
func New(cfg Config) (*Links, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	press, err := newCompressor(cfg.CompressAbove)
	if err != nil {
		return nil, err
	}
	l := &Links{cfg: cfg.withDefaults(), press: press, links: map[string]*link{}, conns: map[net.Conn]uint64{}, changed: make(chan struct{}, 1), wearOut: sealBytes}
	l.cfg.Key = append([]byte(nil), cfg.Key...)
	_, _ = rand.Read(l.instance[:]) // never fails
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l, nil
}

// Send queues msg, which is the links' own from here on, for a peer, or writes it if it is
// small and need not wait, and returns at once. Errors: transport.ErrTooLarge,
// transport.ErrQueueFull, transport.ErrClosed. Nil does not mean that it arrives.
func (l *Links) Send(peer string, msg []byte) error {
	return l.send(peer, outgoing{msg: msg, size: len(msg)})
}

// SendFunc is [Links.Send] for a message of at most size bytes that is made when it is
// written: encode appends it to b, on another goroutine, once or, if it is dropped, never.
func (l *Links) SendFunc(peer string, size int, encode func(b []byte) []byte) error {
	return l.send(peer, outgoing{size: size, encode: encode})
}

func (l *Links) send(peer string, m outgoing) error {
	if m.size > l.cfg.MaxMessage {
		return fmt.Errorf("stream: %d bytes to %s, limit %d: %w", m.size, peer, l.cfg.MaxMessage, transport.ErrTooLarge)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return transport.ErrClosed
	}
	k := l.link(peer)
	if k == nil || len(k.queue) >= l.cfg.SendQueue || len(k.queue) > 0 && k.bytes+m.size > l.cfg.SendBytes {
		l.count.inc(dropSendFull)
		return fmt.Errorf("stream: to %s: %w", peer, transport.ErrQueueFull)
	}
	k.queue = append(k.queue, m)
	k.bytes += m.size
	k.used = time.Now()
	if k.writing {
		return nil
	}
	k.writing = true
	if m.encode == nil && m.size <= nowBytes && k.conn != nil && k.conn.now != nil {
		l.writeNow(k)
	} else {
		l.wg.Go(func() { l.writeTo(k) })
	}
	return nil
}

// Serve takes an incoming connection, of which nothing was read, and returns at once.
func (l *Links) Serve(raw net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = raw.Close()
		return
	}
	if l.pending >= l.cfg.MaxPending {
		l.evictPending()
	}
	l.arrived++
	l.conns[raw] = l.arrived
	l.pending++
	l.wg.Go(func() {
		c, err := l.acceptHandshake(raw)
		l.greeted(raw)
		if err != nil {
			l.refuse(raw, err)
			return
		}
		l.count.inc(linksAccepted)
		l.attach(c)
	})
}

// Drop ends the connection to a peer that is gone. What waits for the peer stays, and
// dials.
func (l *Links) Drop(peer string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := l.links[peer]; k != nil && k.conn != nil {
		k.conn.retired = true
		l.shut(k.conn) // its reader ends
		l.unlink(k)
	}
}

// Flush waits until nothing waits for the peers that wanted names any more, or ctx is
// done. It does not say whether it arrived.
func (l *Links) Flush(ctx context.Context, wanted func(peer string) bool) {
	l.mu.Lock()
	var busy []chan struct{}
	for peer, k := range l.links {
		if k.writing && wanted(peer) {
			if k.idle == nil {
				k.idle = make(chan struct{})
			}
			busy = append(busy, k.idle)
		}
	}
	l.mu.Unlock()
	for _, idle := range busy {
		select {
		case <-idle:
		case <-ctx.Done():
			return
		}
	}
}

// Close ends all connections at once, drops what waits, and waits for every goroutine.
func (l *Links) Close() {
	l.mu.Lock()
	l.closed = true
	l.cancel()
	for raw := range l.conns {
		_ = raw.Close() // who uses it gets an error
	}
	l.mu.Unlock()
	l.wg.Wait()
}

// track notes an outgoing connection; false: it is too late, and it was closed.
func (l *Links) track(raw net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = raw.Close()
		return false
	}
	l.conns[raw] = 0
	return true
}

// greeted notes that the handshake of an incoming connection is over.
func (l *Links) greeted(raw net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns[raw] != 0 {
		l.conns[raw] = 0
		l.pending--
	}
}

// end closes a connection and forgets it.
func (l *Links) end(raw net.Conn) {
	_ = raw.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, raw)
}

// evictPending closes the oldest connection that has not shown who it is. l.mu is
// held.
func (l *Links) evictPending() {
	var oldest net.Conn
	for raw, at := range l.conns {
		if at != 0 && (oldest == nil || at < l.conns[oldest]) {
			oldest = raw
		}
	}
	if oldest == nil {
		return
	}
	l.count.inc(evictedConns)
	l.conns[oldest] = 0
	l.pending--
	_ = oldest.Close()
}

// refuse ends a connection whose handshake failed.
func (l *Links) refuse(raw net.Conn, err error) {
	if l.ctx.Err() == nil {
		l.count.reject(err)
		l.cfg.Logger.Debug("stream: connection refused", "addr", raw.RemoteAddr(), "err", err)
	}
	l.end(raw)
}
