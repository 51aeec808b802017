package stream_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/stream"
)

// Messages that are made when they are written arrive as all others do, in order with
// them. What is given back is used again, and no message shows it.
func TestSendFunc(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			w := newTown(t)
			var b *node
			a := w.start("a", func(c *stream.Config) { c.Key = mode.key })
			b = w.start("b", func(c *stream.Config) {
				c.Key = mode.key
				c.Deliver = func(msg []byte) {
					b.got <- string(msg)
					clear(msg)
					b.Free(msg)
				}
			})
			var want []string
			bytes := 0
			for i := range 60 {
				m := strings.Repeat(string(rune('a'+i%26)), i*i*50)
				want = append(want, m)
				bytes += len(m)
				if i%3 == 0 {
					a.send("b", m)
					continue
				}
				if err := a.SendFunc("b", len(m)+10, func(b []byte) []byte { return append(b, m...) }); err != nil {
					t.Fatal(err)
				}
			}
			b.expect(want...)
			eventually(t, "all is counted", func() bool { return a.Counters()["streams_out"] == 60 })
			if got := a.Counters()["stream_bytes_out"]; got != uint64(bytes) {
				t.Errorf("%d bytes were counted, want %d", got, bytes)
			}
			err := a.SendFunc("b", 4<<20+1, func([]byte) []byte { panic("it was refused") })
			if !errors.Is(err, transport.ErrTooLarge) {
				t.Errorf("one byte too many: %v, want %v", err, transport.ErrTooLarge)
			}
		})
	}
}
