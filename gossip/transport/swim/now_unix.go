//go:build unix

package swim

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// nowWrite is a write that does not wait. It is kept, as otherwise each would be garbage.
type nowWrite struct {
	raw  syscall.RawConn
	call func(fd uintptr) bool // does it
	b    []byte
	n    int
	err  error
}

// WriteNow implements stream.NowWriter. Like Write it is called by one goroutine at a time.
func (c *conn) WriteNow(b []byte) (int, error) {
	w := &c.now
	if w.raw == nil && !w.init(c.Conn) {
		return 0, nil
	}
	w.b, w.n, w.err = b, 0, nil
	err := w.raw.Write(w.call)
	if err == nil {
		err = w.err
	}
	w.b = nil
	c.s.count.add(tcpBytesOut, w.n)
	return w.n, c.failed(err)
}

// init prepares writes to a connection; false: of these it has none.
func (w *nowWrite) init(c net.Conn) bool {
	s, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	w.raw, w.call = raw, w.write
	return true
}

// write is called with the connection's descriptor, of which the runtime sees to it that
// nothing waits for it. It never wants to be called again.
func (w *nowWrite) write(fd uintptr) bool {
	switch n, err := syscall.Write(int(fd), w.b); {
	case err == nil:
		w.n = n
	case !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR):
		w.err = fmt.Errorf("swim: write: %w", err)
	}
	return true
}
