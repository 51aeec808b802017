package transporttest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// Cluster makes the nodes of one test.
type Cluster interface {
	// Start adds a node that finds, or is found by, the others of this cluster. A
	// name that was closed starts again as the same node restarted.
	Start(t *testing.T, name string) transport.Transport
	// MaxDatagram is the size of the largest datagram.
	MaxDatagram() int
	// Queue is the number of messages that a receive queue holds: at least 200, and
	// small enough to be overrun by a test.
	Queue() int
}

// Run runs the suite, each test on a cluster of its own.
func Run(t *testing.T, newCluster func(t *testing.T) Cluster) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s *suite)
	}{
		{"delivery", testDelivery},
		{"limits", testLimits},
		{"unknown peer", testUnknownPeer},
		{"large stream", testLargeStream},
		{"bytes are the receiver's", testOwnership},
		{"receive queue is bounded", testBoundedQueue},
		{"concurrent sends", testConcurrentSends},
		{"members", testMembers},
		{"leave", testLeave},
		{"failure", testFailure},
		{"restart after failure", func(t *testing.T, s *suite) { testRestart(t, s, done()) }},
		{"restart after leaving", func(t *testing.T, s *suite) { testRestart(t, s, context.Background()) }},
		{"close", testClose},
		{"close while sending", testCloseWhileSending},
		{"links", testLinks},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, &suite{newCluster(t)}) })
	}
}

func testDelivery(t *testing.T, s *suite) {
	n := s.start(t, "a", "b", "c")
	for _, ch := range []transport.Channel{transport.Datagram, transport.Stream} {
		for _, link := range [][2]string{{"a", "b"}, {"b", "a"}, {"c", "a"}, {"b", "c"}} {
			for _, msg := range []string{"x", "hello from " + link[0]} {
				deliver(t, n[link[0]], n[link[1]], link[1], ch, []byte(msg))
			}
		}
	}
}

func testLimits(t *testing.T, s *suite) {
	n := s.start(t, "a", "b")
	largest := pattern(s.MaxDatagram())
	deliver(t, n["a"], n["b"], "b", transport.Datagram, largest)
	if err := n["a"].Send("b", transport.Datagram, pattern(len(largest)+1)); !errors.Is(err, transport.ErrTooLarge) {
		t.Errorf("Send of a datagram of %d bytes = %v, want %v", len(largest)+1, err, transport.ErrTooLarge)
	}
}

func testUnknownPeer(t *testing.T, s *suite) {
	n := s.start(t, "a", "b")
	for _, to := range []string{"nobody", "", "a"} { // a node is no peer of itself
		for _, ch := range []transport.Channel{transport.Datagram, transport.Stream} {
			if err := n["a"].Send(to, ch, []byte("x")); !errors.Is(err, transport.ErrNoPeer) {
				t.Errorf("a: Send(%q, %s) = %v, want %v", to, ch, err, transport.ErrNoPeer)
			}
		}
	}
}

func testLargeStream(t *testing.T, s *suite) {
	n := s.start(t, "a", "b")
	for range 3 {
		deliver(t, n["a"], n["b"], "b", transport.Stream, pattern(1<<20))
	}
}

func testOwnership(t *testing.T, s *suite) {
	n := s.start(t, "a", "b")
	for _, ch := range []transport.Channel{transport.Datagram, transport.Stream} {
		first := deliver(t, n["a"], n["b"], "b", ch, []byte("first"))
		clear(first.Bytes)
		_ = append(first.Bytes, "overwrites what follows"...)
		deliver(t, n["a"], n["b"], "b", ch, []byte("second"))
	}
}

// testBoundedQueue floods b, which does not read: no Send may wait, and c must
// not notice.
func testBoundedQueue(t *testing.T, s *suite) {
	n := s.start(t, "a", "b", "c")
	for _, ch := range []transport.Channel{transport.Datagram, transport.Stream} {
		finished := make(chan error, 1)
		go func() {
			for range 3 * s.Queue() {
				if err := n["a"].Send("b", ch, []byte("flood")); err != nil && !errors.Is(err, transport.ErrQueueFull) {
					finished <- err
					return
				}
			}
			finished <- nil
		}()
		select {
		case err := <-finished:
			if err != nil {
				t.Fatalf("Send(b, %s) = %v", ch, err)
			}
		case <-time.After(patience):
			t.Fatalf("Send(b, %s) waits for a receiver that does not read", ch)
		}
		deliver(t, n["a"], n["c"], "c", ch, []byte("unhurt by "+ch.String()))
	}
}

// testConcurrentSends sends no more than fits into c's queue, on both channels
// together: no stream message may be missing.
func testConcurrentSends(t *testing.T, s *suite) {
	const senders, each = 8, 6
	n := s.start(t, "a", "b", "c")
	var wg sync.WaitGroup
	for _, from := range []string{"a", "b"} {
		for i := range senders {
			wg.Go(func() {
				for j := range each {
					msg := fmt.Appendf(nil, "%s %d %d", from, i, j)
					if err := n[from].Send("c", transport.Stream, msg); err != nil {
						t.Errorf("Send %s: %v", msg, err)
					}
					_ = n[from].Send("c", transport.Datagram, []byte("may be lost"))
					_, _ = n[from].Members()
				}
			})
		}
	}
	got := map[string]bool{}
	for len(got) < 2*senders*each {
		if p := receive(t, n["c"]); p.Channel == transport.Stream {
			if got[string(p.Bytes)] {
				t.Fatalf("stream message %q arrived twice", p.Bytes)
			}
			got[string(p.Bytes)] = true
		}
	}
	wg.Wait()
}

func testMembers(t *testing.T, s *suite) {
	n := s.start(t, "b", "c", "a")
	for self, tr := range n {
		list, changed := tr.Members()
		if changed == nil {
			t.Fatalf("%s: Members returns no channel", self)
		}
		for i, want := range []string{"a", "b", "c"} {
			m := list[i]
			if m.Name != want || m.State != transport.Alive || m.Self != (want == self) || m.Addr == "" {
				t.Errorf("%s: member %d is %+v, want %s alive, self only if it is, with an address", self, i, m, want)
			}
		}
	}
	clear(first(n["a"].Members()))
	if list := first(n["a"].Members()); list[0].Name != "a" {
		t.Errorf("the list that Members returned is not the caller's own: %+v", list)
	}
}

func testLeave(t *testing.T, s *suite) {
	n := s.start(t, "a", "b", "c")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := n["c"].Close(ctx); err != nil {
		t.Fatalf("Close: %v", err)
	}
	for _, other := range []string{"a", "b"} {
		await(t, n[other], other, "c", transport.Left)
		if err := n[other].Send("c", transport.Stream, []byte("x")); !errors.Is(err, transport.ErrNoPeer) {
			t.Errorf("%s: Send to a node that left = %v, want %v", other, err, transport.ErrNoPeer)
		}
	}
	deliver(t, n["a"], n["b"], "b", transport.Stream, []byte("still here"))
}

func testFailure(t *testing.T, s *suite) {
	n := s.start(t, "a", "b", "c")
	if err := n["c"].Close(done()); err != nil {
		t.Fatalf("Close: %v", err)
	}
	for _, other := range []string{"a", "b"} {
		await(t, n[other], other, "c", transport.Failed)
		for range 10 { // accepted or refused, but never waiting
			_ = n[other].Send("c", transport.Stream, []byte("x"))
			_ = n[other].Send("c", transport.Datagram, []byte("x"))
		}
	}
	deliver(t, n["a"], n["b"], "b", transport.Stream, []byte("still here"))
}

func testRestart(t *testing.T, s *suite, ctx context.Context) {
	n := s.start(t, "a", "b")
	for range 2 {
		if err := n["b"].Close(ctx); err != nil {
			t.Fatalf("Close: %v", err)
		}
		n["b"] = s.open(t, "b")
		await(t, n["b"], "b", "a", transport.Alive)
		await(t, n["a"], "a", "b", transport.Alive)
		deliver(t, n["b"], n["a"], "a", transport.Stream, []byte("back again"))
		repeat(t, n["a"], n["b"], "b", transport.Stream, []byte("welcome"))
	}
}

func testClose(t *testing.T, s *suite) {
	n := s.start(t, "a", "b")
	_, changed := n["a"].Members()
	for range 2 {
		if err := n["a"].Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if err := n["a"].Send("b", transport.Datagram, []byte("x")); !errors.Is(err, transport.ErrClosed) {
		t.Errorf("Send after Close = %v, want %v", err, transport.ErrClosed)
	}
	for range n["a"].Receive() { // ends
	}
	select {
	case <-changed:
	case <-time.After(patience):
		t.Errorf("Close does not wake those who wait for a change of members")
	}
	_, _ = n["a"].Members()
}

func testCloseWhileSending(t *testing.T, s *suite) {
	n := s.start(t, "a", "b")
	var wg sync.WaitGroup
	for i := range 4 {
		ch := transport.Channel(i % 2)
		wg.Go(func() {
			for {
				if err := n["a"].Send("b", ch, []byte("x")); errors.Is(err, transport.ErrClosed) {
					return
				}
			}
		})
	}
	_ = receive(t, n["b"])
	for range 2 {
		wg.Go(func() { _ = n["a"].Close(done()) })
	}
	wg.Wait()
	for range n["a"].Receive() { // ends
	}
}
