package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// An update that must wait stops V just before it (DESIGN §5): what is before it,
// holes included, is known. So one that depends on a superseded one of its own
// replica, or two replicas that depend on superseded ones of each other, go on.
func TestWaitingUpdateStopsJustBeforeIt(t *testing.T) {
	t.Parallel()
	r1, r2 := clock.Replica{Node: "r1"}, clock.Replica{Node: "r2"}
	after := func(u *model.Update, d ...clock.Dot) *model.Update { u.Deps = clock.NewDots(d); return u }
	for name, batches := range map[string][]engine.Batch{
		"own":    {batch(r1, after(updateOf(r1, 2, "k"), clock.Dot{Replica: r1, Version: 1}))},
		"mutual": {batch(r1, after(updateOf(r1, 4, "k"), clock.Dot{Replica: r2, Version: 1})), batch(r2, after(updateOf(r2, 2, "j"), clock.Dot{Replica: r1, Version: 3}))},
	} {
		w := newWorld(t, 1, 1, engine.Config{})
		n := w.nodes[0]
		for i := range uint64(5) {
			x := 10 + i
			give(t, w, n, syn(x, known(r1, batches[0].Through), known(r2, 2)))
			give(t, w, n, fin(x, batches...))
			w.now = w.now.Add(2 * time.Second)
		}
		if got, want := n.e.Vector().Version(r1), batches[0].Through; got != want {
			t.Errorf("%s: V is %d, want %d", name, got, want)
		}
	}
}

// One cleaning exchange brings a snapshot of many replicas: what arrived whole is
// not sent again (R5).
func TestSnapshotOfManyReplicas(t *testing.T) {
	t.Parallel()
	w, p, x := dirtyFor(t, 4*time.Second, 2, tiny)
	for i := range 60 {
		r := clock.Replica{Node: fmt.Sprintf("replica-%04d", i), Epoch: 1_700_000_000_000}
		b := batch(r, updateOf(r, 1, fmt.Sprint("a", i)), updateOf(r, 2, fmt.Sprint("b", i)))
		for _, u := range b.Updates {
			w.know(u)
		}
		give(t, w, p, message(engine.Push, 1, b))
	}
	p.e.SetPeer(w.now, "x", engine.PeerRemoved)
	x.e.SetPeer(w.now, "p", engine.PeerAlive)
	w.until(10*time.Second, "x knows all", func() bool { return x.e.Vector().Compare(p.e.Vector()) == clock.Equal })
	if s := x.e.Stats(); s.Exchanges.Started != 1 || s.UpdatesRedundant > 10 {
		t.Errorf("%d redundant updates, want one exchange; %+v", s.UpdatesRedundant, s.Exchanges)
	}
}

// Two lives of a node whose wall clock stepped back take different epochs: the
// first one's updates may be on their way to others (R1).
func TestNewEpochsOfTwoLivesDiffer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	later := clock.Replica{Node: n.name, Epoch: n.e.Self().Epoch + 60_000}
	taken := map[clock.Replica]bool{}
	for i := range 3 {
		give(t, w, n, syn(uint64(i+1), known(later, 5)))
		if taken[n.e.Self()] {
			t.Errorf("life %d writes as %v, as an earlier one did", i+1, n.e.Self())
		}
		taken[n.e.Self()] = true
		w.mustWrite(n, "s", "k", fmt.Sprint(i))
		w.now = w.now.Add(time.Second)
		n = w.restart(n, uint64(w.now.UnixMilli()))
	}
}

// Nor do lives whose wall clock stepped back to the same millisecond, and of which nobody
// told the next one, mostly take the same epoch (R1).
func TestNewEpochIsNotTheClocks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	first := n.e.Self().Epoch
	w.now = w.now.Add(time.Minute)
	taken := map[uint64]bool{}
	for i := range 20 {
		give(t, w, n, syn(uint64(i+1), known(n.e.Self(), 5)))
		taken[n.e.Self().Epoch] = true
		n = w.restart(n, first)
	}
	if len(taken) < 10 {
		t.Errorf("20 lives took %d epochs: %v", len(taken), taken)
	}
}

// An update that waits for another does not take the room of that one again and
// again, however small the budget: it is held until the other is known (DESIGN §5).
func TestWaitingUpdateMakesRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{Budget: 1, Order: engine.Span})
	a := w.nodes[0]
	first, then := clock.Replica{Node: "first"}, clock.Replica{Node: "then"}
	waits := []*model.Update{updateOf(then, 1, "k1"), updateOf(then, 2, "k2"), updateOf(then, 3, "k3")}
	waits[0].Deps = clock.NewDots([]clock.Dot{{Replica: first, Version: 1}})
	for _, b := range []engine.Batch{batch(first, updateOf(first, 1, "j")), batch(then, waits...)} {
		for _, u := range b.Updates {
			w.know(u)
		}
		give(t, w, a, message(engine.Push, 1, b))
	}
	w.add("b")
	w.announce()
	w.converge(20 * time.Second)
}
