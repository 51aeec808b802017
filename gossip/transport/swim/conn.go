package swim

import (
	"errors"
	"io"
	"net"
	"sync"
)

// conn is a TCP connection that is known to its sockets, counts bytes, and closes
// itself when a write fails (memberlist forgets to when it cannot send a label).
type conn struct {
	net.Conn
	s      *sockets
	seq    uint64 // order of arrival of those that are not links yet; 0 for outgoing ones; guarded by s.mu
	peeked []byte // read, but not by its user
	once   sync.Once
	done   func() // called when closed by its user; may be nil
	now    nowWrite
}

// track makes raw one of s's connections. done, if any, marks it as incoming: when
// there are too many of those the oldest is cut off. It is a silent one almost
// surely, as others live for milliseconds, or become links.
func (s *sockets) track(raw net.Conn, done func()) *conn {
	c := &conn{Conn: raw, s: s, done: done}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil { // too late for Shutdown to see it
		_ = raw.Close()
	}
	if done != nil {
		s.seq++
		c.seq = s.seq
		s.evict()
	}
	s.conns[c] = struct{}{}
	return c
}

// evict makes room for one incoming connection. s.mu is held.
func (s *sockets) evict() {
	incoming := 0
	var oldest *conn
	for c := range s.conns {
		if c.seq == 0 {
			continue
		}
		incoming++
		if oldest == nil || c.seq < oldest.seq {
			oldest = c
		}
	}
	if incoming >= s.maxConns {
		s.count.inc(evictedConns)
		_ = oldest.Conn.Close()
		delete(s.conns, oldest)
	}
}

// peek returns the first byte without taking it. Nobody may have read before.
func (c *conn) peek() (byte, error) {
	var b [1]byte
	if _, err := io.ReadFull(c.Conn, b[:]); err != nil {
		return 0, err
	}
	c.s.count.add(tcpBytesIn, 1)
	c.peeked = b[:]
	return b[0], nil
}

// keep takes an incoming connection out of those that make room for others.
func (c *conn) keep() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.seq = 0
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	if n := copy(b, c.peeked); n > 0 {
		c.peeked = c.peeked[n:]
		return n, nil
	}
	n, err := c.Conn.Read(b)
	c.s.count.add(tcpBytesIn, n)
	return n, err
}

// CloseWrite tells the other side that nothing more will come.
func (c *conn) CloseWrite() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.s.count.add(tcpBytesOut, n)
	return n, c.failed(err)
}

// failed closes a connection to which a write has failed, and returns why.
func (c *conn) failed(err error) error {
	if err != nil && c.done == nil {
		_ = c.Close()
	}
	return err
}

// Close implements net.Conn.
func (c *conn) Close() error {
	var err error
	c.once.Do(func() {
		err = c.Conn.Close()
		c.s.mu.Lock()
		delete(c.s.conns, c)
		c.s.mu.Unlock()
		if c.done != nil {
			c.done()
		}
	})
	return err
}
