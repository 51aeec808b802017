package stream_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/stream"
)

// eager is a connection that takes at most so many bytes without waiting, and an error
// after a number of such writes.
type eager struct {
	net.Conn
	most   int
	breaks int64  // 0: never
	during func() // called in each such write; may be nil

	writes   atomic.Int64
	deadline atomic.Value // time.Time that was set last
}

func (c *eager) WriteNow(b []byte) (int, error) {
	if n := c.writes.Add(1); n == c.breaks {
		return 0, errors.New("no more")
	}
	if at, _ := c.deadline.Load().(time.Time); !at.IsZero() {
		return 0, errors.New("what waits has left its deadline")
	}
	if c.during != nil {
		c.during()
	}
	return c.Write(b[:min(len(b), c.most)])
}

func (c *eager) SetWriteDeadline(t time.Time) error {
	c.deadline.Store(t)
	return c.Conn.SetWriteDeadline(t)
}

// eagerly makes what a node dials eager.
func (w *town) eagerly(made chan<- *eager, most int, breaks int64) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, peer string) (net.Conn, error) {
		raw, err := w.dial(ctx, peer)
		if err != nil {
			return nil, err
		}
		c := &eager{Conn: raw, most: most, breaks: breaks}
		made <- c
		return c, nil
	}
}

// Messages keep their order, and arrive once, whatever part of them the connection takes
// without waiting. What it takes at once is gone when Send returns.
func TestWriteNow(t *testing.T) {
	for _, mode := range modes {
		for _, tt := range []struct {
			name string
			most int
		}{{"nothing", 0}, {"one byte", 1}, {"a part", 100}, {"all", 1 << 20}} {
			t.Run(mode.name+" "+tt.name, func(t *testing.T) {
				w := newTown(t)
				made := make(chan *eager, 300)
				a := w.start("a", func(c *stream.Config) { c.Key, c.Dial = mode.key, w.eagerly(made, tt.most, 0) })
				b := w.start("b", func(c *stream.Config) { c.Key = mode.key })
				a.send("b", "first")
				b.expect("first")
				conn := <-made
				var want []string
				for i := range 200 {
					want = append(want, strings.Repeat(string(rune('a'+i%26)), i*i/5))
					a.send("b", want[i])
					if i%20 == 0 {
						eventually(t, "all is written", a.AtRest)
					}
				}
				b.expect(want...)
				eventually(t, "all is written", a.AtRest)
				before := conn.writes.Load()
				a.send("b", "last")
				if n := conn.writes.Load() - before; n != 1 {
					t.Errorf("one message was tried %d times by who sent it, want once", n)
				}
				if rest := a.AtRest(); tt.most > 100 && !rest {
					t.Error("it was taken, and something is to be written yet")
				}
				b.expect("last")
				eventually(t, "all is counted", func() bool { return a.Counters()["streams_out"] == 202 })
			})
		}
	}
}

// What is sent while somebody writes goes next, whether his message goes at once or not.
func TestSendDuringWriteNow(t *testing.T) {
	for _, most := range []int{0, 3, 1 << 20} {
		w := newTown(t)
		var a *node
		a = w.start("a", func(c *stream.Config) {
			c.Dial = func(ctx context.Context, peer string) (net.Conn, error) {
				raw, err := w.dial(ctx, peer)
				return &eager{Conn: raw, most: most, during: func() { a.send("b", "third", "fourth") }}, err
			}
		})
		b := w.start("b", nil)
		a.send("b", "first")
		eventually(t, "the first is written", a.AtRest)
		a.send("b", "second")
		b.expect("first", "second", "third", "fourth")
		eventually(t, "all is written", a.AtRest)
	}
}

// A connection that breaks in such a write is replaced, and what was written is given up.
func TestWriteNowFails(t *testing.T) {
	w := newTown(t)
	made := make(chan *eager, 300)
	a := w.start("a", func(c *stream.Config) { c.Dial = w.eagerly(made, 1<<20, 2) })
	b := w.start("b", nil)
	a.send("b", "first")
	eventually(t, "the first is written", a.AtRest)
	a.send("b", "second", "lost")
	if n := a.Counters()["drop_send_failed"]; n != 1 {
		t.Errorf("%d messages were given up, want 1", n)
	}
	b.expect("first", "second") // what comes over two connections has no order
	a.send("b", "third")
	b.expect("third")
	if len(made) != 2 {
		t.Errorf("%d connections were made, want 2", len(made))
	}
}
