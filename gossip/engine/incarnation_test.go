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

// known returns a component of a digest.
func known(r clock.Replica, v clock.Version) engine.DigestEntry {
	return engine.DigestEntry{Entry: clock.Entry{Replica: r, Version: v}}
}

// syn returns a SYN of peer, whose digest has these entries, in replica order.
func syn(exchange uint64, entries ...engine.DigestEntry) *engine.Message {
	m := message(engine.Syn, exchange)
	m.Digest = engine.Digest{Full: true, Base: exchange, Entries: entries}
	return m
}

// fin returns the FIN of the exchange that syn began.
func fin(exchange uint64, batches ...engine.Batch) *engine.Message {
	m := message(engine.Fin, exchange, batches...)
	m.Digest.Base = exchange
	return m
}

// updateOf returns an update of any replica.
func updateOf(r clock.Replica, v clock.Version, key string) *model.Update {
	u := update(v, key)
	u.Replica = r
	return u
}

// batch returns a batch that starts at 0 and ends with its last update.
func batch(r clock.Replica, updates ...*model.Update) engine.Batch {
	return engine.Batch{Replica: r, Through: updates[len(updates)-1].Version, Updates: updates}
}

// give hands a message to a node as meant for its present life, and checks the node.
func give(t *testing.T, w *world, n *node, m *engine.Message) engine.Output {
	t.Helper()
	m.To, m.MaxUpdate = n.e.Self().Epoch, uint32(n.cfg.MaxUpdate)
	if m.MaxUpdate == 0 {
		m.MaxUpdate = 1 << 20
	}
	out, err := n.e.Step(w.now, m)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.e.Check(); err != nil {
		t.Fatal(err)
	}
	return out
}

// soiled makes a node dirty for good: a node that died since told it of an update
// that nobody has. It leaves the node with version 2 of r, and a hole before it.
func soiled(t *testing.T, w *world, n *node, r clock.Replica, second *model.Update) {
	t.Helper()
	dead := clock.Replica{Node: "dead", Epoch: 1}
	entries := []engine.DigestEntry{known(dead, 1), known(r, 2)}
	if r.Compare(dead) < 0 {
		entries[0], entries[1] = entries[1], entries[0]
	}
	for _, m := range []*engine.Message{syn(1, entries...), fin(1, batch(r, second))} {
		m.From = dead
		give(t, w, n, m)
	}
	if n.e.Clean() || n.e.Vector().Version(r) != 2 {
		t.Fatalf("clean %t at %v, want dirty with version 2 of %v", n.e.Clean(), n.e.Vector(), r)
	}
}

// Where there is no room for another replica, a node keeps the identity that it
// has, and all that it wrote under it (R1).
func TestNewEpochNeedsRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{MaxReplicas: 1})
	n := w.nodes[0]
	self := n.e.Self()
	w.mustWrite(n, "s", "k", "v")
	later := clock.Replica{Node: self.Node, Epoch: self.Epoch + 5}
	give(t, w, n, syn(1, known(later, 1)))
	give(t, w, n, syn(2, known(self, 9))) // and somebody else writes under it
	if n.e.Self() != self || n.e.Stats().Epochs != 0 || len(n.e.Retained(self)) != 1 {
		t.Errorf("writes as %v, was %v; retains %v", n.e.Self(), self, n.e.Retained(self))
	}
	w.mustWrite(n, "s", "k", "again")
}

// However many later lives a digest shows, one new epoch follows, later than all
// of them, and no other before Timeout is over (R1).
func TestOneNewEpochPerTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	self := n.e.Self()
	for range 100 {
		w.mustWrite(n, "s", "k", "v")
	}
	w.mustWrite(n, "s", "j", "v")
	var lives []engine.DigestEntry
	last := self
	for range 300 {
		last.Epoch += 5
		lives = append(lives, known(last, 1))
	}
	give(t, w, n, syn(1, lives...))
	first := n.e.Self()
	if first.Epoch <= last.Epoch || n.e.Stats().Epochs != 1 {
		t.Fatalf("writes as %v after %d new epochs; seen up to %v", first, n.e.Stats().Epochs, last)
	}
	if got := len(n.e.Retained(first)); got != 2 {
		t.Errorf("%d updates issued again, want the 2 that count", got)
	}
	last.Epoch = first.Epoch + 1
	give(t, w, n, syn(2, known(last, 1)))
	if n.e.Self() != first {
		t.Errorf("a second new epoch at once: %v", n.e.Self())
	}
	w.now = w.now.Add(5 * time.Second)
	give(t, w, n, syn(3, known(last, 1)))
	if n.e.Self().Epoch <= last.Epoch {
		t.Errorf("still %v after the time-out; seen %v", n.e.Self(), last)
	}
}

// A node whose identity was stolen no longer knows what it told others: it is
// dirty until the thief's updates have come, also when its horizon named that
// replica before (R1, R4).
func TestStolenIdentityIsDirtyUntilKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	w.mustWrite(n, "s", "k", "mine")
	old := n.e.Self()
	give(t, w, n, syn(7, known(old, 1), known(writer, 2)))
	give(t, w, n, fin(7, batch(writer, update(2, "j"))))
	if !n.e.Clean() || n.e.Horizon().Version(old) != 1 {
		t.Fatalf("clean %t, horizon %v", n.e.Clean(), n.e.Horizon())
	}
	give(t, w, n, syn(8, known(old, 2), known(writer, 2)))
	if n.e.Clean() || n.e.Self() == old {
		t.Fatalf("clean %t as %v after its identity was used by another", n.e.Clean(), n.e.Self())
	}
	give(t, w, n, message(engine.Push, 9, batch(old, updateOf(old, 1, "q"), updateOf(old, 2, "r"))))
	if !n.e.Clean() || n.e.Vector().Version(old) != 2 {
		t.Errorf("clean %t at %v, want clean with the thief's two", n.e.Clean(), n.e.Vector())
	}
	if u := n.models["s"].byKey["k"]; u == nil || u.Replica != n.e.Self() {
		t.Errorf("k is %v, want it issued again by %v", u, n.e.Self())
	}
}

// What was superseded under a stolen identity is not explained by the thief's
// update of the same dot: such a hole is open (R3).
func TestStolenIdentityClosesNoHole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	old := n.e.Self()
	give(t, w, n, message(engine.Push, 1, batch(writer, update(1, "k"))))
	w.mustWrite(n, "s", "k", "mine") // supersedes writer:1
	more := message(engine.Push, 1, batch(writer, update(2, "j")))
	more.Batches[0].From = 1
	give(t, w, n, more)
	give(t, w, n, syn(5, known(old, 2)))
	give(t, w, n, message(engine.Push, 1, batch(old, updateOf(old, 1, "q"), updateOf(old, 2, "r"))))
	if got := n.e.Vector().Version(old); got != 2 {
		t.Fatalf("knows %d of its old identity, want 2", got)
	}
	ask := syn(6, known(old, 2))
	ask.Credit = 1
	out := give(t, w, n, ask)
	for _, b := range out.Send[0].Message.Batches {
		if b.Replica == writer && b.Closed {
			t.Errorf("%+v: the peer covers %v, but that is not what superseded version 1", b, old)
		}
	}
}

// A writer that sees its own dot with another content writes under a new epoch
// from then on, and issues its own write again, not the thief's, whichever content
// wins (R1).
func TestWriterSeesItsFork(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"a", "b", "c", "d"} {
		w := newWorld(t, 1, 1, engine.Config{})
		n := w.nodes[0]
		w.mustWrite(n, "s", "k", "one")
		old := n.e.Self()
		give(t, w, n, message(engine.Push, 1, batch(old, updateOf(old, 1, key))))
		if n.e.Self() == old || n.e.Stats().Forks != 1 {
			t.Fatalf("writes as %v, was %v; %d forks", n.e.Self(), old, n.e.Stats().Forks)
		}
		if u := n.models["s"].byKey["k"]; u == nil || string(u.Value) != "one" || u.Replica != n.e.Self() {
			t.Errorf("thief wrote %q: k is %v, want it issued again by %v", key, u, n.e.Self())
		}
		if u := n.models["s"].byKey[key]; u != nil && u.Replica == n.e.Self() {
			t.Errorf("thief wrote %q: issued as own, with a time of now: %v", key, u.Dot)
		}
		w.mustWrite(n, "s", "k", "two")
		if got := n.e.Vector().Version(old); got > 1 {
			t.Errorf("its old identity went on to %d", got)
		}
	}
}

// A fork stops nobody: what the replica writes later arrives, also where the
// vectors differed when the fork was found, and all end with the same (R1, R12).
func TestForkStopsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 3, engine.Config{})
	a := w.nodes[0]
	w.mustWrite(a, "s", "k", "one")
	w.converge(time.Minute)
	w.lax = true // one dot has two contents
	w.nodes[2].e.Replace(clock.Dot{Replica: a.e.Self(), Version: 1}, "another")
	for i := range 10 {
		w.mustWrite(w.nodes[i%3], "s", "later", "write")
		w.run(3 * time.Second)
	}
	w.healed()
	forks := uint64(0)
	for _, n := range w.nodes {
		forks += n.e.Stats().Forks
		if n.models["s"].byKey["later"] == nil {
			t.Errorf("%s has not got what was written later", n.name)
		}
	}
	if forks == 0 {
		t.Error("no fork was counted")
	}
}

// Two processes of one name both take new epochs for ever; the others have to
// keep one replica per Timeout at most (R1).
func TestTwoLiveNodesOfOneName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 3, engine.Config{})
	w.lax = true
	twin := w.start("n00", w.nodes[0].e.Self().Epoch+5, engine.Config{})
	w.nodes = append(w.nodes, twin)
	w.mustWrite(w.nodes[0], "s", "a", "1")
	w.mustWrite(twin, "s", "b", "1")
	w.announce()
	const seconds = 30
	for range seconds {
		w.run(time.Second)
		w.nodes[0], w.nodes[3] = w.nodes[3], w.nodes[0] // both hear what is sent to the name
	}
	for _, n := range []*node{w.nodes[0], w.nodes[3]} {
		if got := n.e.Stats().Epochs; got == 0 || got > seconds/5+1 {
			t.Errorf("%d new epochs in %d seconds, at most one in 5", got, seconds)
		}
	}
	if got := w.nodes[1].e.Vector().Len(); got > 2*(seconds/5+2) {
		t.Errorf("%d replicas of one name", got)
	}
}

// A hole that what the receiver knew has closed is open to a later life of the
// receiver, which knows nothing: the message names the life it is for (R4).
func TestMessageForAnEarlierLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 0, engine.Config{})
	a, b, x := w.add("a"), w.add("b"), w.add("x")
	w.announce()
	only := func(nodes string) {
		w.cut = func(from, to string) bool {
			return from != nodes[:1] && from != nodes[1:] || to != nodes[:1] && to != nodes[1:]
		}
	}
	equal := func() {
		for a.e.Vector().Compare(b.e.Vector()) != clock.Equal {
			w.step()
		}
	}
	only("ab")
	w.mustWrite(a, "s", "k", "first")
	equal()
	w.mustWrite(b, "s", "k", "second") // supersedes a:1
	w.mustWrite(a, "s", "j", "other")
	equal()
	give(t, w, x, message(engine.Push, 1, batch(b.e.Self(), b.e.Retained(b.e.Self())...)))
	var late []delivery
	w.spy = func(m *engine.Message, d *delivery) bool {
		for _, batch := range m.Batches {
			if d.to == "x" && batch.Closed {
				late = append(late, *d)
				return false
			}
		}
		return true
	}
	for only("bx"); len(late) == 0; {
		w.step()
	}
	w.spy, w.queue = nil, nil
	w.now = w.now.Add(time.Second)
	x = w.restart(x, uint64(w.now.UnixMilli()))
	w.deliver(late[0])
	if x.e.Vector().Len() != 0 {
		t.Errorf("a new life took %v from a message to an earlier one", x.e.Vector())
	}
}

// It does so, too, where the life that sent it is over as well (R4).
func TestLateMessageForAnEarlierLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n, r := w.nodes[0], clock.Replica{Node: "r", Epoch: 1}
	later := syn(1)
	later.From.Epoch = 2
	give(t, w, n, later)
	for _, tt := range []struct {
		to   uint64
		want clock.Version
	}{{n.e.Self().Epoch - 1, 0}, {n.e.Self().Epoch, 1}} {
		m := message(engine.Push, 1, engine.Batch{Replica: r, Through: 1, Closed: true})
		m.To = tt.to
		if _, err := n.e.Step(w.now, m); err != nil {
			t.Fatal(err)
		}
		if got := n.e.Vector().Version(r); got != tt.want {
			t.Errorf("a message of an earlier life to epoch %d: version %d is known, want %d", tt.to, got, tt.want)
		}
	}
}

// A batch of one's own identity that goes beyond what one wrote shows the thief as
// a digest does: a new epoch follows, and one's own writes under it (R1).
func TestStolenIdentityInABatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	w.mustWrite(n, "s", "k", "mine")
	old := n.e.Self()
	give(t, w, n, message(engine.Push, 1, batch(old, updateOf(old, 1, "q"), updateOf(old, 2, "r"))))
	if n.e.Self() == old || n.e.Stats().Epochs != 1 {
		t.Fatalf("writes as %v, was %v; %d new epochs", n.e.Self(), old, n.e.Stats().Epochs)
	}
	if u := n.models["s"].byKey["k"]; u == nil || u.Replica != n.e.Self() || string(u.Value) != "mine" {
		t.Errorf("k is %v, want it issued again by %v", u, n.e.Self())
	}
	if u := n.models["s"].byKey["r"]; u != nil {
		t.Errorf("the thief's %v was applied on the way", u.Dot)
	}
}

// Of two contents of one dot the same one stays, whichever came first, and the
// loser changes nothing (R1).
func TestForkEndsTheSameWay(t *testing.T) {
	t.Parallel()
	var stays []string
	for _, keys := range [][]string{{"a", "b"}, {"b", "a"}} {
		w := newWorld(t, 1, 1, engine.Config{})
		n := w.nodes[0]
		give(t, w, n, message(engine.Push, 1, batch(writer, update(1, keys[0]))))
		out := give(t, w, n, message(engine.Push, 1, batch(writer, update(1, keys[1]))))
		if got := n.e.Stats().Forks; got != 1 {
			t.Errorf("%v: %d forks", keys, got)
		}
		key := string(n.e.Retained(writer)[0].Key)
		if len(n.e.Retained(writer)) != 1 || n.models["s"].byKey[key] == nil || len(n.models["s"].byKey) != 1 {
			t.Errorf("%v: retains %v, shows %v", keys, n.e.Retained(writer), n.models["s"].byKey)
		}
		if changed := len(out.Changed) > 0; changed != (key == keys[1]) {
			t.Errorf("%v: %s stays, and the second one changed %v", keys, key, out.Changed)
		}
		stays = append(stays, key)
	}
	if stays[0] != stays[1] {
		t.Errorf("%v stay", stays)
	}
}

// replicas returns as many replicas, in order.
func replicas(n int) []clock.Replica {
	all := make([]clock.Replica, n)
	for i := range all {
		all[i] = clock.Replica{Node: fmt.Sprintf("replica-number-%04d", i), Epoch: 1_700_000_000_000}
	}
	return all
}

// Two nodes whose wall clocks stepped back are both taken for earlier lives by each other.
// Each learns from the other's answer that it needs a new epoch (R1).
func TestTwoEarlierLives(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2, engine.Config{})
	for _, n := range w.nodes {
		w.mustWrite(n, "s", n.name, "first")
	}
	w.converge(10 * time.Second)
	lives := []clock.Replica{w.nodes[0].e.Self(), w.nodes[1].e.Self()}
	for _, n := range slices.Clone(w.nodes) {
		w.restart(n, n.e.Self().Epoch-1000)
	}
	w.announce()
	for i, n := range w.nodes { // it was late
		m := syn(1000)
		m.From, m.HLC = lives[1-i], clock.TimestampOf(w.now)
		give(t, w, n, m)
	}
	for _, n := range w.nodes {
		w.mustWrite(n, "s", n.name, "second")
	}
	w.converge(20 * time.Second)
}
