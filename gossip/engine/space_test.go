package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// relay takes space s from a node: it relays it from now on.
func (w *world) relay(n *node) {
	for _, u := range n.e.Detach("s") {
		n.models["s"].Discard(u)
	}
	delete(n.models, "s")
}

// attach gives space s to a node that has relayed it.
func (w *world) attach(n *node) {
	w.t.Helper()
	n.models["s"] = newRegister()
	if err := n.e.Attach("s", n.models["s"]); err != nil {
		w.t.Fatal(err)
	}
	w.after(n, n.e.Vector(), nil, n.e.Expire(w.clock(n)))
}

// A node that attaches a space after deletes in it were collected shows nothing that
// was deleted, whether it relayed the space all the time or came late; and it collects
// what it had to keep meanwhile (R14).
func TestAttachAfterCollection(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"relayed all the time", "detached in between", "joined late"} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, 1, 4, collecting)
			n := w.nodes[3]
			if what == "relayed all the time" {
				w.relay(n)
			}
			for i := range 20 {
				w.mustWrite(w.nodes[i%3], "s", fmt.Sprint("k", i), "value")
			}
			w.set(w.nodes[0], "short", 5*time.Second)
			w.converge(time.Minute)
			if what == "detached in between" {
				w.relay(n)
			}
			for i := range 20 {
				w.mustWrite(w.nodes[i%3], "s", fmt.Sprint("k", i), "")
			}
			w.mustWrite(w.nodes[0], "s", "last", "value")
			w.converge(time.Minute)
			w.until(time.Minute, "the others have collected", func() bool {
				all := 0
				for _, o := range w.nodes[:3] {
					all += o.status().Updates
				}
				return all == 3
			})
			if what == "joined late" {
				n = w.add("zlate")
				w.relay(n)
				w.announce()
				w.converge(time.Minute)
			} else if s := n.status(); s.Tombstones != 20 || s.Attached {
				t.Fatalf("the relay retains %d tombstones, want all 20", s.Tombstones)
			}
			w.attach(n)
			if m := n.models["s"].byKey; m["last"] == nil {
				t.Error("it lacks the key that is there")
			}
			for key, u := range n.models["s"].byKey {
				if key != "last" && !u.IsTombstone() && key != "short" {
					t.Errorf("it shows %s", key)
				}
			}
			w.until(time.Minute, "it has collected, too", func() bool { return n.status().Updates == 1 })
			w.converge(time.Minute)
		})
	}
}

// Floors that are adopted in the repair of one space drop nothing of another that is
// only relayed: the tombstones there hide what the node may still retain (R12, R14).
func TestRepairLeavesRelayedTombstones(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 0, collecting)
	w.spaces = []string{"s", "t"}
	for i := range 3 {
		w.add(fmt.Sprint("n", i))
	}
	w.announce()
	n := w.nodes[2]
	w.relay(n)
	for i := range 3 {
		w.mustWrite(w.nodes[0], "s", fmt.Sprint("k", i), "value")
		w.mustWrite(w.nodes[i], "t", fmt.Sprint("t", i), "value")
	}
	w.converge(time.Minute)
	for i := range 3 {
		w.mustWrite(w.nodes[0], "s", fmt.Sprint("k", i), "")
	}
	w.mustWrite(w.nodes[0], "t", "t0", "again")
	w.converge(time.Minute)
	w.until(time.Minute, "the others have collected", func() bool { return w.nodes[0].status().Updates+w.nodes[1].status().Updates == 0 })
	w.lax = true // the damage breaks I3
	n.e.Lose(n.models["t"].byKey["t0"].Dot)
	w.until(time.Minute, "the damage is repaired", func() bool { return n.models["t"].byKey["t0"] != nil })
	if n.e.Floors().Len() == 0 {
		t.Fatal("the repair adopted no floors")
	}
	w.lax = false
	w.attach(n)
	for key, u := range n.models["s"].byKey {
		if !u.IsTombstone() {
			t.Errorf("it shows %s, which was deleted", key)
		}
	}
}

// What a space counts stays right through detaching and attaching, with tombstones and
// expired updates in it, and through writes that limits refuse.
func TestDetachedSpaceIsCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	w.fill(5, "value")
	w.mustWrite(n, "s", "k1", "")
	w.set(n, "short", time.Second)
	w.set(n, "long", time.Hour)
	w.now = w.now.Add(2 * time.Second)
	n.e.Tick(w.now)
	check := func(when string, want engine.SpaceStatus) {
		t.Helper()
		if err := n.e.Check(); err != nil {
			t.Errorf("%s: %v", when, err)
		}
		s := n.status()
		s.Hash, s.Bytes = want.Hash, want.Bytes
		if s != want {
			t.Errorf("%s: %+v, want %+v", when, s, want)
		}
	}
	want := engine.SpaceStatus{Space: "s", Attached: true, Updates: 7, Tombstones: 1, Expired: 1, DeadBytes: int64(len("k1") + len("short") + len("v"))}
	check("attached", want)
	w.relay(n)
	want.Attached, want.Expired, want.DeadBytes = false, 0, int64(len("k1")) // nobody knows what has expired
	check("detached", want)
	w.now = w.now.Add(time.Minute)
	w.attach(n)
	want.Attached, want.Expired, want.DeadBytes = true, 1, int64(len("k1")+len("short")+len("v"))
	check("attached again", want)
	n.e.SetLimits("s", engine.Limits{MaxKeys: 5})
	if err := w.write(n, "s", "more", "v"); err == nil {
		t.Error("a full space takes another key")
	}
	w.mustWrite(n, "s", "k2", "other value")
	want.Limits.MaxKeys, want.Refused = 5, 1
	check("limited", want)
}
