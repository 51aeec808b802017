package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// A node whose horizon names what died with its holders becomes clean within ten
// seconds though the clean others write all the time, so that vectors are never
// equal (R5).
func TestLostHorizonUnderConstantWrites(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond} {
		w := newWorld(t, 1, 3, engine.Config{})
		w.lax = true
		a, b, x := w.nodes[0], w.nodes[1], w.nodes[2]
		w.cut = func(from, to string) bool { return from == x.name || to == x.name }
		w.mustWrite(a, "s", "k", "first")
		w.mustWrite(a, "s", "j", "other")
		w.until(time.Minute, "b knows a's", func() bool { return b.e.Vector().Compare(a.e.Vector()) == clock.Equal })
		soiled(t, w, x, a.e.Self(), a.e.Retained(a.e.Self())[1])
		w.cut, w.queue = nil, nil
		w.faults.delay = delay
		for i := 0; i < 1000 && !x.e.Clean(); i++ {
			w.mustWrite([]*node{a, b}[i%2], "s", fmt.Sprint("w", i%50), fmt.Sprint(i))
			w.run(10 * time.Millisecond)
		}
		if !x.e.Clean() || x.models["s"].byKey["k"] == nil {
			t.Errorf("delay %v: after 10 s clean %t, others %t and %t, k at x: %t", delay, x.e.Clean(), a.e.Clean(), b.e.Clean(), x.models["s"].byKey["k"] != nil)
		}
	}
}

// A dirty node whose exceptions do not fit beside the largest update passes on
// what it alone knows also where there are holes (R4).
func TestManyExceptionsAndAHole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2, engine.Config{MaxUpdate: 300, MaxStream: 900, MaxDatagram: 512})
	x, p := w.nodes[0], w.nodes[1]
	first := clock.Replica{Node: "a", Epoch: 1}
	digest := []engine.DigestEntry{known(first, 2)}
	for i := range 100 {
		digest = append(digest, known(clock.Replica{Node: fmt.Sprintf("r%04d", i), Epoch: 1_700_000_000_000}, 9))
	}
	for _, m := range []*engine.Message{syn(7, digest...), fin(7, batch(first, updateOf(first, 2, "j")))} {
		m.From = clock.Replica{Node: "dead", Epoch: 1}
		give(t, w, x, m)
	}
	w.all[clock.Dot{Replica: first, Version: 2}] = updateOf(first, 2, "j")
	w.mustWrite(x, "s", "k", "one")
	w.mustWrite(x, "s", "k", "two")
	w.until(time.Minute, "p has what x wrote", func() bool { return p.models["s"].byKey["k"] != nil })
}
