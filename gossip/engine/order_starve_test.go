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

// overload runs nodes that gossip once a second, of which the first writes 100
// updates a second and the others one each, with a budget of a tenth of what is
// written in a second. Each overwrites this many keys at random; 0 means that all
// keys are new. It returns the worst staleness, after ten seconds, of the others' updates
// and of the first one's.
func overload(t *testing.T, seed int64, order engine.Order, nodes, keys int) (others, first time.Duration) {
	const heavy, size = 100, 115
	value := strings.Repeat("v", 100)
	w := newWorld(t, seed, nodes, engine.Config{
		Order: order, Budget: (heavy + nodes - 1) * size / 10,
		Interval: time.Second, MinInterval: time.Second, MaxInterval: time.Second,
	})
	w.lax = true // O(updates) after each event is too slow
	start := w.now
	written := make([][]time.Time, nodes)
	writeUpTo := func(i, due int) {
		var drafts []model.Draft
		for len(written[i]) < due {
			k := len(written[i])
			if keys > 0 {
				k = w.rng.Intn(keys)
			}
			drafts = append(drafts, draft(fmt.Sprintf("%d-%d", i, k), value))
			written[i] = append(written[i], w.now)
		}
		if len(drafts) > 0 {
			w.mustIssue(w.nodes[i], "s", drafts...)
		}
	}
	sample := start.Add(10 * time.Second)
	for w.now.Sub(start) < 20*time.Second {
		w.step()
		writeUpTo(0, int(w.now.Sub(start)*heavy/time.Second))
		for i := 1; i < nodes; i++ {
			phase := time.Duration(i) * time.Second / time.Duration(nodes)
			writeUpTo(i, int((w.now.Sub(start)+phase)/time.Second))
		}
		if w.now.Before(sample) {
			continue
		}
		sample = w.now.Add(100 * time.Millisecond)
		for _, n := range w.nodes {
			v := n.e.Vector()
			for i, o := range w.nodes {
				known := v.Version(o.e.Self())
				if known == clock.Version(len(written[i])) {
					continue
				}
				if staleness := w.now.Sub(written[i][known]); i == 0 {
					first = max(first, staleness)
				} else {
					others = max(others, staleness)
				}
			}
		}
	}
	return others, first
}

// One replica that writes far more than can be carried does not make the others
// wait for ever: with Hybrid they are less than 10 rounds behind, and always less
// than with Depth. Every 10 seeds asked for are one here; with the first of them 16
// nodes are tried, too.
func TestNoStarvation(t *testing.T) {
	t.Parallel()
	clusters := []struct{ nodes, keys int }{{8, 64}, {8, 0}}
	if *seeds >= 10 {
		clusters = append(clusters, struct{ nodes, keys int }{16, 0})
	}
	for _, tt := range clusters {
		worst := map[engine.Order]time.Duration{}
		for _, order := range []engine.Order{engine.Hybrid, engine.Depth} {
			var first time.Duration
			for seed := range int64(max(1, *seeds/10)) {
				o, f := overload(t, seed, order, tt.nodes, tt.keys)
				worst[order], first = max(worst[order], o), max(first, f)
			}
			t.Logf("%2d nodes, %2d keys, %-6v: others at most %4.1f rounds behind, the first one %4.1f",
				tt.nodes, tt.keys, order, worst[order].Seconds(), first.Seconds())
		}
		if o := worst[engine.Hybrid]; o >= 10*time.Second || o >= worst[engine.Depth] {
			t.Errorf("%d nodes, %d keys: others are %v behind with Hybrid, %v with Depth; want less, and less than 10 rounds",
				tt.nodes, tt.keys, o, worst[engine.Depth])
		}
	}
}

// skewed lets 10 replicas write 2 new keys a second each, which arrive at an
// engine a second later; a peer asks it every second and has budget for this part
// of that. The first replica's clock is wrong by skew. It returns the mean
// staleness at the peer, over 40 seconds, of that replica and of the others.
func skewed(t *testing.T, skew time.Duration, part float64) (wrong, others time.Duration) {
	const replicas, rate, seconds = 10, 2, 40
	const size = 85 // bytes of an update, with its share of headers
	cfg := engine.Config{Budget: int(part * replicas * rate * size), MaxDrift: 24 * time.Hour}
	w := newWorld(t, 1, 1, cfg)
	e := w.nodes[0].e
	start := w.now
	var known [replicas]clock.Version
	id := func(r int) clock.Replica { return clock.Replica{Node: fmt.Sprint("r", r), Epoch: 1} }
	var staleness [replicas]time.Duration
	for s := range seconds {
		w.now = start.Add(time.Duration(s+1) * time.Second)
		for r := range replicas {
			b := engine.Batch{Replica: id(r), From: clock.Version(s * rate), Through: clock.Version((s + 1) * rate)}
			for i := range rate {
				at := start.Add(time.Duration(s)*time.Second + time.Duration(i)*time.Second/rate)
				if r == 0 {
					at = at.Add(skew)
				}
				b.Updates = append(b.Updates, &model.Update{
					Dot: clock.Dot{Replica: id(r), Version: b.From + clock.Version(i) + 1}, Time: clock.TimestampOf(at),
					Space: "s", Key: fmt.Appendf(nil, "%d-%d-%d", r, s, i), Value: make([]byte, 64),
				})
			}
			if _, err := e.Step(w.now, message(engine.Push, 1, b)); err != nil {
				t.Fatal(err)
			}
		}
		syn := message(engine.Syn, uint64(s+2))
		syn.Digest.Full = true
		for r, v := range known {
			if v > 0 {
				syn.Digest.Entries = append(syn.Digest.Entries, engine.DigestEntry{Entry: clock.Entry{Replica: id(r), Version: v}})
			}
		}
		out, err := e.Step(w.now, syn)
		if err != nil {
			t.Fatal(err)
		}
		for r := range replicas {
			for _, b := range out.Send[0].Message.Batches {
				if b.Replica == id(r) {
					known[r] = b.Through
				}
			}
			staleness[r] += w.now.Sub(start) - time.Duration(known[r])*time.Second/rate
		}
	}
	for r := 1; r < replicas; r++ {
		others += staleness[r] / (replicas - 1) / seconds
	}
	return staleness[0] / seconds, others
}

// Who has a clock that is wrong by an hour takes little from the others.
func TestWrongClockTakesLittle(t *testing.T) {
	t.Parallel()
	for _, part := range []float64{0.9, 0.5} {
		_, right := skewed(t, 0, part)
		for _, skew := range []time.Duration{-time.Hour, time.Hour} {
			own, others := skewed(t, skew, part)
			t.Logf("%2.0f %% of the load, wrong by %5v: %4.1f s stale; the others %4.1f s, without it %4.1f s",
				100*part, skew, own.Seconds(), others.Seconds(), right.Seconds())
			if others > right*5/4 {
				t.Errorf("wrong by %v: the others are %v stale, without it %v", skew, others, right)
			}
		}
	}
}
