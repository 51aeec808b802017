package engine_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// One test for each claim of the paper about reconciliation.

// ask gives n a SYN with this digest and returns its ACK.
func ask(t *testing.T, w *world, n *node, exchange uint64, digest ...engine.DigestEntry) *engine.Message {
	t.Helper()
	out := give(t, w, n, syn(exchange, digest...))
	if len(out.Send) != 1 {
		t.Fatalf("sends %v", out.Send)
	}
	return out.Send[0].Message
}

func knows(n *node, version clock.Version) engine.DigestEntry {
	return engine.DigestEntry{Entry: clock.Entry{Replica: n.e.Self(), Version: version}}
}

// Paper §3: each participant updates its own map only, and a local update takes
// a version greater than any in it.
func TestPaperVersionsGrow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 3, engine.Config{})
	for i := range 30 {
		n := w.nodes[w.rng.Intn(3)]
		before := n.e.Vector()
		w.mustWrite(n, "s", fmt.Sprint("k", i%4), fmt.Sprint(i))
		after := n.e.Vector()
		if got, want := after.Version(n.e.Self()), before.Version(n.e.Self())+1; got != want {
			t.Fatalf("version %d, want %d", got, want)
		}
		after.Set(n.e.Self(), before.Version(n.e.Self()))
		if after.Compare(before) != clock.Equal {
			t.Fatalf("a write of %s changed %v to %v", n.name, before, n.e.Vector())
		}
		w.run(100 * time.Millisecond)
	}
}

// Paper §3: the digest is, for each participant, the maximum version of its
// mappings: {(r, max µ(r))}.
func TestPaperDigestIsMaxima(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 3, engine.Config{})
	for i := range 20 {
		w.mustWrite(w.nodes[i%3], "s", fmt.Sprint("k", i), "v")
	}
	w.converge(time.Minute)
	n := w.nodes[0]
	for _, d := range ask(t, w, n, 1).Digest.Entries {
		highest := clock.Version(0)
		for _, u := range n.e.Retained(d.Replica) {
			highest = max(highest, u.Version)
		}
		if d.Version != highest {
			t.Errorf("digest says %v, the highest version of its mappings is %d", d, highest)
		}
	}
}

// Paper §3: the delta is every mapping with a version greater than the digest's
// maximum for its participant, and nothing else.
func TestPaperDeltaIsWhatIsNewer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 3, engine.Config{})
	for i := range 60 {
		w.mustWrite(w.nodes[i%3], "s", fmt.Sprint("k", i%25), fmt.Sprint(i))
		w.run(20 * time.Millisecond)
	}
	w.converge(time.Minute)
	n := w.nodes[0]
	for exchange := range uint64(20) {
		var digest []engine.DigestEntry
		var want []clock.Dot
		for _, o := range w.nodes {
			from := clock.Version(w.rng.Intn(21))
			digest = append(digest, knows(o, from))
			for _, u := range n.e.Retained(o.e.Self()) {
				if u.Version > from {
					want = append(want, u.Dot)
				}
			}
		}
		var got []clock.Dot
		for _, b := range ask(t, w, n, exchange+1, digest...).Batches {
			for _, u := range b.Updates {
				got = append(got, u.Dot)
			}
		}
		slices.SortFunc(got, clock.Dot.Compare)
		slices.SortFunc(want, clock.Dot.Compare)
		if !slices.Equal(got, want) {
			t.Fatalf("digest %v: delta %v, want %v", digest, got, want)
		}
	}
}

// Paper §3: if a delta of a participant is left out, all its deltas with higher
// versions are left out, too, in every order and for every budget.
func TestPaperTruncationIsPerParticipantPrefix(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 4, engine.Config{})
	for i := range 80 {
		w.mustWrite(w.nodes[i%4], "s", fmt.Sprint("k", i), "value")
	}
	w.converge(time.Minute)
	n := w.nodes[0]
	exchange := uint64(0)
	for _, order := range orders {
		n.e.SetOrder(order)
		for budget := 10; budget < 3000; budget += 50 {
			exchange++
			syn := syn(exchange)
			syn.Credit = uint32(budget)
			for _, b := range give(t, w, n, syn).Send[0].Message.Batches {
				all := n.e.Retained(b.Replica)
				if !slices.Equal(b.Updates, all[:len(b.Updates)]) || len(b.Updates) < len(all) && b.Through >= all[len(b.Updates)].Version {
					t.Fatalf("%v, budget %d: %v carries %d of %d updates up to %d", order, budget, b.Replica, len(b.Updates), len(all), b.Through)
				}
			}
		}
	}
}

// Paper §3: reconciliation is a merge: after one push-pull exchange without a
// limit both have, for each key, the mapping with the larger version or time.
func TestPaperExchangeReconciles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2, engine.Config{})
	w.cut = func(string, string) bool { return true }
	for i := range 40 {
		w.mustWrite(w.nodes[i%2], "s", fmt.Sprint("k", w.rng.Intn(10)), fmt.Sprint(i))
		w.now = w.now.Add(time.Millisecond)
	}
	w.cut = nil
	a, b := w.nodes[0], w.nodes[1]
	before := a.e.Stats().Exchanges.Started + b.e.Stats().Exchanges.Started
	w.converge(time.Minute)
	if n := a.e.Stats().Exchanges.Started + b.e.Stats().Exchanges.Started - before; n > 2 {
		t.Errorf("%d exchanges", n)
	}
	w.checkOracle(a, a.e.Vector())
	w.checkOracle(b, b.e.Vector())
}

// Paper §3: what is exchanged does not depend on how many keys there are, but on
// how many are new: nothing new, nothing but the digest; equal vectors, not even
// that.
func TestPaperCostFollowsWhatIsNew(t *testing.T) {
	t.Parallel()
	size := func(keys int) (equal, one int) {
		w := newWorld(t, 1, 1, engine.Config{})
		w.lax = true
		n := w.nodes[0]
		w.mustIssue(n, "s", drafts(keys, func(i int) model.Draft { return draft(fmt.Sprint("k", i), "value") })...)
		head := n.e.Vector().Version(n.e.Self())
		return w.codec.Size(ask(t, w, n, 1, knows(n, head))), w.codec.Size(ask(t, w, n, 2, knows(n, head-1)))
	}
	equal, one := size(10)
	manyEqual, manyOne := size(10_000)
	if manyEqual > equal+4 || manyOne > one+16 { // numbers are a little longer
		t.Errorf("10 keys: %d and %d bytes; 10,000 keys: %d and %d", equal, one, manyEqual, manyOne)
	}
	t.Logf("an ACK takes %d bytes when nothing is new, %d with one update", manyEqual, manyOne)
}
