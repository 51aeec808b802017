package engine_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// flood lets a node write an update of so many kilobytes each millisecond.
func (w *world) flood(n *node, each int, d time.Duration) {
	value := strings.Repeat("x", 1000*each)
	for end := w.now.Add(d); w.now.Before(end); {
		w.mustWrite(n, "s", fmt.Sprint(w.now.UnixMicro()), value)
		w.pass(time.Millisecond)
	}
}

// A window grows while it is full and receipts come soon, and shrinks while they come late.
func TestWindowFollowsReceipts(t *testing.T) {
	t.Parallel()
	w := linked(t, 1, 2, rare)
	w.lax = true // for speed
	a, b := w.nodes[0], w.nodes[1]
	first := a.e.Window(b.name)
	phase := func(delay time.Duration, each int, d time.Duration) int {
		w.faults.delay = delay
		w.flood(a, each, d)
		w.pass(time.Second)
		return a.e.Window(b.name)
	}
	soon := phase(4*time.Millisecond, 25, 100*time.Millisecond)
	late := phase(80*time.Millisecond, 5, 300*time.Millisecond)
	again := phase(time.Millisecond, 25, 100*time.Millisecond)
	if soon < 3*first/2 || late > soon*2/3 || again < 3*late/2 {
		t.Errorf("a window of %d was %d while receipts came soon, %d while they came late, and then %d", first, soon, late, again)
	}
	w.mustWrite(a, "s", "last", strings.Repeat("x", again/4)) // so much asks for a receipt
	w.converge(5 * time.Second)
	w.pass(time.Second)
	if room, all := a.e.Room(), a.e.Window(b.name); room != all {
		t.Errorf("there is room for %d, want all of the window's %d", room, all)
	}
}

// Receipts that are never soon, even if they are not equally late, make a window larger,
// until it is full no more.
func TestWindowOfDistantPeer(t *testing.T) {
	t.Parallel()
	for _, jitter := range []time.Duration{0, 8 * time.Millisecond} {
		w := linked(t, 1, 2, rare)
		w.lax = true // for speed
		begin := w.now
		w.lag = func(string, string, bool) time.Duration {
			if w.now.Sub(begin)%(400*time.Millisecond) < 200*time.Millisecond {
				return 100 * time.Millisecond
			}
			return 100*time.Millisecond + jitter
		}
		a, b := w.nodes[0], w.nodes[1]
		first := a.e.Window(b.name)
		w.flood(a, 2, time.Second)
		if last := a.e.Window(b.name); last < 2*first || last > 8*first {
			t.Errorf("the window was %d, and is %d with a jitter of %v; 200 kilobytes are written before a receipt comes", first, last, jitter)
		}
	}
}

// There is no room for more while more than a third of the links are full; one that is stuck does not count,
// after a second not even if it is the only one.
func TestRoom(t *testing.T) {
	t.Parallel()
	w := linked(t, 1, 4, rare)
	w.lax = true // for speed
	a := w.nodes[0]
	stick := func(peers ...*node) {
		for _, p := range peers {
			w.lanes[[2]string{a.name, p.name}].stuck = true
		}
	}
	if alone := newWorld(t, 1, 1, rare).nodes[0].e.Room(); alone != math.MaxInt {
		t.Errorf("without links there is room for %d", alone)
	}
	stick(w.nodes[1])
	w.flood(a, 5, 300*time.Millisecond)
	if room := a.e.Room(); room <= 0 {
		t.Errorf("one of three links is stuck: room for %d", room)
	}
	stick(w.nodes[2:]...)
	w.flood(a, 5, 300*time.Millisecond)
	if room := a.e.Room(); room > 0 {
		t.Errorf("all links are stuck: room for %d", room)
	}
	w.flood(a, 1, 1500*time.Millisecond)
	if room := a.e.Room(); room <= 0 {
		t.Errorf("all links have been stuck for long: room for %d", room)
	}
}

// What a new write takes the place of counts as unsent until most links have been sent
// it, and for ever if all of it is little.
func TestUnsent(t *testing.T) {
	t.Parallel()
	w := linked(t, 1, 4, rare)
	w.lax = true // for speed
	a := w.nodes[0]
	unsent := func(key string) bool { return a.e.Unsent("s", []byte(key), a.e.Spread()) }
	w.mustWrite(a, "s", "k", "v")
	w.pass(time.Second)
	if unsent("other") || !unsent("k") {
		t.Errorf("of a single update: another key %v, this one %v", unsent("other"), unsent("k"))
	}
	w.flood(a, 5, 300*time.Millisecond)
	w.mustWrite(a, "s", "before", "v")
	w.pass(time.Second)
	if unsent("k") || unsent("before") {
		t.Errorf("of much that was sent: an old key %v, a new one %v", unsent("k"), unsent("before"))
	}
	for i, p := range w.nodes[1:] {
		w.lanes[[2]string{a.name, p.name}].stuck = i > 0
	}
	w.flood(a, 5, 300*time.Millisecond) // fills the windows of two
	w.mustWrite(a, "s", "after", "v")
	w.pass(10 * time.Millisecond)
	if unsent("other") || unsent("before") || !unsent("after") {
		t.Errorf("two of three do not read: another key %v, one from before %v, one from after %v", unsent("other"), unsent("before"), unsent("after"))
	}
}

// lagging returns two linked nodes. Receipts of the second came soon; now each of its messages
// takes as long as late says.
func lagging(t *testing.T, late func() time.Duration) (w *world, a, b *node) {
	w = linked(t, 1, 2, rare)
	w.lax = true // for speed
	a, b = w.nodes[0], w.nodes[1]
	w.flood(a, 5, 100*time.Millisecond)
	w.lag = func(from, _ string, _ bool) time.Duration {
		if from == b.name {
			return late()
		}
		return 0
	}
	return w, a, b
}

// A link whose receipts are late rests, if what is written is superseded before it is sent
// anyway, and goes on by itself.
func TestLinkRests(t *testing.T) {
	t.Parallel()
	w, a, b := lagging(t, func() time.Duration { return 50 * time.Millisecond })
	const keys, writes = 25, 2500
	before := b.e.Stats().LiveApplied
	for i := range writes {
		w.mustWrite(a, "s", fmt.Sprint("k", i%keys), strings.Repeat("x", 2000))
		w.pass(400 * time.Microsecond)
	}
	applied := b.e.Stats().LiveApplied - before
	w.pass(400 * time.Millisecond)
	if !w.equal() {
		t.Error("not all has arrived when the rest must be over")
	}
	// A receipt takes 50 ms, a rest 350, and there are up to two times all keys under way.
	if limit := uint64(2 * keys * 1000 / 400); applied > limit {
		t.Errorf("in a second %d updates came over the link, want at most %d", applied, limit)
	}
}

// A link rests as long after a receipt that came soon as after one that came late, if many
// come late; and not at all for what was late long ago.
func TestLinkRestsEvenly(t *testing.T) {
	t.Parallel()
	late := []time.Duration{60 * time.Millisecond}
	messages := 0
	w, a, b := lagging(t, func() time.Duration {
		messages++
		return late[messages%len(late)]
	})
	var came []time.Time
	for i, seen := 0, uint64(0); i < 10_000; i++ {
		if i == 2500 {
			late = []time.Duration{0, 120 * time.Millisecond}
		}
		w.mustWrite(a, "s", fmt.Sprint("k", i%25), strings.Repeat("x", 2000))
		w.pass(400 * time.Microsecond)
		if n := b.e.Stats().LiveApplied; n != seen {
			if came, seen = append(came, w.now), n; i < 2500 {
				came = nil
			}
		}
	}
	if len(came) < 5 {
		t.Fatalf("in three seconds messages came at %v", came)
	}
	for i := 1; i < len(came); i++ {
		if gap := came[i].Sub(came[i-1]); gap < 300*time.Millisecond {
			t.Errorf("a message came %v after the last one", gap)
		}
	}
	w.lag = nil
	w.pass(2 * time.Second)
	var drafts []model.Draft
	for i := range 100 {
		drafts = append(drafts, draft(fmt.Sprint("k", i%25), strings.Repeat("x", 2000)))
	}
	for range 2 {
		w.mustIssue(a, "s", drafts...)
		if w.pass(20 * time.Millisecond); !w.equal() {
			t.Error("what was written is not there at once, though no receipt has been late lately")
		}
	}
}
