package swim

import (
	"encoding/binary"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// Packets come out in the order in which they went in, one by one or by the channel, and
// no more of them wait than may.
func TestInbox(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sizes []int
	}{{"small", []int{8}}, {"large", []int{20_000}}, {"mixed", []int{8, 300, 9, 70_000, 10}}} {
		t.Run(tt.name, func(t *testing.T) {
			fetched := newInbox(256, 1<<20)
			testInbox(t, fetched, 0, tt.sizes, fetched.next)
			moved := newInbox(256, 1<<20)
			out := moved.receive()
			testInbox(t, moved, 1, tt.sizes, func() (transport.Packet, bool) { p, ok := <-out; return p, ok })
		})
	}
}

// testInbox fills an inbox and empties it, again and again. Of what waits so many packets
// may be on their way.
func testInbox(t *testing.T, b *inbox, moving int, sizes []int, next func() (transport.Packet, bool)) {
	t.Helper()
	size := func(i int) int { return sizes[i%len(sizes)] + i%2 }
	in, out, waits := 0, 0, 0
	for round := range 6 {
		full := false
		for ; b.put(numbered(in, size(in))); in++ {
			waits += size(in)
			full = full || in-out >= len(b.ring)/2 || waits > b.maxBytes/2
		}
		if n := in - out; !full || n > len(b.ring)+moving || waits > b.maxBytes+moving*size(out) {
			t.Fatalf("%d packets of %d bytes wait, want up to %d of %d, and %d on its way", n, waits, len(b.ring), b.maxBytes, moving)
		}
		for n := (in - out) * (round + 1) / 6; n > 0; n-- { // the last time all
			p, ok := next()
			if got := binary.BigEndian.Uint64(p.Bytes); !ok || got != uint64(out) || len(p.Bytes) != size(out) {
				t.Fatalf("packet %d of %d bytes comes, want %d of %d", got, len(p.Bytes), out, size(out))
			}
			waits -= size(out)
			out++
		}
	}
	over := make(chan bool)
	go func() { _, ok := next(); over <- ok }()
	b.close()
	if <-over {
		t.Error("a packet comes from an inbox that is closed and empty")
	}
	if b.put(numbered(0, 8)) || b.await(numbered(0, 8)) {
		t.Error("a closed inbox takes a packet")
	}
}

func numbered(i, size int) transport.Packet {
	return transport.Packet{Bytes: binary.BigEndian.AppendUint64(make([]byte, 0, size), uint64(i))[:size]}
}
