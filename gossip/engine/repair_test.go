package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// damaged returns a converged world of three nodes with a few thousand updates,
// tombstones among them.
func damaged(t *testing.T, keys int, cfg engine.Config) *world {
	w := newWorld(t, 1, 3, cfg)
	w.lax = true // too many updates to check everything after every event
	for first := 0; first < keys; first += 10 {
		drafts := []model.Draft{draft(fmt.Sprint("k", first), "deleted")}
		for i := first; i < first+10; i++ {
			drafts = append(drafts, draft(fmt.Sprint("k", i), fmt.Sprint("v", i)))
		}
		drafts[1] = draft(fmt.Sprint("k", first), "")
		w.mustIssue(w.nodes[first/10%3], "s", drafts...)
	}
	w.converge(time.Minute)
	w.run(time.Second)
	return w
}

// healed runs until all nodes have equal hashes again and checks them.
func (w *world) healed() {
	w.t.Helper()
	hash := func(n *node) string { return fmt.Sprint(n.e.Spaces()) }
	for end := w.now.Add(5 * time.Minute); hash(w.nodes[0]) != hash(w.nodes[1]) || hash(w.nodes[0]) != hash(w.nodes[2]); {
		if w.now.After(end) {
			w.t.Fatalf("not healed: %v, %v, %v", hash(w.nodes[0]), hash(w.nodes[1]), hash(w.nodes[2]))
		}
		w.step()
	}
	for _, n := range w.nodes {
		if err := n.e.Check(); err != nil {
			w.t.Fatal(err)
		}
		w.checkOracle(n, n.e.Vector())
	}
}

// A node that lost most of what it retained gets it back, in chunks, and nobody
// else loses anything (R12).
func TestRepairBringsLostUpdatesBack(t *testing.T) {
	t.Parallel()
	for _, cfg := range []engine.Config{{}, {MaxUpdate: 300, MaxStream: 900, MaxDatagram: 512}} {
		w := damaged(t, 600, cfg)
		victim := w.nodes[1]
		lost := 0
		for _, n := range w.nodes {
			for i, u := range victim.e.Retained(n.e.Self()) {
				if i%5 != 0 && victim.e.Lose(u.Dot) && !u.IsTombstone() {
					lost++
				}
			}
		}
		if lost < 400 {
			t.Fatalf("lost only %d", lost)
		}
		w.faults = faults{loss: 0.01, duplicate: 0.2, delay: 20 * time.Millisecond}
		w.healed()
		var sum engine.Stats
		for _, n := range w.nodes {
			s := n.e.Stats()
			sum.Mismatches += s.Mismatches
			sum.Repairs += s.Repairs
			sum.Repaired += s.Repaired
		}
		if sum.Mismatches == 0 || sum.Repairs == 0 || sum.Repaired < uint64(lost) {
			t.Errorf("lost %d; counted %d mismatches, %d repairs, %d updates", lost, sum.Mismatches, sum.Repairs, sum.Repaired)
		}
	}
}

// A node that shows a value that all others know to be overwritten learns it
// again.
func TestRepairOverwritesStaleValue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 3, engine.Config{})
	w.mustWrite(w.nodes[0], "s", "k", "old")
	stale := w.nodes[0].e.Retained(w.nodes[0].e.Self())[0]
	w.converge(time.Minute)
	w.mustWrite(w.nodes[0], "s", "k", "new")
	w.converge(time.Minute)
	w.lax = true
	v := w.nodes[1]
	for _, u := range v.e.Retained(w.nodes[0].e.Self()) {
		v.e.Lose(u.Dot)
	}
	v.models["s"].Apply(stale)
	v.models["s"].Discard(stale)
	w.healed()
}

// A fork: two contents of one dot. The larger hash ends up everywhere, it is
// counted, and nobody crashes (R1, R12).
func TestRepairSettlesFork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 3, engine.Config{})
	w.mustWrite(w.nodes[0], "s", "k", "one")
	w.mustWrite(w.nodes[0], "s", "j", "else")
	w.converge(time.Minute)
	w.lax = true
	dot := clock.Dot{Replica: w.nodes[0].e.Self(), Version: 1}
	w.nodes[2].e.Replace(dot, "another")
	same := func() bool {
		a, b, c := w.nodes[0].models["s"].byKey["k"], w.nodes[1].models["s"].byKey["k"], w.nodes[2].models["s"].byKey["k"]
		return string(a.Value) == string(b.Value) && string(b.Value) == string(c.Value)
	}
	for end := w.now.Add(time.Minute); !same(); w.step() {
		if w.now.After(end) {
			t.Fatal("two contents of one dot for ever")
		}
	}
	var forks uint64
	for _, n := range w.nodes {
		forks += n.e.Stats().Forks
		if err := n.e.Check(); err != nil {
			t.Error(err)
		}
	}
	if forks == 0 {
		t.Error("no fork counted")
	}
}

// A copy that no longer has the content that was retained is dropped when a
// repair looks at it, and comes back whole.
func TestRepairDropsFlippedCopy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 3, engine.Config{})
	for i := range 5 {
		w.mustWrite(w.nodes[0], "s", fmt.Sprint("k", i), "value")
	}
	w.converge(time.Minute)
	w.lax = true
	id := w.nodes[0].e.Self()
	w.nodes[1].e.Flip(clock.Dot{Replica: id, Version: 2})
	w.nodes[1].e.Lose(clock.Dot{Replica: id, Version: 4}) // what makes the hashes differ
	w.healed()
	if u := w.nodes[1].e.Retained(id)[1]; string(u.Value) != "value" {
		t.Errorf("the flipped copy reads %q", u.Value)
	}
}

// Steps of a repair nobody drives, or that is over, change nothing.
func TestStrayRepairSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	w.mustWrite(n, "s", "k", "v")
	for phase := engine.RepairHashes; phase <= engine.RepairUpdates; phase++ {
		m := message(engine.Repair, 5)
		u := update(1, "planted")
		u.Replica = n.e.Self()
		m.Repair = &engine.RepairStep{
			Phase: phase, Space: "s", Updates: nil,
			Range:  engine.Range{Replica: n.e.Self(), Through: 1},
			Hashes: []engine.ReplicaHash{{Replica: n.e.Self(), Through: 1}},
		}
		if phase == engine.RepairUpdates {
			u.Version = 1
			n.e.Lose(u.Dot)
			m.Repair.Updates = append(m.Repair.Updates, u)
		}
		out, err := n.e.Step(w.now, m)
		if err != nil || len(out.Send) > 0 || len(out.Changed) > 0 {
			t.Errorf("phase %d: %v, sends %v, changes %v", phase, err, out.Send, out.Changed)
		}
	}
}

// A repair of one space leaves the others alone, also where they are in the same
// log (R12).
func TestRepairOfOneSpaceOfTwo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 0, engine.Config{})
	w.spaces = []string{"a", "b"}
	for i := range 3 {
		w.add(fmt.Sprint("n", i))
	}
	w.announce()
	w.lax = true // a node loses what it knew
	first, victim := w.nodes[0], w.nodes[1]
	for i := range 40 {
		w.mustWrite(first, w.spaces[i%2], fmt.Sprint("k", i), "v")
	}
	w.converge(time.Minute)
	lost := 0
	for _, u := range victim.e.Retained(first.e.Self()) {
		if u.Space == "a" && u.Version%3 == 0 && victim.e.Lose(u.Dot) {
			lost++
		}
	}
	w.healed()
	sent := uint64(0)
	for _, n := range w.nodes {
		sent += n.e.Stats().Repaired
	}
	if lost == 0 || sent != uint64(lost) {
		t.Errorf("%d updates were repaired, %d lost", sent, lost)
	}
}

// What a peer asks, tells or wishes in a repair that it may drive, and this node
// cannot know, is passed over.
func TestRepairPassesOverTheUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	w.mustWrite(n, "s", "k", "v")
	self, nobody := n.e.Self(), clock.Replica{Node: "nobody", Epoch: 1}
	give(t, w, n, syn(6, known(self, 1)))
	step := func(s engine.RepairStep) []engine.Envelope {
		t.Helper()
		m := message(engine.Repair, 6)
		m.Repair = &s
		out := give(t, w, n, m)
		if len(out.Changed) > 0 {
			t.Errorf("%+v changed %+v", s, out.Changed)
		}
		return out.Send
	}
	wrong := engine.Hash{Lo: 1}
	out := step(engine.RepairStep{Phase: engine.RepairHashes, Space: "s", Range: engine.Range{Through: 1}, Hashes: []engine.ReplicaHash{
		{Replica: self, Through: 2, Hash: wrong}, {Replica: self, Through: 1, Hash: wrong}, {Replica: nobody, Through: 1, Hash: wrong},
	}})
	if len(out) != 1 || out[0].Message.Repair.Phase != engine.RepairDiffer || len(out[0].Message.Repair.Hashes) != 0 {
		t.Errorf("hashes of what it does not know, or out of order, were answered by %+v, want that none differs", out)
	}
	of := func(r clock.Replica, v clock.Version, space string) *model.Update {
		u := updateOf(r, v, "planted")
		u.Space = space
		return u
	}
	for what, s := range map[string]engine.RepairStep{
		"another space":      {Phase: engine.RepairAsk, Space: "other", Range: engine.Range{Replica: self, Through: 1}},
		"nobody's dots":      {Phase: engine.RepairAsk, Space: "s", Range: engine.Range{Replica: nobody, Through: 1}},
		"dots of the future": {Phase: engine.RepairAsk, Space: "s", Range: engine.Range{Replica: self, Through: 2}},
		"an empty range":     {Phase: engine.RepairAsk, Space: "s", Range: engine.Range{Replica: self, From: 1, Through: 1}},
		"nobody's updates":   {Phase: engine.RepairUpdates, Space: "s", Range: engine.Range{Replica: nobody, Through: 1}, Dots: []engine.RepairDot{{Version: 1}}},
		"an unknown dot":     {Phase: engine.RepairUpdates, Space: "s", Range: engine.Range{Replica: self, Through: 2}, Dots: []engine.RepairDot{{Version: 2}}},
		"planted updates": {Phase: engine.RepairUpdates, Space: "s", Updates: []*model.Update{
			of(nobody, 1, "s"), of(self, 1, "other"), of(self, 2, "s"),
		}},
	} {
		if out := step(s); len(out) != 0 {
			t.Errorf("%s: answered by %+v", what, out)
		}
	}
	if got := len(n.e.Retained(self)); got != 1 {
		t.Errorf("%d updates, want its own one", got)
	}
}

// A clean peer that only relays a space, or has one that is not known here, cannot
// vouch for a dirty node's state (R14).
func TestRelayVouchesForNobody(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct {
		hashes []engine.SpaceHash
		want   int // repair messages
	}{
		"a relay":               {[]engine.SpaceHash{{Space: "s", Relayed: true}}, 0},
		"one with another":      {[]engine.SpaceHash{{Space: "s"}, {Space: "unknown here"}}, 1},
		"one without its space": {nil, 0},
		"one with the same":     {[]engine.SpaceHash{{Space: "s"}}, 1},
	} {
		w := newWorld(t, 1, 1, engine.Config{})
		n := w.nodes[0]
		soiled(t, w, n, writer, update(2, "j"))
		n.e.SetPeer(w.now, "peer", engine.PeerAlive)
		w.now = n.e.Next()
		out := n.e.Tick(w.now)
		ack := message(engine.Ack, out.Send[0].Message.Exchange)
		ack.Same, ack.Hashes = true, tt.hashes
		for i := range ack.Hashes {
			ack.Hashes[i].Hash = n.e.Spaces()[0].Hash // nothing differs
		}
		repairs := 0
		for _, env := range give(t, w, n, ack).Send {
			if env.Message.Kind == engine.Repair {
				repairs++
			}
		}
		if repairs != tt.want || n.e.Clean() {
			t.Errorf("%s: %d repair messages, clean %t; want %d, dirty", what, repairs, n.e.Clean(), tt.want)
		}
	}
}
