package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// collecting is a configuration in which tombstones are soon collected.
var collecting = engine.Config{Collect: true, ReportInterval: time.Second, RemoveAfter: 20 * time.Second}

// tombstones counts what waits to be collected at living nodes.
func (w *world) tombstones() int {
	n := 0
	for _, m := range w.nodes {
		for _, s := range m.e.Spaces() {
			if m.up {
				n += s.Tombstones
			}
		}
	}
	return n
}

// fill lets the nodes in turn write keys.
func (w *world) fill(keys int, value string) {
	w.t.Helper()
	for i := range keys {
		w.mustWrite(w.nodes[i%len(w.nodes)], "s", fmt.Sprint("k", i), value)
	}
}

// Tombstones are gone three report intervals and a convergence after everybody is
// quiet, and then no report is written any more (R6–R8).
func TestTombstonesAreCollected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 5, collecting)
	w.fill(20, "value")
	w.converge(time.Minute)
	w.fill(20, "")
	took := w.converge(time.Minute)
	if w.tombstones() != 5*20 {
		t.Fatalf("%d tombstones, want 100", w.tombstones())
	}
	limit := 3*collecting.ReportInterval + 2*16*time.Second
	gone := w.until(limit, "no tombstone is left", func() bool { return w.tombstones() == 0 })
	t.Logf("converged after %v, collected %v later", took, gone)
	w.run(5 * time.Second) // the last reports
	reports := func() (n uint64) {
		for _, m := range w.nodes {
			n += m.e.Stats().Reports
		}
		return n
	}
	before := reports()
	w.run(time.Minute)
	if got := reports(); got != before {
		t.Errorf("%d reports without a tombstone", got-before)
	}
}

// A node that was away while its peers deleted and collected is rebased when it comes
// back: what it still shows goes everywhere, and what it wrote alone stays (R9, I7).
func TestReturnAfterCollection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 5, collecting)
	w.fill(20, "value")
	w.converge(time.Minute)
	away := w.nodes[4]
	w.cut = func(from, to string) bool { return from == away.name || to == away.name }
	for _, n := range w.nodes {
		if n != away {
			n.e.SetPeer(w.clock(n), away.name, engine.PeerFailed)
			away.e.SetPeer(w.clock(away), n.name, engine.PeerFailed)
		}
	}
	w.mustWrite(away, "s", "unpublished", "value")
	for i := range 20 {
		w.mustWrite(w.nodes[i%4], "s", fmt.Sprint("k", i), "")
	}
	w.run(10 * time.Second)
	if w.tombstones() == 0 {
		t.Fatal("collected while a node that failed just now was away (R10)")
	}
	w.until(2*time.Minute, "the others have collected", func() bool { return w.tombstones() == 0 })
	if len(away.models["s"].byKey) != 21 {
		t.Fatalf("the node that was away shows %d keys, want 21", len(away.models["s"].byKey))
	}
	w.cut = nil
	w.announce()
	w.converge(time.Minute)
	for _, n := range w.nodes {
		if m := n.models["s"].byKey; len(m) != 1 || m["unpublished"] == nil {
			t.Errorf("%s shows %v, want what was unpublished and nothing else", n.name, m)
		}
		if got := n.e.Stats().Mismatches; got != 0 {
			t.Errorf("%s counts %d mismatches, though nothing broke", n.name, got)
		}
	}
	if away.e.Stats().Resets == 0 {
		t.Error("the node that was away was not reset")
	}
}

// A minority collects nothing, however long the others are gone; and it says why (R7).
func TestMinorityCollectsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 5, collecting)
	w.fill(10, "value")
	w.converge(time.Minute)
	for _, n := range w.nodes[2:] {
		w.crash(n)
	}
	w.announce()
	w.mustWrite(w.nodes[0], "s", "k1", "")
	w.run(2 * time.Minute)
	if w.tombstones() != 2 {
		t.Errorf("%d tombstones are left of two", w.tombstones())
	}
	if at, why := w.nodes[0].e.Stable(); at != 0 || !slices.Contains(why, "2 of 5 known nodes are members: no majority") {
		t.Errorf("stable up to %v, %q", at, why)
	}
}

// A node that joins a cluster writes when a member has admitted it; one that finds
// nobody writes after JoinTimeout (R11).
func TestJoiningNodeWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2, collecting)
	w.cfg.Joining = true
	late, alone := w.add("late"), w.add("zalone")
	w.cut = func(from, to string) bool { return from == alone.name || to == alone.name }
	for _, n := range []*node{late, alone} {
		if err := w.write(n, "s", "k", "v"); !errors.Is(err, engine.ErrJoining) {
			t.Errorf("%s wrote before it was a member: %v", n.name, err)
		}
	}
	w.announce()
	w.until(2*time.Second, "it may write", func() bool { return w.write(late, "s", "k", "v") == nil })
	if err := w.write(alone, "s", "k", "v"); !errors.Is(err, engine.ErrJoining) {
		t.Errorf("alone, before the time-out: %v", err)
	}
	w.run(5 * time.Second)
	w.mustWrite(alone, "s", "k", "v")
}

// A member that does not collect holds up all others, and nobody reports for nothing.
func TestOneThatDoesNotCollect(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2, collecting)
	w.cfg.Collect = false
	w.add("without")
	w.announce()
	w.mustWrite(w.nodes[0], "s", "k", "")
	w.run(time.Minute)
	if w.tombstones() != 3 {
		t.Errorf("%d tombstones are left of three", w.tombstones())
	}
	if _, why := w.nodes[0].e.Stable(); !slices.Contains(why, "without has not reported") {
		t.Errorf("what stands against it: %q", why)
	}
}

// What is stable goes soon, however much it is, and no Tick collects so much that
// readers wait: between rounds there are Ticks that do nothing else.
func TestManyTombstonesAreCollectedInPieces(t *testing.T) {
	t.Parallel()
	const keys, most = 600, 256
	w := newWorld(t, 1, 3, collecting)
	w.lax = true // too many updates to check everything after every event
	w.fill(keys, "value")
	w.converge(time.Minute)
	w.fill(keys, "")
	w.converge(time.Minute)
	var took time.Duration
	for n := w.nodes[0]; n.e.Stats().Collected < keys; {
		before := n.e.Stats()
		took += w.until(time.Minute, "more is collected", func() bool { return n.e.Stats().Collected > before.Collected })
		if got := n.e.Stats().Collected - before.Collected; got > most {
			t.Fatalf("%d tombstones at once, at most %d", got, most)
		}
		if before.Collected == 0 {
			took = 0 // that was the wait for reports
		}
	}
	if limit := time.Millisecond; took > limit {
		t.Errorf("%d tombstones took %v, at most %v", keys, took, limit)
	}
}
