package swim_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/stream"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
)

// TestStrangersDeliverNothing has two nodes that do not belong together dial each
// other: neither may see the other or receive anything, and both must count why.
func TestStrangersDeliverNothing(t *testing.T) {
	const key1, key2 = "0123456789abcdef", "fedcba9876543210"
	for _, tt := range []struct {
		name               string
		cluster1, cluster2 string
		key1, key2         string
		counter1, counter2 string // what each must count
	}{
		{"other key", "", "", key1, key2, "reject_key", "reject_key"},
		{"other cluster", "x", "y", "", "", "reject_label", "reject_label"},
		{"other cluster, same key", "x", "y", key1, key1, "reject_label", "reject_label"},
		{"key and no key", "", "", key1, "", "reject_key", "reject_key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := fast("a")
			cfg.Cluster, cfg.Key = tt.cluster1, []byte(tt.key1)
			a := start(t, cfg)
			cfg = fast("b", a.Addr())
			cfg.Cluster, cfg.Key = tt.cluster2, []byte(tt.key2)
			b := start(t, cfg)
			cfg = fast("c", b.Addr()) // of a's kind, dials b
			cfg.Cluster, cfg.Key = tt.cluster1, []byte(tt.key1)
			c := start(t, cfg)
			eventually(t, "a and b have refused each other", func() bool {
				return a.Counters()[tt.counter1] > 2 && b.Counters()[tt.counter2] > 2
			})
			for _, tr := range []*swim.Transport{a, b, c} {
				if list, _ := tr.Members(); len(list) != 1 {
					t.Errorf("%s has members %+v, want itself alone", tr.Addr(), list)
				}
				select {
				case p := <-tr.Receive():
					t.Errorf("%s received %q", tr.Addr(), p.Bytes)
				default:
				}
			}
		})
	}
}

// TestRandomBytes sends rubbish to both ports, some of it behind a valid label,
// while the cluster works on.
func TestRandomBytes(t *testing.T) {
	a := start(t, fast("a"))
	b := start(t, fast("b", a.Addr()))
	await(t, a, "b", transport.Alive)
	udp, err := net.Dial("udp", a.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	r := rand.New(rand.NewPCG(1, 2))
	label := string([]byte{244, byte(len("scuttlebutt"))}) + "scuttlebutt"
	for i := range 600 {
		msg := make([]byte, 1+r.IntN(200))
		for j := range msg {
			msg[j] = byte(r.Uint32())
		}
		if i%2 == 0 { // past the label, at any kind of message
			msg[0] = byte(i / 2 % 16)
			msg = append([]byte(label), msg...)
		}
		_, _ = udp.Write(msg)
		if i%3 == 0 {
			if c, err := net.Dial("tcp", a.Addr()); err == nil {
				_, _ = c.Write(msg)
				_ = c.Close()
			}
		}
	}
	reaches(t, b, a, "a")
	eventually(t, "a has counted rubbish", func() bool {
		c := a.Counters()
		return c["reject_label"] > 10 && c["reject_malformed"] > 10
	})
	if list, _ := b.Members(); len(list) != 2 {
		t.Errorf("rubbish made members: %+v", list)
	}
}

// TestRandomLinks sends rubbish that begins like a link: it is refused and counted, and
// links of members work on.
func TestRandomLinks(t *testing.T) {
	for _, tt := range []struct{ name, key, counter string }{
		{"plain", "", "reject_malformed"},
		{"encrypted", "0123456789abcdef", "reject_key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := fast("a")
			cfg.Key = []byte(tt.key)
			a := start(t, cfg)
			cfg = fast("b", a.Addr())
			cfg.Key = []byte(tt.key)
			b := start(t, cfg)
			await(t, a, "b", transport.Alive)
			reaches(t, b, a, "a")
			mode := byte(min(1, len(tt.key)))
			for i := range 50 {
				msg := append([]byte{stream.First, 1, mode}, make([]byte, 32)...)
				say(t, a.Addr(), append(msg, 0, 0, 0, byte(17+i), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20)[:40+i%20])
				say(t, a.Addr(), append(msg, append([]byte{0, 0, 0, 17}, make([]byte, 17)...)...))
			}
			if n := a.Counters()[tt.counter]; n < 50 {
				t.Errorf("%s = %d of 100, want 50 or more", tt.counter, n)
			}
			reaches(t, b, a, "a")
			if c := a.Counters(); c["links_broken"] > 0 || c["links_dialed"]+c["links_accepted"] != 1 {
				t.Errorf("counters %v, want one link, unbroken", c)
			}
		})
	}
}

// TestSilentConnections opens more connections than a node accepts, and says
// nothing: others are served meanwhile, and the connections end.
func TestSilentConnections(t *testing.T) {
	cfg := fast("a")
	cfg.MaxConns = 16
	cfg.TCPTimeout = 300 * time.Millisecond
	a := start(t, cfg)
	var open []net.Conn
	for i := range 40 {
		c, err := net.Dial("tcp", a.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i%2 == 1 {
			_, _ = c.Write([]byte{244})
		}
		open = append(open, c)
	}
	b := start(t, fast("b", a.Addr()))
	await(t, b, "a", transport.Alive)
	reaches(t, b, a, "a")
	for i, c := range open {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, syscall.EAGAIN) {
			t.Errorf("silent connection %d: %v, want it closed", i, err)
		}
	}
	if c := a.Counters(); c["evicted_connections"] < 20 || c["reject_stalled"] == 0 {
		t.Errorf("counters %v, want 24 or more evicted connections and some stalled", c)
	}
}

// TestPeerThatDoesNotRead has streams for a peer whose kernel takes connections and
// whose process reads nothing: others do not wait, and it ends at the deadline.
func TestPeerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	dumb, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer dumb.Close()
	cfg := fast("a")
	cfg.MaxStream, cfg.SendBytes, cfg.TCPTimeout = 16<<20, 40<<20, 3*time.Second
	a := start(t, cfg)
	b := start(t, fast("b", a.Addr()))
	c := start(t, fast("c", a.Addr()))
	await(t, a, "b", transport.Alive)
	await(t, a, "c", transport.Alive)
	a.Route(func(addr string) string {
		if addr == b.Addr() {
			return dumb.Addr().String()
		}
		return addr
	})
	refused, msg := 0, make([]byte, 16<<20)
	for range 5 {
		switch err := a.Send("b", transport.Stream, msg); {
		case errors.Is(err, transport.ErrQueueFull):
			refused++
		case err != nil:
			t.Fatal(err)
		}
	}
	if refused < 2 { // two wait, one may be under way
		t.Errorf("%d of 5 messages of 16 MiB refused at a limit of 40 MiB, want 2 or 3", refused)
	}
	reaches(t, a, c, "c")
	if n := a.Counters()["drop_send_failed"]; n != 0 {
		t.Errorf("c was reached after b was given up: that shows nothing")
	}
	eventually(t, "all that waited for b is dropped", func() bool {
		return a.Counters()["drop_send_failed"] == uint64(5-refused)
	})
}

func TestPortBusy(t *testing.T) {
	a := start(t, fast("a"))
	cfg := fast("b")
	cfg.Bind = a.Addr()
	_, err := swim.Start(context.Background(), cfg)
	if want := "swim: listen tcp4 " + a.Addr() + ": "; !errors.Is(err, syscall.EADDRINUSE) || !strings.HasPrefix(err.Error(), want) ||
		strings.Count(err.Error(), a.Addr()) != 1 {
		t.Errorf("Start on a busy port = %v, want %q, EADDRINUSE and the address once", err, want+"…")
	}
}

func TestValidate(t *testing.T) {
	good := swim.Config{Name: "a"}
	if err := good.Validate(); err != nil {
		t.Errorf("a name alone: %v", err)
	}
	for _, tt := range []struct {
		field string
		set   func(*swim.Config)
	}{
		{"Name", func(c *swim.Config) { c.Name = "" }},
		{"Name", func(c *swim.Config) { c.Name = strings.Repeat("x", 129) }},
		{"Cluster", func(c *swim.Config) { c.Cluster = strings.Repeat("x", 256) }},
		{"Key", func(c *swim.Config) { c.Key = make([]byte, 15) }},
		{"Bind", func(c *swim.Config) { c.Bind = "nowhere" }},
		{"Advertise", func(c *swim.Config) { c.Advertise = "nowhere" }},
		{"Join", func(c *swim.Config) { c.Join = []string{""} }},
		{"MaxDatagram", func(c *swim.Config) { c.MaxDatagram = 60_001 }},
		{"MaxStream", func(c *swim.Config) { c.MaxStream = 1 << 30 }},
		{"CompressAbove", func(c *swim.Config) { c.CompressAbove = -1 }},
		{"SendQueue", func(c *swim.Config) { c.SendQueue = -1 }},
		{"RemoveAfter", func(c *swim.Config) { c.RemoveAfter = -1 }},
	} {
		cfg := good
		tt.set(&cfg)
		err := cfg.Validate()
		if err == nil || !strings.Contains(err.Error(), tt.field) {
			t.Errorf("bad %s: %v, want an error that names it", tt.field, err)
		}
		if _, startErr := swim.Start(context.Background(), cfg); startErr == nil {
			t.Errorf("bad %s: Start accepts it", tt.field)
		}
	}
}

// TestLimits fills the receive queue, by bytes with streams, whose sender waits, and by
// messages with datagrams, which are dropped.
func TestLimits(t *testing.T) {
	cfg := fast("a")
	cfg.ReceiveQueue, cfg.ReceiveBytes = 64, 10_000
	a := start(t, cfg)
	b := start(t, fast("b", a.Addr()))
	await(t, b, "a", transport.Alive)
	const streams = 30
	for range streams {
		if err := b.Send("a", transport.Stream, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "three quarters are full", func() bool { return a.Counters()["streams_in"] >= 7 })
	for range 200 {
		_ = b.Send("a", transport.Datagram, nil) // no bytes, but messages
	}
	eventually(t, "more than 64 messages dropped", func() bool { return a.Counters()["drop_receive_queue_full"] >= 100 })
	c := a.Counters()
	if n := c["streams_in"]; n > 8 {
		t.Errorf("%d messages of 1000 bytes queued at a limit of 7,500 bytes", n)
	}
	if n := c["datagrams_in"]; n < 50 {
		t.Errorf("%d datagrams queued behind the streams, want at least 50", n)
	}
	for got := 0; got < streams; {
		select {
		case p := <-a.Receive():
			if p.Channel == transport.Stream {
				got++
			}
		case <-time.After(patience):
			t.Fatalf("%d of %d streams have come", got, streams)
		}
	}
}

func ExampleStart() {
	ctx := context.Background()
	a, err := swim.Start(ctx, swim.Config{Name: "a", Bind: "127.0.0.1:0"})
	if err != nil {
		panic(err)
	}
	b, err := swim.Start(ctx, swim.Config{Name: "b", Bind: "127.0.0.1:0", Join: []string{a.Addr()}})
	if err != nil {
		panic(err)
	}
	_ = b.Send("a", transport.Stream, []byte("hello"))
	p := <-a.Receive()
	fmt.Println(p.Channel, string(p.Bytes))
	_ = b.Close(ctx)
	_ = a.Close(ctx)
	// Output: stream hello
}
