package stream_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// modes are what everything must work in.
var modes = []struct {
	name string
	key  []byte
}{
	{"plain", nil},
	{"sealed", []byte("0123456789abcdef")},
}

// town is where nodes find each other.
type town struct {
	t *testing.T

	mu   sync.Mutex
	addr map[string]string // by name; what leads there
}

// node is Links with a port.
type node struct {
	*stream.Links
	t    *testing.T
	name string
	addr string
	got  chan string
}

func newTown(t *testing.T) *town { return &town{t: t, addr: map[string]string{}} }

// lead makes dials to a name go to an address.
func (w *town) lead(name, addr string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addr[name] = addr
}

// dial is Config.Dial for all nodes of the town.
func (w *town) dial(ctx context.Context, peer string) (net.Conn, error) {
	w.mu.Lock()
	addr, ok := w.addr[peer]
	w.mu.Unlock()
	if !ok {
		return nil, errors.New("nobody has that name")
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", addr)
}

// start starts a node, which ends with the test. set may change its configuration.
func (w *town) start(name string, set func(*stream.Config)) *node {
	w.t.Helper()
	n := &node{t: w.t, name: name, got: make(chan string, 100_000)}
	cfg := stream.Config{
		Name: name, Cluster: "town", Dial: w.dial, Deliver: func(msg []byte) { n.got <- string(msg) },
		RetryMin: 5 * time.Millisecond, RetryMax: 50 * time.Millisecond,
	}
	if set != nil {
		set(&cfg)
	}
	var err error
	if n.Links, err = stream.New(cfg); err != nil {
		w.t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	n.addr = l.Addr().String()
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.Serve(c)
		}
	})
	w.t.Cleanup(func() {
		_ = l.Close()
		n.Close()
		accepting.Wait()
	})
	w.lead(name, n.addr)
	return n
}

// send sends messages, which must be taken.
func (n *node) send(peer string, msgs ...string) {
	n.t.Helper()
	for _, m := range msgs {
		if err := n.Send(peer, []byte(m)); err != nil {
			n.t.Errorf("%s: Send(%s): %v", n.name, peer, err)
		}
	}
}

// expect waits for messages, in this order and with nothing between.
func (n *node) expect(msgs ...string) {
	n.t.Helper()
	for _, want := range msgs {
		select {
		case got := <-n.got:
			if got != want {
				n.t.Fatalf("%s got %.50q (%d bytes), want %.50q (%d bytes)", n.name, got, len(got), want, len(want))
			}
		case <-time.After(patience):
			n.t.Fatalf("%s does not get %.50q; counters %v", n.name, want, n.Counters())
		}
	}
}

// nothing fails when a message has come.
func (n *node) nothing() {
	n.t.Helper()
	select {
	case got := <-n.got:
		n.t.Errorf("%s got %.50q, want nothing", n.name, got)
	default:
	}
}

// reach sends until a message arrives.
func (n *node) reach(to *node, msg string) {
	n.t.Helper()
	for deadline := time.After(patience); ; {
		_ = n.Send(to.name, []byte(msg))
		select {
		case got := <-to.got:
			if got == msg {
				return
			}
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			n.t.Fatalf("%s does not reach %s: %v, %v", n.name, to.name, n.Counters(), to.Counters())
		}
	}
}

// eventually waits for what nothing announces.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) { // pace of polling real sockets
		if time.Now().After(deadline) {
			t.Fatalf("waiting in vain: %s", what)
		}
	}
}
