package stream_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/stream"
)

// counting counts what is written to a connection.
type counting struct {
	net.Conn
	wrote *atomic.Int64
}

func (c counting) Write(b []byte) (int, error) {
	c.wrote.Add(int64(len(b)))
	return c.Conn.Write(b)
}

// One end compresses and the other does not: large messages arrive as they were, in order
// with small ones, and take less on the way.
func TestCompressed(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			w := newTown(t)
			var wrote atomic.Int64
			a := w.start("a", func(c *stream.Config) {
				c.Key, c.CompressAbove = mode.key, 1000
				c.Dial = func(ctx context.Context, peer string) (net.Conn, error) {
					conn, err := w.dial(ctx, peer)
					return counting{conn, &wrote}, err
				}
			})
			b := w.start("b", func(c *stream.Config) { c.Key = mode.key })
			large := strings.Repeat("key and value ", 10_000)
			made := strings.Repeat("made when it is written ", 10_000)
			a.send("b", "small", large, "small")
			if err := a.SendFunc("b", len(made), func(b []byte) []byte { return append(b, made...) }); err != nil {
				t.Error(err)
			}
			a.send("b", large)
			b.expect("small", large, "small", made, large)
			b.send("a", large)
			a.expect(large)
			if n := wrote.Load(); n > int64(len(large))/4 {
				t.Errorf("%d bytes were written for messages of %d", n, 2*len(large)+len(made))
			}
			size := uint64(2*len(large) + len(made) + 2*len("small"))
			eventually(t, "a counts its messages as they were", func() bool { // it does when they are written: b may have them before
				return a.Counters()["stream_bytes_out"] == size
			})
		})
	}
}
