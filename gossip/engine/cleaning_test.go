package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// overloaded returns a world in which the budget of the first thin nodes is so
// small that every delta for them is cut off, while the others keep up.
func overloaded(t testing.TB, seed int64, n, thin int, cfg engine.Config) *world {
	w := newWorld(t, seed, 0, cfg)
	for i := range n {
		w.cfg.Budget = cfg.Budget
		if i < thin {
			w.cfg.Budget = 1
		}
		w.add(fmt.Sprintf("n%02d", i))
	}
	w.announce()
	w.faults.delay = 10 * time.Millisecond
	w.lag = func(from, to string, _ bool) time.Duration {
		if from < w.nodes[thin].name || to < w.nodes[thin].name {
			return 200 * time.Millisecond
		}
		return 0
	}
	return w
}

// slow makes rounds so rare that a node behind a slow link stays dirty, and tiny
// makes messages as small as can be.
var (
	slow = engine.Config{MinInterval: 250 * time.Millisecond, Interval: 500 * time.Millisecond}
	tiny = engine.Config{MaxUpdate: 300, MaxStream: 812, MaxDatagram: 512}
)

// load makes nodes overwrite each other's keys for a while, a write every so
// often. It returns how often the watched nodes became clean, and the longest time
// that each was dirty.
func (w *world) load(d, every time.Duration, writers, watched []*node) (times []int, longest []time.Duration) {
	times, longest = make([]int, len(watched)), make([]time.Duration, len(watched))
	since := make([]time.Time, len(watched))
	look := func() {
		for i, n := range watched {
			switch clean := n.e.Clean(); {
			case !clean && since[i].IsZero():
				since[i] = w.now
			case !clean:
				longest[i] = max(longest[i], w.now.Sub(since[i]))
			case !since[i].IsZero():
				times[i]++
				since[i] = time.Time{}
			}
		}
	}
	for end := w.now.Add(d); w.now.Before(end); {
		n := writers[w.rng.Intn(len(writers))]
		w.mustWrite(n, "s", fmt.Sprint("k", w.rng.Intn(20)), strings.Repeat("v", 1+w.rng.Intn(60)))
		for next := w.now.Add(every); w.now.Before(next); look() {
			w.step()
		}
	}
	return times, longest
}

// countSnapshots counts the cleaning exchanges that are served from now on.
func (w *world) countSnapshots() *int {
	served := new(int)
	w.spy = func(m *engine.Message, _ *delivery) bool {
		if m.Kind == engine.Ack && m.Cleaning && m.Digest.Part+1 >= m.Digest.Parts { // the last part
			*served++
		}
		return true
	}
	return served
}

// A node that gets every delta cut off, from peers that never stop writing,
// becomes clean again and again, each time within ten seconds: after three it asks
// for a snapshot (R5).
func TestCleaningUnderLoad(t *testing.T) {
	t.Parallel()
	for _, every := range []time.Duration{25 * time.Millisecond, 100 * time.Millisecond} {
		w := overloaded(t, 1, 5, 1, slow)
		served := w.countSnapshots()
		times, longest := w.load(25*time.Second, every, w.nodes[1:], w.nodes[:1])
		if times[0] < 3 || longest[0] > 10*time.Second || *served < 3 {
			t.Errorf("a write every %v: clean again %d times, dirty for at most %v, %d snapshots", every, times[0], longest[0], *served)
		}
	}
}

// Two of five are dirty all the time; both get their turn (R5).
func TestTwoDirtyNodes(t *testing.T) {
	t.Parallel()
	w := overloaded(t, 2, 5, 2, slow)
	served := w.countSnapshots()
	times, longest := w.load(25*time.Second, 50*time.Millisecond, w.nodes[2:], w.nodes[:2])
	for i := range 2 {
		if times[i] < 3 || longest[i] > 10*time.Second {
			t.Errorf("%s became clean %d times and was dirty for at most %v", w.nodes[i].name, times[i], longest[i])
		}
	}
	if *served < 6 {
		t.Errorf("%d snapshots", *served)
	}
}

// dirtyFor returns a node that has been dirty for so long, beside a clean one with
// many updates of its own; they cannot hear each other.
func dirtyFor(t *testing.T, d time.Duration, updates int, cfg engine.Config) (w *world, p, x *node) {
	w = newWorld(t, 1, 0, cfg)
	p, x = w.add("p"), w.add("x")
	first, second := update(1, "i"), update(2, "j")
	w.know(first)
	w.know(second)
	give(t, w, p, message(engine.Push, 1, batch(writer, first, second)))
	w.mustWrite(p, "s", "i", "supersedes the first")
	w.mustIssue(p, "s", drafts(updates-1, func(i int) model.Draft {
		return draft(fmt.Sprint("k", i), strings.Repeat("v", 100))
	})...)
	for _, m := range []*engine.Message{syn(1, known(p.e.Self(), clock.Version(updates)), known(writer, 2)), fin(1, batch(writer, second))} {
		m.From.Node = "dead"
		give(t, w, x, m)
	}
	if x.e.Clean() {
		t.Fatal("clean after an open hole")
	}
	w.cut = func(string, string) bool { return true }
	w.run(d)
	w.cut, w.queue = nil, nil
	return w, p, x
}

// A snapshot is what its server knew when it was taken, though all of it is
// overwritten before it is sent, and in the smallest messages that there can be
// (R5; I3 and I11 are checked by the world).
func TestSnapshotHolds(t *testing.T) {
	t.Parallel()
	const updates = 60
	w, p, x := dirtyFor(t, 4*time.Second, updates, tiny)
	self := p.e.Self()
	overwritten, served, pushed := false, w.countSnapshots(), 0
	count := w.spy
	w.spy = func(m *engine.Message, d *delivery) bool {
		if m.Kind == engine.Push {
			pushed++
			for _, b := range m.Batches {
				if b.Replica == self && b.Through > updates {
					t.Errorf("%+v is of after the snapshot", b)
				}
			}
		}
		return count(m, d)
	}
	w.now = w.now.Add(time.Second)
	x.e.SetPeer(w.now, "p", engine.PeerAlive)
	w.until(10*time.Second, "x is clean", func() bool {
		if *served > 0 && !overwritten {
			overwritten = true
			w.mustIssue(p, "s", drafts(updates, func(i int) model.Draft { return draft(fmt.Sprint("k", i), "later") })...)
		}
		return x.e.Clean()
	})
	if got := x.e.Vector().Version(self); *served != 1 || pushed < 5 || got != updates {
		t.Errorf("%d snapshots, %d pushes, x knows %d of p; want 1, many and the %d of then", *served, pushed, got, updates)
	}
	w.spy = nil
	w.converge(time.Minute)
}

// While a cleaning exchange is under way, open holes of others are not applied;
// when its server is silent for a second they are, and another is asked (R5).
func TestCleaningRefusesOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	soiled(t, w, n, writer, update(2, "j"))
	r := clock.Replica{Node: "r", Epoch: 1}
	hole := func(from string, kind engine.Kind, exchange uint64, first, last clock.Version) {
		t.Helper()
		m := message(kind, exchange, engine.Batch{Replica: r, From: first, Through: last, Updates: []*model.Update{updateOf(r, last, fmt.Sprint("k", last))}})
		m.From.Node, m.Digest.Base = from, exchange
		give(t, w, n, m)
	}
	exchange := func() *engine.Message { // the next round's SYN
		t.Helper()
		if next := n.e.Next(); next.After(w.now) {
			w.now = next
		}
		out := n.e.Tick(w.now)
		if len(out.Send) != 1 || out.Send[0].Message.Kind != engine.Syn {
			t.Fatalf("a round sent %+v", out.Send)
		}
		return out.Send[0].Message
	}
	knows := func(want clock.Version) {
		t.Helper()
		if got := n.e.Vector().Version(r); got != want {
			t.Fatalf("knows %d of %v, want %d", got, r, want)
		}
	}
	n.e.SetPeer(w.now, "server", engine.PeerAlive)
	if exchange().Cleaning {
		t.Fatal("asked for a snapshot at once")
	}
	w.now = w.now.Add(3 * time.Second)
	ask := exchange()
	if !ask.Cleaning {
		t.Fatal("dirty for three seconds, and did not ask for a snapshot")
	}
	ack := message(engine.Ack, ask.Exchange, engine.Batch{Replica: r, Through: 3, Updates: []*model.Update{updateOf(r, 3, "k3")}})
	ack.From.Node, ack.Cleaning, ack.Digest = "server", true, engine.Digest{Full: true, Base: ask.Exchange, Entries: []engine.DigestEntry{known(r, 9), known(writer, 2)}}
	give(t, w, n, ack)
	knows(3)
	other := syn(77, known(r, 20), known(writer, 2))
	other.From.Node = "other"
	give(t, w, n, other)
	hole("other", engine.Fin, 77, 3, 20)
	knows(3)
	give(t, w, n, syn(78, known(r, 20), known(writer, 2))) // nor those of any other exchange, by whomever
	hole("peer", engine.Fin, 78, 3, 20)
	knows(3)
	hole("server", engine.Push, ask.Exchange, 3, 6)
	knows(6)
	w.now = w.now.Add(900 * time.Millisecond)
	other = syn(79, known(r, 20), known(writer, 2))
	other.From.Node = "other"
	give(t, w, n, other)
	hole("other", engine.Fin, 79, 6, 20)
	knows(6)
	w.now = w.now.Add(200 * time.Millisecond) // the server is silent
	other = syn(80, known(r, 20), known(writer, 2))
	other.From.Node = "other"
	give(t, w, n, other)
	hole("other", engine.Fin, 80, 6, 20)
	knows(20)
	n.e.SetPeer(w.now, "server", engine.PeerRemoved)
	n.e.SetPeer(w.now, "other", engine.PeerAlive)
	if !exchange().Cleaning {
		t.Error("did not ask another")
	}
}

// The server dies half-way: another one does it (R5).
func TestCleaningServerDies(t *testing.T) {
	t.Parallel()
	w, p, x := dirtyFor(t, 4*time.Second, 60, tiny)
	q := w.add("q")
	self := p.e.Self()
	w.cut = func(from, to string) bool { return from == "x" || to == "x" }
	w.announce()
	w.until(time.Minute, "q knows what p knows", func() bool { return q.e.Vector().Compare(p.e.Vector()) == clock.Equal && q.e.Clean() })
	w.cut, w.queue = nil, nil
	servers := map[string]int{}
	w.spy = func(m *engine.Message, d *delivery) bool {
		if m.Kind == engine.Ack && m.Cleaning {
			servers[m.From.Node]++
		}
		return true
	}
	p.e.SetPeer(w.now, "x", engine.PeerRemoved) // they only answer
	q.e.SetPeer(w.now, "x", engine.PeerRemoved)
	x.e.SetPeer(w.now, "q", engine.PeerRemoved) // p is asked first
	w.until(10*time.Second, "p has served half of it", func() bool { return x.e.Vector().Version(self) > 30 })
	w.crash(p)
	w.queue = nil
	if x.e.Clean() {
		t.Fatal("clean already")
	}
	x.e.SetPeer(w.now, "p", engine.PeerFailed)
	x.e.SetPeer(w.now, "q", engine.PeerAlive)
	w.until(10*time.Second, "x is clean", x.e.Clean)
	if servers["p"] != 1 || servers["q"] == 0 {
		t.Errorf("snapshots were taken by %v", servers)
	}
}

// A dirty node serves no snapshot; the exchange goes on as any other (R5).
func TestDirtyNodeServesNoSnapshot(t *testing.T) {
	t.Parallel()
	for _, dirty := range []bool{false, true} {
		w := newWorld(t, 1, 1, engine.Config{Budget: 1})
		n := w.nodes[0]
		w.mustWrite(n, "s", "a", "1")
		w.mustWrite(n, "s", "b", "2")
		if dirty {
			soiled(t, w, n, writer, update(2, "j"))
		} else {
			give(t, w, n, message(engine.Push, 1, batch(writer, update(1, "i"), update(2, "j"))))
		}
		ask := syn(5)
		ask.Cleaning = true
		out := give(t, w, n, ask)
		if len(out.Send) != 1 {
			t.Fatalf("sends %+v", out.Send)
		}
		ack := out.Send[0].Message
		updates := 0
		for _, b := range ack.Batches {
			updates += len(b.Updates)
		}
		if want := map[bool]int{false: 4, true: 1}[dirty]; ack.Cleaning == dirty || updates != want {
			t.Errorf("dirty %t: cleaning %t with %d updates, want %d", dirty, ack.Cleaning, updates, want)
		}
	}
}

// A snapshot arrives whole, in messages within their limit, however large the
// updates of its replicas are (R5, I11).
func TestSnapshotOfAllSizes(t *testing.T) {
	t.Parallel()
	for size := range 60 {
		w := newWorld(t, 1, 1, tiny)
		n := w.nodes[0]
		var want, got []clock.Dot
		for _, r := range replicas(8) {
			var us []*model.Update
			for v := range clock.Version(3) {
				u := updateOf(r, v+1, fmt.Sprint(r.Node, v))
				u.Value = []byte(strings.Repeat("v", size+30*int(v)))
				us = append(us, u)
				want = append(want, u.Dot)
			}
			give(t, w, n, message(engine.Push, 1, batch(r, us...)))
		}
		var have clock.Vector
		digest := func() (all []engine.DigestEntry) {
			for _, r := range replicas(8) {
				all = append(all, known(r, have.Version(r)))
			}
			return all
		}
		ask := syn(2)
		ask.Cleaning = true
		for m := ask; len(got) < len(want); {
			out := give(t, w, n, m)
			if len(out.Send) == 0 {
				t.Fatalf("size %d: nothing more after %d of %d updates", size, len(got), len(want))
			}
			for _, env := range out.Send {
				if b := len(w.codec.Encode(env.Message)); b > n.cfg.MaxStream || !env.Stream && b > n.cfg.MaxDatagram {
					t.Fatalf("size %d: %v of %d bytes, stream %t", size, env.Message.Kind, b, env.Stream)
				}
				for _, b := range env.Message.Batches {
					if b.From != have.Version(b.Replica) || len(b.Updates) == 0 {
						t.Fatalf("size %d: %+v after %v", size, b, have)
					}
					have.Set(b.Replica, b.Through)
					for _, u := range b.Updates {
						got = append(got, u.Dot)
					}
				}
			}
			m = message(engine.Pull, 2)
			m.Digest.Entries = digest()
		}
		slices.SortFunc(got, clock.Dot.Compare)
		if !slices.Equal(got, want) {
			t.Errorf("size %d: got %v, want %v", size, got, want)
		}
	}
}

// The server of a snapshot says which spaces it can vouch for, if that leaves room
// for updates.
func TestSnapshotVouchesWhereThereIsRoom(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ spaces, want int }{{1, 1}, {60, 0}} {
		w := newWorld(t, 1, 0, tiny)
		w.spaces = nil
		for i := range tt.spaces {
			w.spaces = append(w.spaces, fmt.Sprintf("a-space-with-a-name-%02d", i))
		}
		n := w.add("n")
		w.mustWrite(n, w.spaces[0], "k", "v")
		ask := syn(2)
		ask.Cleaning = true
		out := give(t, w, n, ask)
		ack := out.Send[len(out.Send)-1].Message
		if !ack.Cleaning || len(ack.Hashes) != tt.want || len(ack.Batches) != 1 {
			t.Errorf("%d spaces: cleaning %t with %d hashes and the batches %+v, want %d hashes", tt.spaces, ack.Cleaning, len(ack.Hashes), ack.Batches, tt.want)
		}
	}
}
