package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// overwrite lets all nodes overwrite few keys of their own each millisecond, for a while.
func (w *world) overwrite(d time.Duration) {
	for i := range int(d / time.Millisecond) {
		for _, n := range w.nodes {
			w.mustWrite(n, "s", fmt.Sprint(n.name, i%10), fmt.Sprint(i))
		}
		w.pass(time.Millisecond)
	}
}

// What links bring is not brought by rounds as well, nor are there open holes for want of it.
func TestRoundsLeaveStreamsOut(t *testing.T) {
	t.Parallel()
	w := linked(t, 1, 4, engine.Config{Interval: 200 * time.Millisecond})
	w.lax = true // for speed
	w.faults.delay = 10 * time.Millisecond
	w.overwrite(300 * time.Millisecond)
	exchanges := func(s engine.Stats) uint64 { return s.Exchanges.Started }
	live := func(s engine.Stats) uint64 { return s.LiveApplied }
	others := func(s engine.Stats) uint64 {
		return s.OpenHoles + s.UpdatesRedundant + s.UpdatesApplied - s.LiveApplied
	}
	rounds, came, more := w.sum(exchanges), w.sum(live), w.sum(others)
	w.overwrite(500 * time.Millisecond)
	if n := w.sum(exchanges) - rounds; n < 8 {
		t.Errorf("there were %d rounds, want at least 8", n)
	}
	if n := w.sum(live) - came; n < 1000 {
		t.Errorf("%d updates came over links, want at least 1000", n)
	}
	if n := w.sum(others) - more; n > 0 {
		t.Errorf("rounds have brought %d updates and open holes", n)
	}
	w.converge(time.Second)
}

// What a link has lost without a word is missed when its writer says no more: from then on
// rounds bring it, from anybody.
func TestRoundsBringWhatStreamsLose(t *testing.T) {
	t.Parallel()
	const interval = 50 * time.Millisecond
	w := linked(t, 1, 3, engine.Config{Interval: interval})
	w.faults.delay = 2 * time.Millisecond
	a, b := w.nodes[0], w.nodes[1]
	w.overwrite(100 * time.Millisecond)
	x := w.lanes[[2]string{a.name, b.name}]
	w.mustWrite(a, "s", "last", "v")
	x.life++ // what is under way is lost, and nobody is told
	x.busy = true
	w.pass(10 * time.Millisecond)
	if w.equal() {
		t.Fatal("the link has brought what was to be lost")
	}
	w.pass(8 * interval)
	if !w.equal() {
		t.Error("rounds have not brought what the link has lost")
	}
}
