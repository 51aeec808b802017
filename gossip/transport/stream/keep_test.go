package stream_test

import (
	"errors"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/stream"
)

// linked waits, by notification alone, until a node has, or has not, a connection to a
// peer, and returns it.
func (n *node) linked(peer string, ok func(transport.Link) bool) transport.Link {
	n.t.Helper()
	for deadline := time.After(patience); ; {
		var l transport.Link
		for _, x := range n.Links.Links(nil) {
			if x.Peer == peer {
				l = x
			}
		}
		if ok(l) {
			return l
		}
		select {
		case <-n.Changed():
		case <-deadline:
			n.t.Fatalf("%s has %+v to %s; counters %v", n.name, l, peer, n.Counters())
		}
	}
}

func up(l transport.Link) bool { return l.Life > 0 }

// A connection that is to be kept is there without a message, at both ends, and again when
// it broke or the peer was away; until it is not to be kept any more.
func TestKeep(t *testing.T) {
	w := newTown(t)
	a, b := w.start("a", nil), w.start("b", nil)
	a.Keep([]string{"b", "nobody"})
	ours, theirs := a.linked("b", up).Life, b.linked("a", up).Life
	for range 3 {
		b.Drop("a")
		ours = a.linked("b", func(l transport.Link) bool { return up(l) && l.Life != ours }).Life
		theirs = b.linked("a", func(l transport.Link) bool { return up(l) && l.Life != theirs }).Life
	}
	b.Close()
	a.linked("b", func(l transport.Link) bool { return !up(l) })
	w.start("b", nil).linked("a", up)
	a.linked("b", up)
	a.Keep(nil)
	a.Drop("b")
	eventually(t, "nothing is dialled", a.AtRest)
	a.linked("b", func(l transport.Link) bool { return !up(l) })
}

// A connection is busy while messages wait behind the one that is written, and says so
// when it is not any more.
func TestBusy(t *testing.T) {
	w := newTown(t)
	gate := make(chan struct{})
	a := w.start("a", nil)
	w.start("b", func(c *stream.Config) { c.Deliver = func([]byte) { <-gate } })
	a.Keep([]string{"b"})
	a.linked("b", up)
	busy := func(l transport.Link) bool { return up(l) && l.Busy }
	for found := false; !found; {
		if err := a.Send("b", make([]byte, 1<<20)); errors.Is(err, transport.ErrQueueFull) {
			t.Fatal("it is full, and was never busy")
		} else if err != nil {
			t.Fatal(err)
		}
		for _, l := range a.Links.Links(nil) {
			found = found || busy(l)
		}
		time.Sleep(time.Millisecond) // the writer may not have got to it
	}
	close(gate)
	a.linked("b", func(l transport.Link) bool { return up(l) && !l.Busy })
}
