package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

func TestKindString(t *testing.T) {
	t.Parallel()
	var all []engine.Kind
	for k := range engine.Graft + 2 {
		all = append(all, k)
	}
	if got, want := fmt.Sprint(all), "[unknown syn ack fin pull push repair live receipt prune graft unknown]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Published follows what peers show to know of this node, and never falls:
// digests may be older than those before. A new identity has shown nothing yet.
func TestPublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	self := n.e.Self()
	for range 3 {
		w.mustWrite(n, "s", "k", "v")
	}
	for i, tt := range []struct {
		digest []engine.DigestEntry
		want   uint64
	}{{nil, 0}, {[]engine.DigestEntry{known(self, 2)}, 2}, {[]engine.DigestEntry{known(self, 1)}, 2}, {[]engine.DigestEntry{known(self, 3)}, 3}} {
		give(t, w, n, syn(uint64(i+1), tt.digest...))
		if got := uint64(n.e.Published()); got != tt.want {
			t.Errorf("after %v: published %d, want %d", tt.digest, got, tt.want)
		}
	}
	give(t, w, n, syn(9, known(self, 4)))
	if got := n.e.Published(); n.e.Self() == self || got != 0 {
		t.Errorf("as %v, was %v: published %d", n.e.Self(), self, got)
	}
}

// An ACK that says Same shows that the peer knows all of this node's digest.
func TestPublishedBySame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2, engine.Config{})
	a := w.nodes[0]
	w.mustWrite(a, "s", "k", "v")
	w.until(time.Minute, "the peer has shown it", func() bool { return a.e.Published() == 1 })
}

// Pending is what the peer that is furthest ahead was last seen to know more.
func TestPending(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	for i, tt := range []struct {
		from   string
		digest []engine.DigestEntry
		want   uint64
	}{
		{"p", nil, 0},
		{"p", []engine.DigestEntry{known(writer, 5)}, 5},
		{"q", []engine.DigestEntry{known(writer, 3)}, 5},
		{"p", []engine.DigestEntry{known(writer, 1)}, 3},
	} {
		m := syn(uint64(i+1), tt.digest...)
		m.From.Node = tt.from
		give(t, w, n, m)
		if got := n.e.Pending(); got != tt.want {
			t.Errorf("after %s showed %v: %d pending, want %d", tt.from, tt.digest, got, tt.want)
		}
	}
	push := message(engine.Push, 3, batch(writer, update(1, "i"), update(2, "j"), update(3, "k")))
	push.From.Node, push.Digest.Base = "q", 3
	give(t, w, n, push)
	if got := n.e.Pending(); got > 1 {
		t.Errorf("%d pending, and all that q knew is known", got)
	}
}

// A Tick before its time does nothing; Hurry brings the time forward.
func TestHurry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	w.run(20 * time.Second) // alone: rounds are rare
	n.e.SetPeer(w.now, "p", engine.PeerFailed)
	next := n.e.Next()
	w.now = next.Add(-time.Millisecond)
	if out := n.e.Tick(w.now); len(out.Send) > 0 || n.e.Next() != next {
		t.Errorf("a Tick before its time sent %v, the next one is due at %v, was %v", out.Send, n.e.Next(), next)
	}
	w.now = next.Add(-time.Second)
	n.e.Hurry(w.now)
	if got := n.e.Next(); got != w.now {
		t.Errorf("after Hurry the next round is in %v, want now", got.Sub(w.now))
	}
	if out := n.e.Tick(w.now); len(out.Send) != 1 || out.Send[0].Message.Kind != engine.Syn {
		t.Errorf("then Tick sent %v, want a SYN", out.Send)
	}
}
