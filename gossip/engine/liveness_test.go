package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// until goes on until something holds; it fails after limit.
func (w *world) until(limit time.Duration, what string, holds func() bool) time.Duration {
	w.t.Helper()
	start := w.now
	for !holds() {
		if w.now.Sub(start) > limit {
			for _, n := range w.nodes {
				w.t.Logf("%s up=%t clean=%t V=%v H=%v %+v", n.name, n.up, n.e.Clean(), n.e.Vector(), n.e.Horizon(), n.e.Stats())
			}
			w.t.Fatalf("%v later still not: %s", limit, what)
		}
		w.step()
	}
	return w.now.Sub(start)
}

// Thousands of updates that wait for one do not keep that one away: they are
// held, and peers send others first (R3).
func TestDependenciesComeFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 3, engine.Config{Budget: 4000})
	w.lax = true // too many to check everything after every event
	a, b, x := w.nodes[0], w.nodes[1], w.nodes[2]
	w.cut = func(from, to string) bool { return from == x.name || to == x.name }
	w.mustWrite(b, "s", "referent", "1")
	ref := clock.Dot{Replica: b.e.Self(), Version: 1}
	w.until(time.Minute, "a knows the referent", func() bool { return a.e.Vector().Covers(ref) })
	const many = 500
	w.mustIssue(a, "s", drafts(many, func(i int) model.Draft {
		return model.Draft{Key: fmt.Append(nil, "k", i), Value: []byte(strings.Repeat("v", 100)), Deps: []clock.Dot{ref}}
	})...)
	w.until(time.Minute, "b knows all of a", func() bool { return b.e.Vector().Version(a.e.Self()) == many })
	w.cut = nil
	w.until(10*time.Second, "x knows the referent", func() bool { return x.e.Vector().Covers(ref) })
	w.converge(time.Minute)
}

// What a node has no room for holds up its own replica and no other (MaxSpaces).
func TestNoRoomForASpaceHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 0, engine.Config{Budget: 2000})
	w.spaces = []string{"other", "s"}
	a, b := w.add("a"), w.add("b")
	w.spaces, w.cfg.MaxSpaces = []string{"s"}, 1
	x := w.add("x")
	w.lax = true
	all := drafts(300, func(i int) model.Draft { return draft(fmt.Sprint("k", i), strings.Repeat("v", 100)) })
	w.mustIssue(a, "other", all...)
	w.mustIssue(b, "s", all...)
	w.announce()
	w.until(20*time.Second, "x knows all of b", func() bool { return x.e.Vector().Version(b.e.Self()) == 300 })
	w.until(20*time.Second, "a knows all of b", func() bool { return a.e.Vector().Version(b.e.Self()) == 300 })
	if got := x.e.Vector().Version(a.e.Self()); got != 0 {
		t.Errorf("x took %d versions of a replica whose first space has no room", got)
	}
}

// With a round trip far above MinInterval a node catches up while it writes: the
// next round does not break the exchange off.
func TestLongRoundTrip(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2, engine.Config{})
	w.lax = true
	a, x := w.nodes[0], w.nodes[1]
	const many = 3000
	w.mustIssue(a, "s", drafts(many, func(i int) model.Draft { return draft(fmt.Sprint("k", i), strings.Repeat("v", 150)) })...)
	w.lag = func(string, string, bool) time.Duration { return 100 * time.Millisecond }
	writes := 0
	start := w.now
	took := w.until(10*time.Second, "x knows all of a", func() bool {
		if due := int(w.now.Sub(start) / (10 * time.Millisecond)); writes < due {
			writes++
			w.mustWrite(x, "s", "mine", fmt.Sprint(writes))
		}
		return x.e.Vector().Version(a.e.Self()) == many
	})
	if s := x.e.Stats().Exchanges; s.Timeout+s.Partial > s.Started/2 {
		t.Errorf("after %v: %+v", took, s)
	}
}

// A dirty node whose exceptions leave no room for open holes still passes on what
// has none (R4).
func TestManyExceptionsDoNotMute(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2, engine.Config{MaxUpdate: 300, MaxStream: 900, MaxDatagram: 512})
	x, p := w.nodes[0], w.nodes[1]
	dead := clock.Replica{Node: "dead", Epoch: 1}
	first := clock.Replica{Node: "a", Epoch: 1}
	digest := []engine.DigestEntry{known(first, 2)}
	for i := range 100 {
		digest = append(digest, known(clock.Replica{Node: fmt.Sprintf("r%04d", i), Epoch: 1_700_000_000_000}, 9))
	}
	for _, m := range []*engine.Message{syn(7, digest...), fin(7, batch(first, updateOf(first, 2, "j")))} {
		m.From = dead
		give(t, w, x, m)
	}
	if x.e.Clean() {
		t.Fatal("clean after an open hole")
	}
	w.know(updateOf(first, 2, "j"))
	w.mustWrite(x, "s", "k", "mine")
	w.until(10*time.Second, "p has what x wrote", func() bool { return p.models["s"].byKey["k"] != nil })
}

// A tick between the parts of a digest does not lose them.
func TestTickBetweenParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	n.e.SetPeer(w.now, "other", engine.PeerFailed)
	part := func(i uint16, entries ...engine.DigestEntry) *engine.Message {
		m := syn(7, entries...)
		m.Digest.Part, m.Digest.Parts = i, 2
		return m
	}
	if out := give(t, w, n, part(0, known(writer, 1))); len(out.Send) != 0 {
		t.Fatalf("half a digest was answered: %+v", out.Send)
	}
	w.now = n.e.Next()
	n.e.Tick(w.now)
	w.now = w.now.Add(time.Millisecond)
	if out := give(t, w, n, part(1)); len(out.Send) != 1 || out.Send[0].Message.Kind != engine.Ack {
		t.Errorf("the whole digest was answered by %+v, want an ACK", out.Send)
	}
}

// A dirty node becomes clean by a union with a clean one also when it has a space
// of its own that holds nothing (R12).
func TestSpaceOfOneSideDoesNotKeepANodeDirty(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	a := w.nodes[0]
	w.spaces = []string{"s", "only-here"}
	x := w.add("x")
	w.mustWrite(a, "s", "k", "first")
	w.mustWrite(a, "s", "j", "other")
	soiled(t, w, x, a.e.Self(), a.e.Retained(a.e.Self())[1])
	w.announce()
	w.until(20*time.Second, "x is clean", x.e.Clean)
	if x.models["s"].byKey["k"] == nil {
		t.Error("x is clean and lacks k")
	}
}

// A node whose horizon names what died with its holders becomes clean while others
// write, if now and then a round trip passes without a write (R12).
func TestDirtyNodeUnderWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 3, engine.Config{})
	a, b, x := w.nodes[0], w.nodes[1], w.nodes[2]
	w.cut = func(from, to string) bool { return from == x.name || to == x.name }
	w.mustWrite(a, "s", "k", "first")
	w.mustWrite(a, "s", "j", "other")
	w.until(time.Minute, "b knows a's", func() bool { return b.e.Vector().Compare(a.e.Vector()) == clock.Equal })
	soiled(t, w, x, a.e.Self(), a.e.Retained(a.e.Self())[1])
	w.cut, w.queue = nil, nil
	w.faults.delay = 20 * time.Millisecond
	start := w.now
	writes := 0
	w.until(10*time.Second, "x is clean", func() bool {
		if due := int(w.now.Sub(start) / (30 * time.Millisecond)); writes < due {
			writes++
			w.mustWrite([]*node{a, b}[writes%2], "s", fmt.Sprint("w", writes%5), fmt.Sprint(writes))
		}
		return x.e.Clean()
	})
	if x.models["s"].byKey["k"] == nil {
		t.Error("x is clean and lacks k")
	}
}
