package engine_test

import (
	"flag"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

var seeds = flag.Int("seeds", 5, "how many seeds the random runs of the engine try")

// A random cluster under loss, duplication, reordering, tiny budgets and
// concurrent overwrites keeps every invariant on the way and ends equal.
func TestRandomRuns(t *testing.T) {
	t.Parallel()
	sometimes := map[string]uint64{}
	for seed := range int64(*seeds) {
		w := newWorld(t, seed, 0, engine.Config{})
		cfg := engine.Config{
			Budget:      []int{1, 200, 1000, 0}[w.rng.Intn(4)],
			MaxDatagram: []int{512, 1400}[w.rng.Intn(2)],
			MaxUpdate:   2000,
			MaxStream:   []int{2512, 8000}[w.rng.Intn(2)],
		}
		w.cfg = cfg
		w.spaces = []string{"a", "b"}[:1+w.rng.Intn(2)]
		for i := range 2 + w.rng.Intn(6) {
			w.add(fmt.Sprintf("n%d", i))
		}
		w.announce()
		w.faults = faults{loss: 0.3 * w.rng.Float64(), duplicate: 0.3, delay: time.Duration(w.rng.Intn(200)) * time.Millisecond, keep: true}
		dirty := uint64(0)
		for range 60 {
			n := w.nodes[w.rng.Intn(len(w.nodes))]
			key := fmt.Sprint("k", w.rng.Intn(6))
			value := strings.Repeat("v", w.rng.Intn(300)) // sometimes empty: a delete
			w.mustWrite(n, w.spaces[w.rng.Intn(len(w.spaces))], key, value)
			w.run(time.Duration(w.rng.Intn(300)) * time.Millisecond)
			for _, n := range w.nodes {
				if !n.e.Clean() {
					dirty++
				}
			}
		}
		w.converge(5 * time.Minute)
		w.replay()
		for _, n := range w.nodes {
			s := n.e.Stats()
			sometimes["open hole applied"] += s.OpenHoles
			sometimes["batch refused"] += s.BatchesRefused
			sometimes["pull sent"] += s.Pulls
			sometimes["equal exchange"] += s.Exchanges.Equal
			sometimes["partial exchange"] += s.Exchanges.Partial
			sometimes["time-out"] += s.Exchanges.Timeout
			sometimes["redundant update"] += s.UpdatesRedundant
			if s.Mismatches+s.Forks+s.Epochs > 0 {
				t.Fatalf("seed %d: %s counted %+v without any damage", seed, n.name, s)
			}
		}
		sometimes["dirty node"] += dirty
	}
	t.Log(sometimes)
	for what, n := range sometimes {
		if n == 0 && (*seeds >= 100 || what != "batch refused") { // that is rare
			t.Errorf("never happened: %s", what)
		}
	}
}

// replay delivers all messages of the past once more, in random order, and
// checks that no replicated state changed (I13).
func (w *world) replay() {
	w.t.Helper()
	type state struct{ vector, hashes string }
	look := func(n *node) state { // tombstones may be collected meanwhile
		hashes := ""
		for _, s := range n.e.Spaces() {
			hashes += fmt.Sprint(s.Space, s.Attached, s.Updates-s.Tombstones, s.Hash)
		}
		return state{n.e.Vector().String(), hashes}
	}
	before := map[string]state{}
	for _, n := range w.nodes {
		before[n.name] = look(n)
	}
	w.rng.Shuffle(len(w.past), func(i, j int) { w.past[i], w.past[j] = w.past[j], w.past[i] })
	w.faults.keep = false
	for _, d := range w.past {
		w.deliver(d)
	}
	for range len(w.queue) {
		w.step()
	}
	for _, n := range w.nodes {
		if got := look(n); got != before[n.name] {
			w.t.Fatalf("%s: replayed messages changed %v to %v (I13)", n.name, before[n.name], got)
		}
	}
}

// 20 nodes, 50 updates each, 30 % loss: all equal within the bound of I10 once
// they are quiet, counted from the end of the writes with a bound widened for loss.
func TestTwentyNodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 20, engine.Config{MinInterval: time.Second, MaxInterval: time.Second})
	for i := range 10 {
		for j, n := range w.nodes {
			var drafts []model.Draft
			for k := 5 * i; k < 5*i+5; k++ {
				drafts = append(drafts, draft(fmt.Sprintf("k%d", (k*7+j)%200), fmt.Sprintf("v%d-%d", k, j)))
			}
			w.mustIssue(n, "s", drafts...)
		}
		w.run(250 * time.Millisecond)
	}
	took := w.converge(time.Minute)
	rounds := took.Seconds()
	if bound := 4*math.Log(20) + 10; rounds > bound {
		t.Errorf("equal after %.1f rounds, at most %.1f (I10)", rounds, bound)
	}
	t.Logf("equal %.1f rounds after the last write", rounds)
}

// One seed gives one trace, byte for byte.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	run := func() string {
		w := newWorld(t, 7, 5, engine.Config{Budget: 300})
		w.faults = faults{loss: 0.1, duplicate: 0.1, delay: 50 * time.Millisecond}
		w.trace = &strings.Builder{}
		for i := range 30 {
			w.mustWrite(w.nodes[w.rng.Intn(5)], "s", fmt.Sprint("k", i%7), fmt.Sprint(i))
			w.run(100 * time.Millisecond)
		}
		w.converge(time.Minute)
		return w.trace.String()
	}
	a, b := run(), run()
	if a != b {
		t.Fatal("two runs of one seed differ")
	}
	if len(a) == 0 {
		t.Fatal("nothing was sent")
	}
}

// News spreads in milliseconds: with a millisecond of delay, the write of one
// node is everywhere long before the next regular round.
func TestNewsTravelsFast(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 8, engine.Config{})
	w.faults.delay = time.Millisecond
	w.run(20 * time.Second) // idle: rounds are rare now
	for _, n := range w.nodes {
		if gap := n.e.Next().Sub(w.now); gap > 4*time.Second {
			t.Fatalf("%s: next round in %v", n.name, gap)
		}
	}
	w.mustWrite(w.nodes[0], "s", "k", "v")
	if took := w.converge(10 * time.Second); took > 500*time.Millisecond {
		t.Errorf("one write took %v", took)
	} else {
		t.Logf("one write took %v", took)
	}
}

// A newcomer that is far behind gets all of it in its first exchange, message
// after message, while the budget lasts; a smaller budget takes more exchanges.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		budget    int
		exchanges uint64
	}{{10 << 20, 1}, {150 << 10, 3}} {
		w := newWorld(t, 1, 1, engine.Config{Budget: tt.budget})
		const keys = 2000
		w.lax = true // O(updates) after each event is too slow
		w.mustIssue(w.nodes[0], "s", drafts(keys, func(i int) model.Draft {
			return draft(fmt.Sprintf("key-%016d", i), strings.Repeat("v", 150))
		})...)
		n := w.add("newcomer")
		n.e.SetPeer(w.now, "n00", engine.PeerAlive) // the other one does not start any
		w.run(n.e.Next().Sub(w.now))
		for n.e.Vector().Version(w.nodes[0].e.Self()) < keys {
			w.step()
		}
		if got := n.e.Stats().Exchanges.Started; got != tt.exchanges {
			t.Errorf("budget %d: %d exchanges, want %d", tt.budget, got, tt.exchanges)
		}
		if err := n.e.Check(); err != nil {
			t.Error(err)
		}
	}
}
