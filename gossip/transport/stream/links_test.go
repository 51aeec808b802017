package stream_test

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/stream"
)

// One connection carries messages of all sizes both ways, whole and in order.
func TestDelivery(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			w := newTown(t)
			keyed := func(c *stream.Config) { c.Key = mode.key }
			a, b := w.start("a", keyed), w.start("b", keyed)
			msgs := []string{"x", "", strings.Repeat("y", 1399), strings.Repeat("z", 300<<10), "", strings.Repeat("large", 4<<20/5), "end"}
			a.send("b", msgs...)
			b.expect(msgs...)
			b.send("a", msgs...)
			a.expect(msgs...)
			for _, n := range []*node{a, b} {
				eventually(t, "all is written", func() bool { return n.Counters()["streams_out"] == uint64(len(msgs)) })
				c := n.Counters()
				if all, pending := n.Open(); all != 1 || pending != 0 || c["links_dialed"]+c["links_accepted"] != 1 {
					t.Errorf("%s has %d connections, %d pending, counters %v; want one for all messages", n.name, all, pending, c)
				}
			}
			if err := a.Send("b", make([]byte, 4<<20+1)); !errors.Is(err, transport.ErrTooLarge) {
				t.Errorf("Send of one byte too many: %v, want %v", err, transport.ErrTooLarge)
			}
		})
	}
}

// Both dial at once, again and again: no message is lost or comes twice, and one
// connection stays, that of the smaller name.
func TestBothDial(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			duplicates := uint64(0)
			for round := range 20 {
				w := newTown(t)
				keyed := func(c *stream.Config) { c.Key = mode.key }
				a, b := w.start("a", keyed), w.start("b", keyed)
				const each = 50
				var wg sync.WaitGroup
				for _, n := range []*node{a, b} {
					wg.Go(func() {
						for i := range each {
							n.send(map[*node]string{a: "b", b: "a"}[n], fmt.Sprint(i))
						}
					})
				}
				wg.Wait()
				for _, n := range []*node{a, b} {
					seen := map[string]int{}
					for range each {
						select {
						case msg := <-n.got:
							seen[msg]++
						case <-time.After(patience):
							t.Fatalf("round %d: %s got %d of %d messages: %v, %v", round, n.name, len(seen), each, a.Counters(), b.Counters())
						}
					}
					if len(seen) != each {
						t.Fatalf("round %d: %s got some messages twice: %v", round, n.name, seen)
					}
				}
				eventually(t, "one connection is left", func() bool {
					na, _ := a.Open()
					nb, _ := b.Open()
					return na == 1 && nb == 1 && a.DialedBy("b") == b.DialedBy("a")
				})
				if d := a.Counters()["links_duplicate"]; d > 0 {
					duplicates += d
					if by := a.DialedBy("b"); by != "a" {
						t.Errorf("round %d: of two connections the one that %s dialled stays", round, by)
					}
				}
				a.send("b", "over what is left")
				b.expect("over what is left")
				b.send("a", "and back")
				a.expect("and back")
				a.Close()
				b.Close()
			}
			if duplicates == 0 {
				t.Error("there were never two connections: this shows nothing")
			}
		})
	}
}

// What breaks is dialled again by whoever has something to say.
func TestReconnect(t *testing.T) {
	w := newTown(t)
	a, b := w.start("a", nil), w.start("b", nil)
	for range 5 {
		a.send("b", "there")
		b.expect("there")
		b.send("a", "and back")
		a.expect("and back")
		a.Drop("b")
		eventually(t, "b has noticed", func() bool { n, _ := b.Open(); return n == 0 })
	}
	if c := a.Counters(); c["links_dialed"]+c["links_accepted"] < 5 || c["links_broken"] > 0 {
		t.Errorf("counters %v, want 5 connections, none of which broke by itself", c)
	}
}

// A process that took the name of one that died replaces its connection, even where the
// other one's would be preferred, and though nobody has noticed yet that it is dead.
func TestRestartedPeer(t *testing.T) {
	w := newTown(t)
	a := w.start("a", nil)
	b := w.start("b", nil)
	a.send("b", "first life") // dialled by a: preferred
	b.expect("first life")
	second := w.start("b", nil)
	second.send("a", "second life")
	a.expect("second life")
	eventually(t, "a uses the connection that the second life dialled", func() bool { return a.DialedBy("b") == "b" })
	a.send("b", "welcome")
	second.expect("welcome")
	b.nothing()
}

// Failed dials get rarer, messages do not pile up, and the peer is reached when it is
// there again.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials, up atomic.Int64
		var far *stream.Links
		received := make(chan string, 1000)
		near, err := stream.New(stream.Config{
			Name: "a", SendQueue: 1000, RetryMin: 100 * time.Millisecond, RetryMax: 2 * time.Second, Deliver: func([]byte) {},
			Dial: func(context.Context, string) (net.Conn, error) {
				dials.Add(1)
				if up.Load() == 0 {
					return nil, errors.New("down")
				}
				here, there := net.Pipe()
				far.Serve(there)
				return here, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer near.Close()
		far, err = stream.New(stream.Config{
			Name: "b", Deliver: func(msg []byte) { received <- string(msg) },
			Dial: func(context.Context, string) (net.Conn, error) { return nil, errors.New("never") },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer far.Close()
		begin := time.Now()
		sent := 0
		for ; time.Since(begin) < time.Minute; sent++ {
			if err := near.Send("b", []byte("x")); err != nil {
				t.Fatalf("after %v: %v", time.Since(begin), err)
			}
			time.Sleep(10 * time.Millisecond) // virtual time
		}
		if n := dials.Load(); n < 20 || n > 70 {
			t.Errorf("%d dials in a minute, want about one per 2 s, spread by half, and some more at the beginning", n)
		}
		if n := near.Counters()["drop_send_failed"]; n+300 < uint64(sent) || n > uint64(sent) {
			t.Errorf("%d of %d messages dropped, want all but those that wait for the next dial", n, sent)
		}
		up.Store(1)
		time.Sleep(4 * time.Second) // virtual time
		for len(received) > 0 {
			<-received
		}
		if err := near.Send("b", []byte("back")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(received) != 1 || <-received != "back" {
			t.Errorf("the peer was not reached within 4 s of its return: %v", near.Counters())
		}
	})
}

// Sending never waits: for a peer that reads nothing the queue fills up and then refuses,
// others do not notice, and the peer is cut off.
func TestPeerThatDoesNotRead(t *testing.T) {
	w := newTown(t)
	stuck := make(chan struct{})
	release := sync.OnceFunc(func() { close(stuck) })
	t.Cleanup(release)
	a := w.start("a", func(c *stream.Config) { c.Timeout, c.SendQueue = 500*time.Millisecond, 64 })
	b := w.start("b", func(c *stream.Config) { c.Deliver = func([]byte) { <-stuck } })
	c := w.start("c", nil)
	a.send("b", "swallowed")
	full := false
	for i := 0; !full; i++ {
		err := a.Send("b", make([]byte, 256<<10))
		full = errors.Is(err, transport.ErrQueueFull)
		if err != nil && !full || i > 10_000 {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	a.send("c", "unhurt")
	c.expect("unhurt")
	eventually(t, "b is cut off", func() bool { return a.Counters()["links_broken"] > 0 })
	release()
	_ = b
}

// One link too many ends another one: a stranger's if there is one, else that to which
// nothing was sent for longest.
func TestMaxLinks(t *testing.T) {
	w := newTown(t)
	members := map[string]bool{"b": true, "c": true, "d": true}
	a := w.start("a", func(c *stream.Config) {
		c.MaxLinks = 2
		c.IsMember = func(peer string) bool { return members[peer] }
	})
	peers := map[string]*node{}
	for _, name := range []string{"b", "c", "d", "stranger"} {
		peers[name] = w.start(name, nil)
	}
	link := func(name string) {
		t.Helper()
		a.reach(peers[name], "hello")
		eventually(t, "all links are at rest", a.AtRest) // only those can be ended
	}
	gone := func(name string) {
		t.Helper()
		eventually(t, name+" has no link any more", func() bool { return a.DialedBy(name) == "" })
	}
	link("b")
	link("stranger")
	link("c")
	gone("stranger")
	link("d")
	gone("b")
	eventually(t, "the stranger has noticed", func() bool { n, _ := peers["stranger"].Open(); return n == 0 })
	peers["stranger"].send("a", "let me in") // takes the place of whom a sent nothing to for longest
	a.expect("let me in")
	gone("c")
	link("b") // and loses it to a member
	gone("stranger")
	if a.DialedBy("d") == "" {
		t.Error("d lost its link to b, though there was a stranger's")
	}
	if n := a.Counters()["links_evicted"]; n < 4 {
		t.Errorf("%d links evicted, want 4 or more", n)
	}
}

// Keys wear out: then another connection takes over, and nothing is lost.
func TestNewKeys(t *testing.T) {
	w := newTown(t)
	keyed := func(c *stream.Config) { c.Key = modes[1].key }
	a, b := w.start("a", keyed), w.start("b", keyed)
	a.SetWearOut(10_000)
	for i := range 50 {
		msg := fmt.Sprint(i, strings.Repeat("x", 1000))
		a.send("b", msg)
		b.expect(msg)
	}
	if n := a.Counters()["links_dialed"]; n < 4 || n > 10 {
		t.Errorf("%d connections for 50,000 bytes, want one for each 10,000", n)
	}
	eventually(t, "old connections are gone", func() bool { na, _ := a.Open(); nb, _ := b.Open(); return na <= 1 && nb <= 1 })
}

// Close is safe at any time, and all is refused after it.
func TestClose(t *testing.T) {
	w := newTown(t)
	a, b := w.start("a", nil), w.start("b", nil)
	var wg sync.WaitGroup
	for _, n := range []*node{a, b} {
		wg.Go(func() {
			for {
				if err := n.Send(map[*node]string{a: "b", b: "a"}[n], []byte("x")); errors.Is(err, transport.ErrClosed) {
					return
				}
			}
		})
	}
	<-b.got
	for range 2 {
		wg.Go(a.Close)
		wg.Go(b.Close)
	}
	wg.Wait()
	here, there := net.Pipe()
	defer here.Close()
	a.Serve(there)
	if _, err := here.Read(make([]byte, 1)); err == nil {
		t.Error("a closed node answers")
	}
}

// Flush waits until all is written, and no longer than it may.
func TestFlush(t *testing.T) {
	w := newTown(t)
	a, b := w.start("a", nil), w.start("b", nil)
	for i := range 100 {
		a.send("b", fmt.Sprint(i))
	}
	a.Flush(context.Background(), func(string) bool { return true })
	if n := a.Counters()["streams_out"]; n != 100 {
		t.Errorf("after Flush %d of 100 messages are written", n)
	}
	for i := range 100 {
		b.expect(fmt.Sprint(i))
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	w.lead("nobody", silent.Addr().String())
	a.send("nobody", "x")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	a.Flush(ctx, func(string) bool { return true }) // returns
}

// A cut breaks the link, and what was written meanwhile does not arrive.
func TestCut(t *testing.T) {
	w := newTown(t)
	var cut atomic.Bool
	a := w.start("a", func(c *stream.Config) { c.IsCut = func(string) bool { return cut.Load() } })
	b := w.start("b", nil)
	a.send("b", "before")
	b.expect("before")
	cut.Store(true)
	a.send("b", "lost")
	eventually(t, "it counts as lost", func() bool { return a.Counters()["drop_send_failed"] == 1 })
	cut.Store(false)
	a.send("b", "after")
	b.expect("after")
}

// TLS fits in front of it.
func TestOverTLS(t *testing.T) {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "b"}, DNSNames: []string{"b"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(nil, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	server := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}}

	w := newTown(t)
	b := w.start("b", nil)
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := front.Accept()
			if err != nil {
				return
			}
			b.Serve(tls.Server(c, server))
		}
	})
	t.Cleanup(func() {
		_ = front.Close()
		accepting.Wait()
	})
	w.lead("b", front.Addr().String())
	a := w.start("a", func(c *stream.Config) {
		c.Dial = func(ctx context.Context, peer string) (net.Conn, error) {
			raw, err := w.dial(ctx, peer)
			if err != nil {
				return nil, err
			}
			return tls.Client(raw, &tls.Config{RootCAs: roots, ServerName: peer}), nil
		}
	})
	a.send("b", "hello")
	b.expect("hello")
	b.send("a", "and back")
	a.expect("and back")
}
