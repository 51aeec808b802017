package swim

import (
	"errors"
	"io"
	"net"
	"sync"
)

// errSilent ends an incoming connection whose other end has closed it before it
// said anything: it stopped just then, or only looked whether somebody listens.
// memberlist would take that for a connection of another cluster.
var errSilent = errors.New(withoutAWord)

const withoutAWord = "closed without a word"

// conn is a TCP connection that is known to its sockets, counts bytes, and closes
// itself when a write fails (memberlist forgets to when it cannot send a label).
type conn struct {
	net.Conn
	s     *sockets
	seq   uint64 // order of arrival; 0 for outgoing ones
	heard bool   // something was read; for the one that reads
	once  sync.Once
	done  func() // called when closed by its user; may be nil
}

// track makes raw one of s's connections. done, if any, marks it as incoming: when
// there are too many of those the oldest is cut off. It is a silent one almost
// surely, as others live for milliseconds.
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

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.s.count.add(tcpBytesIn, n)
	if c.heard = c.heard || n > 0; !c.heard && c.seq > 0 && errors.Is(err, io.EOF) {
		err = errSilent
	}
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.s.count.add(tcpBytesOut, n)
	if err != nil && c.done == nil {
		_ = c.Close()
	}
	return n, err
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
