package stream_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/stream"
)

// Nodes that do not belong together refuse each other, and both count why.
func TestStrangers(t *testing.T) {
	const key1, key2 = "0123456789abcdef", "fedcba9876543210"
	for _, tt := range []struct {
		name               string
		cluster1, cluster2 string
		key1, key2         string
		counter            string
	}{
		{"other key", "x", "x", key1, key2, "reject_key"},
		{"key and no key", "x", "x", key1, "", "reject_key"},
		{"no key and key", "x", "x", "", key2, "reject_key"},
		{"other cluster", "x", "y", "", "", "reject_label"},
		{"other cluster, same key", "x", "y", key1, key1, "reject_label"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newTown(t)
			a := w.start("a", func(c *stream.Config) { c.Cluster, c.Key = tt.cluster1, []byte(tt.key1) })
			b := w.start("b", func(c *stream.Config) { c.Cluster, c.Key = tt.cluster2, []byte(tt.key2) })
			a.send("b", "secret")
			eventually(t, "both count it", func() bool { return a.Counters()[tt.counter] > 0 && b.Counters()[tt.counter] > 0 })
			eventually(t, "the message is dropped", func() bool { return a.Counters()["drop_send_failed"] == 1 })
			b.nothing()
		})
	}
}

// counted is how many incoming connections a node has refused.
func counted(n *node) uint64 {
	c := n.Counters()
	return c["reject_key"] + c["reject_label"] + c["reject_malformed"]
}

// Somebody else at a peer's address is not taken for the peer, nor is this node itself.
func TestSomebodyElse(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			w := newTown(t)
			keyed := func(c *stream.Config) { c.Key = mode.key }
			a, c := w.start("a", keyed), w.start("c", keyed)
			for _, addr := range []string{c.addr, a.addr} {
				w.lead("b", addr)
				before := a.Counters()["drop_send_failed"]
				a.send("b", "for b only")
				eventually(t, "it is dropped", func() bool { return a.Counters()["drop_send_failed"] > before })
			}
			c.nothing()
			a.nothing()
			twin := w.start("a", keyed)
			w.lead("a", a.addr)
			twin.send("a", "from a to a")
			eventually(t, "a refuses its own name", func() bool { return a.Counters()["reject_malformed"] > 0 })
			a.nothing()
		})
	}
}

// relay leads connections from one address to another and records, or changes, what the
// dialler and the other side say.
type relay struct {
	addr string

	mu          sync.Mutex
	there, back bytes.Buffer
	change      func(b []byte, at int) // of what the dialler says, from byte at on; may be nil
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{addr: l.Addr().String()}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = c.Close()
				continue
			}
			limit := time.Now().Add(patience)
			_, _ = c.SetDeadline(limit), far.SetDeadline(limit)
			wg.Go(func() { r.carry(far, c, &r.there, true) })
			wg.Go(func() { r.carry(c, far, &r.back, false) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait() // nodes are closed by now: cleanups run last in, first out
	})
	return r
}

func (r *relay) carry(to, from net.Conn, tape *bytes.Buffer, changes bool) {
	buf := make([]byte, 4096)
	for at := 0; ; {
		n, err := from.Read(buf)
		r.mu.Lock()
		if n > 0 && changes && r.change != nil {
			r.change(buf[:n], at)
		}
		tape.Write(buf[:n])
		r.mu.Unlock()
		at += n
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			_ = to.Close()
			_ = from.Close()
			return
		}
	}
}

func (r *relay) recorded() (there, back []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.there.Bytes()), bytes.Clone(r.back.Bytes())
}

// What was recorded of a connection has no effect when it is sent again, to either side,
// with or without a key; and with one the recording tells nothing.
func TestReplay(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			w := newTown(t)
			b := w.start("node-b", func(c *stream.Config) { c.Key = mode.key })
			tape := newRelay(t, b.addr)
			w.lead("node-b", tape.addr)
			a := w.start("node-a", func(c *stream.Config) { c.Key = mode.key })
			a.send("node-b", "first words", "second words")
			b.expect("first words", "second words")
			b.send("node-a", "an answer")
			a.expect("an answer")
			there, back := tape.recorded()
			for _, secret := range []string{"words", "answer", "node-a", "node-b", "town"} {
				told := bytes.Contains(append(there, back...), []byte(secret))
				if sealed := mode.key != nil; told == sealed {
					t.Errorf("the recording tells %q: %v, want %v", secret, told, !sealed)
				}
			}

			before := counted(b)
			for i := range 3 {
				c, err := net.Dial("tcp", b.addr)
				if err != nil {
					t.Fatal(err)
				}
				_ = c.SetDeadline(time.Now().Add(patience))
				_, _ = c.Write(there)
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
				eventually(t, "b has refused it", func() bool { return counted(b) == before+uint64(i)+1 })
			}
			b.nothing()
			b.send("node-a", "still over the first connection")
			a.expect("still over the first connection")

			// To the other side: whoever answers with the recording is not node-b.
			fake := newRelay(t, echo(t, back))
			a.Drop("node-b")
			w.lead("node-b", fake.addr)
			a.send("node-b", "who is there?")
			eventually(t, "a has dropped it", func() bool { return a.Counters()["drop_send_failed"] == 1 })
			a.nothing()
		})
	}
}

// echo listens and answers whatever comes with b. It returns where.
func echo(t *testing.T, b []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				_ = c.SetDeadline(time.Now().Add(patience))
				_, _ = c.Write(b)
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

// With a key, whatever is changed on the way, nothing arrives but what was sent, once and
// in order. Some may be missing: what was written to a connection that broke.
func TestTampered(t *testing.T) {
	w := newTown(t)
	keyed := func(c *stream.Config) { c.Key, c.Timeout = modes[1].key, 100*time.Millisecond }
	b := w.start("b", keyed)
	r := rand.New(rand.NewPCG(1, 2))
	msgs := []string{"one", "two", strings.Repeat("three", 100), "four"}
	hits := 0
	for range 80 {
		at, mask := r.IntN(900), byte(1<<r.IntN(8))
		middle := newRelay(t, b.addr)
		middle.change = func(p []byte, from int) {
			if i := at - from; i >= 0 && i < len(p) {
				p[i] ^= mask
				hits++
			}
		}
		w.lead("b", middle.addr)
		a := w.start("a", keyed)
		a.send("b", msgs...)
		eventually(t, "all is written or given up", func() bool {
			c := a.Counters()
			return c["streams_out"]+c["drop_send_failed"] == uint64(len(msgs))
		})
		a.Close()
		eventually(t, "b is done with it", func() bool { n, _ := b.Open(); return n == 0 })
		for rest := msgs; len(b.got) > 0; {
			got := <-b.got
			i := slices.Index(rest, got)
			if i < 0 {
				t.Fatalf("bit %#x of byte %d changed: got %.20q, of %.20q", mask, at, got, rest)
			}
			rest = rest[i+1:]
		}
	}
	if hits < 40 {
		t.Errorf("only %d of 80 changed something", hits)
	}
}

// Connections that say nothing, or too little, are bounded, and others are served
// meanwhile.
func TestSilentConnections(t *testing.T) {
	w := newTown(t)
	b := w.start("b", func(c *stream.Config) { c.MaxPending, c.Timeout = 8, 300*time.Millisecond })
	var open []net.Conn
	for i := range 40 {
		c, err := net.Dial("tcp", b.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = c.Write([]byte{stream.First, 1, 0}[:i%4]) // stops anywhere in its first words
		open = append(open, c)
	}
	eventually(t, "all but 8 are closed", func() bool {
		_, pending := b.Open()
		if pending > 8 {
			t.Fatalf("%d connections pending, at most 8", pending)
		}
		return b.Counters()["evicted_connections"] >= 32
	})
	a := w.start("a", nil)
	a.reach(b, "served")
	for i, c := range open {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("connection %d is still open", i)
		}
	}
	if n := b.Counters()["reject_stalled"]; n == 0 {
		t.Error("none ran into its deadline")
	}
}

// A peer that begins a message and does not get on with it is cut off, and its length
// alone takes no memory.
func TestStalledMessage(t *testing.T) {
	w := newTown(t)
	b := w.start("b", func(c *stream.Config) { c.Timeout = 200 * time.Millisecond })
	c := shakeHands(t, b.addr, "town", "mallory", "b")
	_, _ = c.Write(frame([]byte("whole")))
	b.expect("whole")
	_, _ = c.Write(append(binary.BigEndian.AppendUint32(nil, 4<<20), "and not one byte more"...))
	eventually(t, "it is cut off", func() bool { return b.Counters()["reject_stalled"] == 1 })
	b.nothing()
}

// Frames too large, and hellos that are none, end a connection and are counted.
func TestMalformed(t *testing.T) {
	w := newTown(t)
	b := w.start("b", nil)
	for i, say := range []func(c net.Conn){
		func(c net.Conn) { _, _ = c.Write(binary.BigEndian.AppendUint32(nil, 4<<20+1)) },
		func(c net.Conn) { _, _ = c.Write(binary.BigEndian.AppendUint32(nil, 1<<32-1)) },
	} {
		c := shakeHands(t, b.addr, "town", "mallory", "b")
		say(c)
		eventually(t, "it is refused", func() bool { return b.Counters()["reject_malformed"] == uint64(i+1) })
	}
	before := b.Counters()["reject_malformed"]
	for i, first := range [][]byte{
		append(preface(), binary.BigEndian.AppendUint32(nil, 2000)...), // a hello may have 1 KiB
		append(preface(), frame(nil)...),
		append(preface(), frame([]byte{200, 1, 2})...),
		append(preface(), frame(bytes.Repeat([]byte{1}, 60))...),
		append([]byte{stream.First, 9, 0}, make([]byte, 32)...), // another version
		append([]byte{stream.First, 1, 7}, make([]byte, 32)...), // another mode
		append([]byte{stream.First + 1, 1, 0}, make([]byte, 32)...),
	} {
		c, err := net.Dial("tcp", b.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = c.Write(first)
		eventually(t, "it is refused", func() bool { return b.Counters()["reject_malformed"] == before+uint64(i)+1 })
	}
	b.nothing()
}

func preface() []byte {
	return append([]byte{stream.First, 1, 0}, bytes.Repeat([]byte{7}, 32)...)
}

func frame(msg []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(msg))), msg...)
}

// shakeHands dials without a key, by hand: the bytes are those that the package
// documentation states. The connection ends with the test.
func shakeHands(t *testing.T, addr, cluster, from, to string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = c.Write(preface())
	theirs := make([]byte, 35)
	if _, err := io.ReadFull(c, theirs); err != nil {
		t.Fatal(err)
	}
	var hello []byte
	for _, s := range []string{cluster, from, to} {
		hello = append(append(hello, byte(len(s))), s...)
	}
	hello = append(append(hello, bytes.Repeat([]byte{3}, 16)...), theirs[3:]...)
	_, _ = c.Write(frame(hello))
	return c
}
