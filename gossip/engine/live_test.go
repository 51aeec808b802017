package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// rare lets rounds play no part.
var rare = engine.Config{Interval: time.Hour}

// linked returns nodes that have links to each other and know the same.
func linked(t *testing.T, seed int64, n int, cfg engine.Config) *world {
	w := newWorld(t, seed, n, cfg)
	w.connect()
	w.pass(4 * max(cfg.Interval, time.Second)) // until rounds are rare
	return w
}

// A write is on all nodes after one message over each link, without a round; nothing
// that it has is sent to anybody twice (DESIGN §7).
func TestLiveCrossesAPairOnce(t *testing.T) {
	t.Parallel()
	const nodes, writes = 8, 120
	w := linked(t, 1, nodes, rare)
	w.faults.delay = 20 * time.Millisecond
	rounds := w.sum(func(s engine.Stats) uint64 { return s.Exchanges.Started })
	for i := range writes {
		w.mustWrite(w.nodes[w.rng.Intn(nodes)], "s", fmt.Sprint("k", i), "v")
		w.pass(time.Duration(w.rng.Int63n(int64(2 * time.Millisecond))))
	}
	w.pass(50 * time.Millisecond)
	if !w.equal() {
		t.Error("not all know the same")
	}
	for _, f := range []struct {
		what string
		got  uint64
		want uint64
	}{
		{"exchanges", w.sum(func(s engine.Stats) uint64 { return s.Exchanges.Started }) - rounds, 0},
		{"updates that were new", w.sum(func(s engine.Stats) uint64 { return s.LiveApplied }), writes * (nodes - 1)},
		{"updates that were known", w.sum(func(s engine.Stats) uint64 { return s.LiveRedundant }), 0},
	} {
		if f.got != f.want {
			t.Errorf("%d %s, want %d", f.got, f.what, f.want)
		}
	}
}

// What nodes write to the same keys at the same time leaves holes that the others close;
// no live message makes a node dirty (checkLive), and nothing is left behind.
func TestLiveContention(t *testing.T) {
	t.Parallel()
	for seed := range int64(*seeds) {
		w := linked(t, seed, 5, engine.Config{})
		w.faults.delay = 10 * time.Millisecond
		for range 200 {
			w.mustWrite(w.nodes[w.rng.Intn(5)], "s", fmt.Sprint("k", w.rng.Intn(4)), fmt.Sprint(w.rng.Int()))
			w.pass(time.Duration(w.rng.Int63n(int64(2 * time.Millisecond))))
		}
		w.converge(3 * time.Second)
	}
}

// A link that breaks takes with it what was under way; the exchange that begins the next
// one brings it.
func TestLiveBrokenLink(t *testing.T) {
	t.Parallel()
	for seed := range int64(*seeds) {
		w := linked(t, seed, 4, rare)
		w.faults.delay = 10 * time.Millisecond
		for i := range 100 {
			w.mustWrite(w.nodes[w.rng.Intn(4)], "s", fmt.Sprint("k", i), "v")
			w.pass(time.Duration(w.rng.Int63n(int64(2 * time.Millisecond))))
			if i%10 == 9 {
				a := w.rng.Intn(4)
				w.snap(w.nodes[a], w.nodes[(a+1+w.rng.Intn(3))%4])
			}
		}
		w.converge(time.Second)
	}
}

// Without a link to some living peer, rounds carry updates as soon as without links.
func TestLiveUncovered(t *testing.T) {
	t.Parallel()
	w := linked(t, 1, 3, engine.Config{})
	a, b := w.nodes[0], w.nodes[1]
	w.pass(20 * time.Second) // idle
	w.link(a, b, false)
	w.link(b, a, false)
	w.mustWrite(a, "s", "k", "v")
	if took := w.converge(time.Second); took > 200*time.Millisecond {
		t.Errorf("it took %v", took)
	}
}

// A far end that does not read gets no more than the window. What waits for it waits in
// the log, where it is superseded; when it reads again the latest values arrive, in
// messages without open holes.
func TestLiveWindow(t *testing.T) {
	t.Parallel()
	const keys, writes = 100, 1_500
	w := linked(t, 1, 3, rare)
	w.lax = true // for speed
	a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
	x := w.lanes[[2]string{a.name, b.name}]
	x.stuck = true
	before := x.passed
	for i := range writes {
		w.mustWrite(a, "s", fmt.Sprint("k", i%keys), fmt.Sprint(i))
		w.pass(10 * time.Microsecond)
	}
	if c.e.Vector().Compare(a.e.Vector()) != clock.Equal {
		t.Error("another link was held up")
	}
	x.stuck = false
	w.pass(3 * time.Second)
	if !w.equal() {
		t.Fatalf("not equal: %v, %v", a.e.Vector(), b.e.Vector())
	}
	if got := x.passed - before; got > 4 {
		t.Errorf("it took %d messages, want 4 at most", got)
	}
	if got := b.e.Stats().LiveApplied; got > 2*keys+10 {
		t.Errorf("%d updates arrived, want the latest of each of %d keys, and what was under way", got, keys)
	}
}

// In a large cluster nodes pass on what is new over the links that they have; of those
// over which it comes twice little is left after a while. All have it without a round.
func TestLiveTree(t *testing.T) {
	t.Parallel()
	const nodes = 20
	w := linked(t, 1, nodes, rare)
	w.lax = true // for speed
	w.faults.delay = 5 * time.Millisecond
	links := 0
	for _, n := range w.nodes {
		links += n.e.Links()
	}
	if links > 10*nodes || links < 2*nodes {
		t.Errorf("%d ends of links, want about 8 for each of %d nodes", links, nodes)
	}
	round := func(i int) (twice uint64) {
		before := w.sum(func(s engine.Stats) uint64 { return s.LiveRedundant })
		for j, n := range w.nodes {
			w.mustWrite(n, "s", fmt.Sprint(i, j), "v")
			w.pass(time.Millisecond)
		}
		w.pass(100 * time.Millisecond)
		if !w.equal() {
			t.Fatalf("after %d writes of each not all know the same", i+1)
		}
		return w.sum(func(s engine.Stats) uint64 { return s.LiveRedundant }) - before
	}
	exchanges := w.sum(func(s engine.Stats) uint64 { return s.Exchanges.Started })
	var twice []uint64
	for i := range 4 {
		twice = append(twice, round(i))
	}
	t.Log("came again:", twice)
	const once = nodes * (nodes - 1)
	if last := twice[len(twice)-1]; last > once/20 || twice[0] < once/2 {
		t.Errorf("so many updates came again: %v, of %d that came", twice, once)
	}
	if n := w.sum(func(s engine.Stats) uint64 { return s.Exchanges.Started }) - exchanges; n > 0 {
		t.Errorf("there were %d exchanges", n)
	}

	// A node with many links dies: what came over them comes over others.
	w.crash(w.nodes[3])
	for _, n := range w.nodes {
		if w.lanes[[2]string{n.name, w.nodes[3].name}] != nil {
			w.link(n, w.nodes[3], false)
		}
	}
	w.pass(100 * time.Millisecond)
	for i := range 2 {
		for j, n := range w.nodes {
			if n.up {
				w.mustWrite(n, "s", fmt.Sprint("after", i, j), "v")
			}
		}
		w.pass(100 * time.Millisecond)
		if !w.equal() {
			t.Fatalf("without one node, after %d writes of each not all know the same", i+1)
		}
	}
}
