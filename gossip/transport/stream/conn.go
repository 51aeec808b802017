package stream

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// conn is a connection whose ends are known to each other. One goroutine reads, one
// at a time writes.
type conn struct {
	net.Conn
	peer     string
	dialed   bool     // by this node
	instance instance // of the peer
	timeout  time.Duration
	now      NowWriter // Conn, after the handshake; nil: it is none

	in     *bufio.Reader
	head   [headBytes]byte // of the frame that is read
	spares *spares         // for what is read; nil: none
	press  *compressor     // nil during the handshake: nothing is compressed
	opens  *seal           // of what comes in; nil: plain
	seals  *seal           // of what goes out
	buf    []byte          // is written next
	raw    []byte          // scratch: a message that may be compressed …
	small  []byte          // … and is
	wrote  uint64          // bytes
	finish atomic.Int64    // reading ends then, unix nanoseconds; 0: never

	// Guarded by Links.mu.
	retired bool // no more is to be written
	over    bool // nobody reads any more
}

const (
	headBytes  = 4
	readBuffer = 32 << 10
	// pieceBytes is what must be read, or written, within the timeout.
	pieceBytes = 64 << 10
	// trustBytes is the size of a message up to which its length alone gets it memory.
	trustBytes = 256 << 10
	// keepBytes is how large a buffer may be that a connection keeps between writes.
	keepBytes = 512 << 10
)

// appendFrame adds a message to what is to be written.
func (c *conn) appendFrame(msg []byte) {
	flag := uint32(0)
	small, ok := c.press.compress(c.small[:0], msg)
	if c.small = keep(small); ok {
		msg, flag = small, compressedFlag
	}
	at := len(c.buf)
	c.buf = binary.BigEndian.AppendUint32(c.buf, flag|uint32(len(msg)+c.seals.overhead()))
	c.buf = c.seals.append(c.buf, c.buf[at:], msg)
}

// flush writes what was added.
func (c *conn) flush() error {
	b := c.buf
	c.buf = keep(c.buf)
	c.wrote += uint64(len(b))
	for len(b) > 0 {
		n := min(len(b), pieceBytes)
		if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
			return err
		}
		if _, err := c.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	_ = c.SetWriteDeadline(time.Time{}) // writeNow has none; it fails if the connection is closed
	return nil
}

// writeNow writes a message as far as the connection takes it at once. flush writes what
// is left.
func (c *conn) writeNow(msg []byte) (left bool, err error) {
	c.appendFrame(msg)
	n, err := c.now.WriteNow(c.buf)
	c.wrote += uint64(n)
	c.buf = c.buf[:copy(c.buf, c.buf[n:])]
	return err == nil && len(c.buf) > 0, err
}

// keep returns an empty buffer with the memory of b, if that is not too much to keep.
func keep(b []byte) []byte {
	if cap(b) > keepBytes {
		return nil
	}
	return b[:0]
}

// appendEncoded is appendFrame for a message that encode appends, and returns its length.
func (c *conn) appendEncoded(encode func(b []byte) []byte) (size int) {
	if c.press.writes() {
		raw := encode(c.raw)
		c.appendFrame(raw)
		c.raw = keep(raw)
		return len(raw)
	}
	at := len(c.buf)
	b := encode(append(c.buf, make([]byte, headBytes)...))
	head, msg := b[at:at+headBytes], b[at+headBytes:]
	size = len(msg)
	binary.BigEndian.PutUint32(head, uint32(size+c.seals.overhead()))
	if c.seals != nil {
		b = c.seals.append(b[:at+headBytes], head, msg) // in its place
	}
	c.buf = b
	return size
}

// writeAll writes messages in one go, and returns their length.
func (c *conn) writeAll(msgs []outgoing) (size int, err error) {
	for _, m := range msgs {
		if m.encode == nil {
			c.appendFrame(m.msg)
			size += len(m.msg)
		} else {
			size += c.appendEncoded(m.encode)
		}
	}
	return size, c.flush()
}

// worn reports whether it is time for another connection with other keys.
func (c *conn) worn(limit uint64) bool { return c.seals != nil && c.wrote > limit }

// readFrame returns the next message, of at most limit bytes. io.EOF means that the
// other side has said all. A frame that has begun must get on: see pieceBytes.
func (c *conn) readFrame(limit int) ([]byte, error) {
	head := c.head[:]
	if _, err := io.ReadFull(c.in, head); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head)
	n, compressed := int64(length&^compressedFlag), length&compressedFlag != 0
	if compressed && c.press == nil {
		return nil, errMalformed
	}
	if n < int64(c.opens.overhead()) || n > int64(limit+c.opens.overhead()) {
		return nil, errMalformed
	}
	body, err := c.readBody(int(n))
	if err != nil {
		return nil, noEOF(err)
	}
	msg, err := c.opens.open(head, body)
	if err != nil || !compressed {
		return msg, err
	}
	large, err := c.press.expand(msg, limit, c.spares)
	c.spares.put(msg)
	return large, err
}

// readBody reads n bytes, into memory that grows as they come.
func (c *conn) readBody(n int) ([]byte, error) {
	b := c.spares.take(min(n, trustBytes))
	if n <= c.in.Buffered() {
		_, err := io.ReadFull(c.in, b)
		return b, err
	}
	for done := 0; ; {
		for done < len(b) {
			if err := c.SetReadDeadline(c.deadline(time.Now().Add(c.timeout))); err != nil {
				return nil, err
			}
			m, err := io.ReadFull(c.in, b[done:min(len(b), done+pieceBytes)])
			if done += m; err != nil {
				return nil, err
			}
		}
		if done == n {
			break
		}
		grown := make([]byte, min(n, 2*len(b)))
		copy(grown, b)
		b = grown
	}
	return b, c.SetReadDeadline(c.deadline(time.Time{}))
}

// deadline is when reading must end: at t, zero for never, or when the connection is
// to be finished.
func (c *conn) deadline(t time.Time) time.Time {
	if at := c.finish.Load(); at != 0 && (t.IsZero() || at < t.UnixNano()) {
		return time.Unix(0, at)
	}
	return t
}

// retire says that no more will be written, and ends reading after a while: until then
// the other side may say what it still has to. No write may be under way.
func (c *conn) retire() {
	at := time.Now().Add(c.timeout)
	c.finish.Store(at.UnixNano())
	_ = c.SetReadDeadline(at) // readBody looks at finish after each of its own
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		_ = c.Close()
	}
}

// noEOF is err, but for an end in the middle.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
