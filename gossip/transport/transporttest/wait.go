package transporttest

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// patience is how long the suite waits for what must happen.
const patience = 20 * time.Second

// again is the time after which what may be lost is sent again.
const again = 50 * time.Millisecond

type suite struct{ Cluster }

// open starts a node and closes it, abruptly, at the end of the test.
func (s *suite) open(t *testing.T, name string) transport.Transport {
	t.Helper()
	tr := s.Start(t, name)
	t.Cleanup(func() { _ = tr.Close(done()) })
	return tr
}

// start starts nodes and waits until each sees all alive.
func (s *suite) start(t *testing.T, names ...string) map[string]transport.Transport {
	t.Helper()
	nodes := map[string]transport.Transport{}
	for _, name := range names {
		nodes[name] = s.open(t, name)
	}
	for self, tr := range nodes {
		for _, name := range names {
			await(t, tr, self, name, transport.Alive)
		}
	}
	return nodes
}

// await waits, by notification alone, until tr sees a member in a state.
func await(t *testing.T, tr transport.Transport, self, name string, want transport.State) {
	t.Helper()
	deadline := time.After(patience)
	for {
		list, changed := tr.Members()
		for _, m := range list {
			if m.Name == name && m.State == want {
				return
			}
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%s does not see %s %s, but %+v", self, name, want, list)
		}
	}
}

// deliver sends msg and returns its packet; others on the way are skipped. A
// datagram is repeated until it arrives, a stream message is sent once.
func deliver(t *testing.T, from, to transport.Transport, name string, ch transport.Channel, msg []byte) transport.Packet {
	t.Helper()
	if ch == transport.Datagram {
		return repeat(t, from, to, name, ch, msg)
	}
	if err := from.Send(name, ch, bytes.Clone(msg)); err != nil {
		t.Fatalf("Send(%q, %s, %d bytes): %v", name, ch, len(msg), err)
	}
	for {
		if p := receive(t, to); p.Channel == ch && bytes.Equal(p.Bytes, msg) {
			return p
		}
	}
}

// repeat sends msg until it arrives.
func repeat(t *testing.T, from, to transport.Transport, name string, ch transport.Channel, msg []byte) transport.Packet {
	t.Helper()
	deadline := time.After(patience)
	ticker := time.NewTicker(again)
	defer ticker.Stop()
	for {
		if err := from.Send(name, ch, bytes.Clone(msg)); err != nil &&
			!errors.Is(err, transport.ErrQueueFull) && !errors.Is(err, transport.ErrNoPeer) {
			t.Fatalf("Send(%q, %s, %d bytes): %v", name, ch, len(msg), err)
		}
	wait:
		for {
			select {
			case p, ok := <-to.Receive():
				if !ok {
					t.Fatalf("%s's queue is closed", name)
				}
				if p.Channel == ch && bytes.Equal(p.Bytes, msg) {
					return p
				}
			case <-ticker.C:
				break wait
			case <-deadline:
				t.Fatalf("no %s message of %d bytes has reached %s", ch, len(msg), name)
			}
		}
	}
}

// receive returns the next packet.
func receive(t *testing.T, tr transport.Transport) transport.Packet {
	t.Helper()
	select {
	case p, ok := <-tr.Receive():
		if !ok {
			t.Fatal("the receive queue is closed")
		}
		return p
	case <-time.After(patience):
		t.Fatal("nothing arrives")
	}
	panic("unreachable")
}

// done returns a context that is done: closing with it is a crash.
func done() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// pattern returns n bytes that are not all alike.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func first[A, B any](a A, _ B) A { return a }
