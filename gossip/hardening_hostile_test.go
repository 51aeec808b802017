package gossip_test

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/wire"
)

// Connections that are opened again when they are closed, and say a byte per second
// each after nothing at all, a label, or the beginning of an exchange of member
// lists: more than a node takes, and fewer. Nodes go on, and others can join.
func TestSlowConnections(t *testing.T) {
	const maxConns = 32
	for _, tt := range []struct {
		name    string
		each    int // connections to each node
		counter string
		least   float64
	}{
		{"more than fit", 3 * maxConns, "evicted_connections", 4 * 2 * maxConns},
		{"fewer than fit", maxConns / 2, "reject_stalled", 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			few := func(c *swim.Config) { c.MaxConns = maxConns }
			f := startFleet(t, 4, few)
			before, begun := f.converge(), heap()
			label := "\xf4\x0bscuttlebutt"
			drip(t, f, tt.each, []slow{
				{"", label}, {label + "\x06", "\xdf\x00\x00\x00"}, {label + "\x08", "\xdf\x00\x00\x00"},
			})
			waitFor(t, 20*time.Second, tt.counter+" are counted", func() bool {
				return f.counted("scuttlebutt_transport_total", tt.counter) >= tt.least
			})
			f.undisturbed(before)
			start := time.Now()
			f.start("n4", few)
			waitFor(t, 20*time.Second, "a newcomer has all", func() bool { return f.maps[4].Len() == f.written })
			t.Logf("a newcomer has all in %v", time.Since(start).Round(time.Millisecond))
			grown := heap() - begun
			if grown > 32<<20 {
				t.Errorf("%d KiB more on the heap", grown>>10)
			}
			t.Logf("%v %s, %d KiB more on the heap", f.counted("scuttlebutt_transport_total", tt.counter), tt.counter, grown>>10)
		})
	}
}

// slow is what a connection says at once, and what a byte per second, from the
// beginning again when it is all said.
type slow struct{ first, then string }

// drip opens connections to each node until the test ends, and again when they are
// closed.
func drip(t *testing.T, f *fleet, each int, kinds []slow) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	for i := range f.nodes {
		addr := f.addr(i)
		for k := range each {
			wg.Go(func() {
				for kinds[k%len(kinds)].say(addr, done) {
				}
			})
		}
	}
	t.Cleanup(func() {
		close(done)
		wg.Wait()
	})
}

// say holds one connection, and reports false when done is closed.
func (s slow) say(addr string, done <-chan struct{}) bool {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	c, err := net.Dial("tcp", addr)
	if err == nil {
		defer c.Close()
		_, err = c.Write([]byte(s.first))
	}
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case <-done:
			return false
		}
		if err != nil {
			return true
		}
		_, err = c.Write([]byte{s.then[i%len(s.then)]})
	}
}

// A member that asks for everything, again and again, and reads none of it: what
// waits for it is bounded, is dropped in time and counted, and others do not wait.
func TestMemberThatDoesNotRead(t *testing.T) {
	const (
		value   = 5 << 20 // more than the kernel takes
		waiting = 8 << 20 // has room for one of these
	)
	f := startFleet(t, 3, func(c *swim.Config) { c.SendBytes = waiting })
	if err := f.maps[0].Set(t.Context(), "large", strings.Repeat("v", value)); err != nil {
		t.Fatal(err)
	}
	f.written++
	waitFor(t, 20*time.Second, "all have the large value", func() bool { return f.maps[1].Len()*f.maps[2].Len() == 1 })
	before, begun := f.converge(), heap()
	full := f.counted("scuttlebutt_dropped_total", "queue_full")
	failed := f.counted("scuttlebutt_transport_total", "drop_send_failed")

	cfg := swimConfig("deaf")
	cfg.Join = []string{f.addr(0)}
	cfg.Bind, cfg.Advertise = deafAddr(t)
	begging := beg(t, startSwim(t, cfg), "n0")
	waitFor(t, 20*time.Second, "a queue is full", func() bool {
		return f.counted("scuttlebutt_dropped_total", "queue_full") > full
	})
	// What waits, and a message under way: encoded, framed, and in memberlist's hands.
	grown := heap() - begun
	if limit := int64(waiting + 3*value + 8<<20); grown > limit {
		t.Errorf("%d MiB more on the heap, limit %d", grown>>20, limit>>20)
	}
	f.undisturbed(before)
	waitFor(t, 20*time.Second, "what waited is dropped", func() bool {
		return f.counted("scuttlebutt_transport_total", "drop_send_failed") >= failed+2
	})
	t.Logf("%d digests of nothing: %d MiB more on the heap", begging(), grown>>20)
}

// deafAddr returns addresses of a member that can be probed but not be told
// anything: where it binds, and where it says that it is. Packets to there reach it,
// connections are accepted and never read.
func deafAddr(t *testing.T) (bind, advertise string) {
	t.Helper()
	free, packets := listenBoth(t)
	to := packets.LocalAddr()
	_ = free.Close() // for the member to take
	_ = packets.Close()
	tcp, udp := listenBoth(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 1<<16)
		for {
			n, err := udp.Read(buf)
			if err != nil {
				return
			}
			_, _ = udp.WriteTo(buf[:n], to)
		}
	})
	wg.Go(func() {
		var open []net.Conn
		for {
			c, err := tcp.Accept()
			if err != nil {
				break
			}
			_ = c.(*net.TCPConn).SetReadBuffer(4096)
			open = append(open, c)
		}
		for _, c := range open {
			_ = c.Close()
		}
	})
	t.Cleanup(func() {
		_ = udp.Close()
		_ = tcp.Close()
		wg.Wait()
	})
	return to.String(), tcp.Addr().String()
}

// listenBoth listens for both protocols at one port. A port that is free for one
// need not be for the other: thousands of connections have just been.
func listenBoth(t *testing.T) (net.Listener, *net.UDPConn) {
	t.Helper()
	for range 20 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at := tcp.Addr().(*net.TCPAddr)
		udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: at.IP, Port: at.Port})
		if err == nil {
			return tcp, udp
		}
		_ = tcp.Close()
	}
	t.Fatal("no port is free for both protocols")
	return nil, nil
}

// beg has a member tell a node, until the test ends, that it knows nothing. It
// returns how often it did.
func beg(t *testing.T, tr *swim.Transport, node string) func() int {
	codec := wire.New("scuttlebutt")
	digest := func(exchange int) []byte {
		return codec.Encode(&engine.Message{
			Kind: engine.Syn, From: clock.Replica{Node: "deaf", Epoch: 1}, Exchange: uint64(exchange),
			HLC: clock.TimestampOf(time.Now()), MaxUpdate: maxUpdate, Credit: 1 << 30, Digest: engine.Digest{Full: true, Base: 1},
		})
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	sent := 0
	wg.Go(func() {
		tick := time.NewTicker(500 * time.Millisecond) // as a member in a hurry might
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-done:
				return
			}
			mu.Lock()
			sent++
			_ = tr.Send(node, transport.Datagram, digest(sent))
			mu.Unlock()
		}
	})
	t.Cleanup(func() {
		close(done)
		wg.Wait()
	})
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return sent
	}
}

// paced is the transport of a node that takes a message for each tick, 5,000 a second at most.
type paced struct {
	*swim.Transport
	ticks *time.Ticker
}

func newPaced(s *swim.Transport) transport.Transport {
	return &paced{s, time.NewTicker(200 * time.Microsecond)}
}

func (p *paced) Next() (transport.Packet, bool) {
	<-p.ticks.C
	return p.Transport.Next()
}

// A member floods a node with more than it takes, on both channels: datagrams that do not
// fit are dropped and counted, streams are held back at their sender, the node itself
// and all others go on.
func TestFullReceiveQueue(t *testing.T) {
	f := startFleetOver(t, 3, func(c *swim.Config) { c.ReceiveQueue = 32 }, newPaced)
	before := f.converge()
	cfg := swimConfig("flood")
	cfg.Join = []string{f.addr(0)}
	flood := startSwim(t, cfg)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		msg := []byte(strings.Repeat("x", 1000))
		for {
			select {
			case <-tick.C:
			case <-done:
				return
			}
			for range 100 { // in one piece: three times what the queue holds
				_ = flood.Send("n1", transport.Stream, bytes.Clone(msg))
				_ = flood.Send("n1", transport.Datagram, bytes.Clone(msg))
			}
		}
	})
	t.Cleanup(func() {
		close(done)
		wg.Wait()
	})
	waitFor(t, 20*time.Second, "the queue has run over, and streams are held back", func() bool {
		return f.counted("scuttlebutt_transport_total", "drop_receive_queue_full") > 1000 &&
			flood.Counters()["drop_send_queue_full"] > 1000
	})
	f.undisturbed(before)
	if n := f.counted("scuttlebutt_dropped_total", "malformed"); n == 0 {
		t.Error("what the node took of the flood is not counted as malformed")
	}
	t.Logf("%v dropped on arrival, %v malformed", f.counted("scuttlebutt_transport_total", "drop_receive_queue_full"),
		f.counted("scuttlebutt_dropped_total", "malformed"))
}
