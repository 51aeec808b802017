package engine_test

import (
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/wire"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

var writer = clock.Replica{Node: "writer", Epoch: 1}

// update returns an update of writer.
func update(version clock.Version, key string) *model.Update {
	return &model.Update{
		Dot:  clock.Dot{Replica: writer, Version: version},
		Time: clock.TimestampOf(time.UnixMilli(1_700_000_000_000)) + clock.Timestamp(version), Space: "s",
		Key: []byte(key), Value: []byte(fmt.Sprint("v", version)),
	}
}

// message returns a message from peer with batches.
func message(kind engine.Kind, exchange uint64, batches ...engine.Batch) *engine.Message {
	return &engine.Message{
		Kind: kind, From: clock.Replica{Node: "peer", Epoch: 1}, To: 1_700_000_000_000, Exchange: exchange,
		MaxUpdate: 1 << 20, Credit: 1 << 20, Batches: batches,
	}
}

// A single engine that is handed batches by hand (R3).
func TestBatchRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	give := func(m *engine.Message) engine.Output {
		t.Helper()
		return give(t, w, n, m)
	}
	knows := func(want clock.Version) {
		t.Helper()
		if got := n.e.Vector().Version(writer); got != want {
			t.Fatalf("V is %d, want %d", got, want)
		}
	}
	u := func(vs ...clock.Version) (all []*model.Update) {
		for _, v := range vs {
			all = append(all, update(v, fmt.Sprint("k", v)))
		}
		return all
	}
	// Gapless: applied without any exchange.
	give(message(engine.Push, 99, engine.Batch{Replica: writer, Through: 2, Updates: u(1, 2)}))
	knows(2)
	// Repeated: nothing happens.
	give(message(engine.Push, 99, engine.Batch{Replica: writer, Through: 2, Updates: u(1, 2)}))
	knows(2)
	// From below V: the known part is skipped.
	give(message(engine.Push, 99, engine.Batch{Replica: writer, From: 1, Through: 3, Updates: u(2, 3)}))
	knows(3)
	// From above V: one pull, and no second one while it is under way.
	out := give(message(engine.Push, 99, engine.Batch{Replica: writer, From: 5, Through: 6, Updates: u(6)}))
	knows(3)
	if len(out.Send) != 1 || out.Send[0].Message.Kind != engine.Pull || out.Send[0].Message.Digest.Entries[0].Version != 3 {
		t.Fatalf("a gap was answered with %+v, want one pull from 3 on", out.Send)
	}
	if out := give(message(engine.Push, 99, engine.Batch{Replica: writer, From: 5, Through: 6, Updates: u(6)})); len(out.Send) != 0 {
		t.Fatalf("a second pull: %+v", out.Send)
	}
	// An open hole in a message of an unknown exchange: V_p is not known (R4).
	give(message(engine.Fin, 98, engine.Batch{Replica: writer, From: 3, Through: 6, Updates: u(6)}))
	knows(3)
	if s := n.e.Stats(); s.BatchesRefused != 1 || s.Gaps != 2 || s.Pulls != 1 {
		t.Fatalf("stats %+v", s)
	}
	// A closed hole is welcome, and leaves the node clean.
	give(message(engine.Fin, 98, engine.Batch{Replica: writer, From: 3, Through: 6, Closed: true, Updates: u(6)}))
	knows(6)
	if !n.e.Clean() {
		t.Fatal("dirty after a closed hole")
	}
}

// A closed hole whose batch of explanation was not applied leaves the node dirty.
func TestClosedHoleWithoutItsHeir(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	other := clock.Replica{Node: "other", Epoch: 1}
	heir := update(9, "k1")
	heir.Replica = other
	m := message(engine.Push, 1,
		engine.Batch{Replica: writer, Through: 2, Closed: true, Updates: []*model.Update{update(2, "k2")}},
		engine.Batch{Replica: other, From: 8, Through: 9, Updates: []*model.Update{heir}}) // a gap
	if _, err := n.e.Step(w.now, m); err != nil {
		t.Fatal(err)
	}
	if n.e.Clean() || n.e.Vector().Version(writer) != 2 {
		t.Fatalf("clean %t at %v; want dirty, with 2 applied", n.e.Clean(), n.e.Vector())
	}
}

// Too large is refused when written, and blocks nothing (R2).
func TestTooLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2, engine.Config{MaxUpdate: 1000})
	a, b := w.nodes[0], w.nodes[1]
	err := w.write(a, "s", "k", strings.Repeat("x", 1001))
	if !errors.Is(err, engine.ErrTooLarge) {
		t.Fatalf("got %v, want ErrTooLarge", err)
	}
	if a.e.Vector().Len() != 0 {
		t.Fatalf("vector %v after a refused write", a.e.Vector())
	}
	w.mustWrite(a, "s", "k", strings.Repeat("x", 800))
	w.converge(10 * time.Second)
	if u := b.models["s"].byKey["k"]; u == nil || len(u.Value) != 800 {
		t.Fatalf("b has %v", u)
	}
	if err := w.write(a, "nowhere", "k", "v"); !errors.Is(err, engine.ErrNotAttached) {
		t.Fatalf("got %v, want ErrNotAttached", err)
	}
}

// The largest update goes through the smallest stream, and several replicas
// behind it do too.
func TestLargestUpdateFits(t *testing.T) {
	t.Parallel()
	cfg := engine.Config{MaxUpdate: 1000, MaxStream: 1512, MaxDatagram: 512, Budget: 1}
	w := newWorld(t, 5, 8, cfg)
	size := 1000
	for size > 0 && w.write(w.nodes[0], "s", "large", strings.Repeat("x", size)) != nil {
		size--
	}
	for _, n := range w.nodes {
		w.mustWrite(n, "s", n.name, "small")
	}
	w.converge(time.Minute)
	if size < 850 {
		t.Errorf("largest value that fits into an update of 1000 bytes has %d", size)
	}
}

// A space without a model is relayed as it is; attaching it late shows all of
// it (R14).
func TestRelayAndLateAttach(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 0, engine.Config{})
	w.spaces = []string{"a", "b"}
	first := w.add("first")
	w.spaces = nil
	relay := w.add("relay")
	w.spaces = []string{"a", "b"}
	last := w.add("last")
	w.announce()
	w.cut = func(from, to string) bool { return from != "relay" && to != "relay" }
	for i := range 20 {
		w.mustWrite(first, "a", fmt.Sprint("k", i%3), fmt.Sprint(i))
		w.mustWrite(first, "b", "k", fmt.Sprint(i))
		w.run(40 * time.Millisecond)
	}
	w.mustWrite(first, "a", "k0", "")
	w.converge(time.Minute)
	for _, s := range relay.e.Spaces() {
		if s.Attached || s.Updates == 0 {
			t.Fatalf("relay: %+v", s)
		}
	}
	if got, want := last.models["a"].byKey["k2"].Value, first.models["a"].byKey["k2"].Value; string(got) != string(want) {
		t.Fatalf("over the relay came %q, want %q", got, want)
	}
	relay.models["a"] = newRegister()
	if err := relay.e.Attach("a", relay.models["a"]); err != nil {
		t.Fatal(err)
	}
	if err := relay.e.Check(); err != nil {
		t.Fatal(err)
	}
	w.checkAll()
	if err := relay.e.Attach("a", newRegister()); !errors.Is(err, engine.ErrAttached) {
		t.Fatalf("got %v, want ErrAttached", err)
	}
}

// A restart that came up with an earlier epoch than the cluster knows takes a
// later one and issues its writes again; so does one whose identity was used by
// somebody else (R1).
func TestNewEpoch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2, engine.Config{})
	a := w.nodes[0]
	w.mustWrite(a, "s", "before", "crash")
	w.converge(10 * time.Second)
	old := a.e.Self()
	start := w.now
	w.nodes = w.nodes[1:]
	for _, back := range []time.Duration{time.Hour, 0} { // the wall clock stepped back; and a twin of the same epoch
		real := w.now
		w.now = start.Add(-back)
		if back == 0 {
			w.now = time.UnixMilli(int64(old.Epoch))
		}
		n := w.add("n00")
		w.now = real
		w.lax = back == 0 // the twin's first dot has two contents: that is what it must get out of
		w.mustWrite(n, "s", "again", fmt.Sprint("later", back))
		w.announce()
		w.converge(time.Minute)
		w.run(5 * time.Second)
		if n.e.Self().Epoch <= old.Epoch || n.e.Stats().Epochs == 0 {
			t.Fatalf("writes as %v, the cluster knew %v; %d new epochs", n.e.Self(), old, n.e.Stats().Epochs)
		}
		for _, m := range w.nodes {
			if u := m.models["s"].byKey["again"]; u == nil || string(u.Value) != fmt.Sprint("later", back) {
				t.Fatalf("%s has %v", m.name, u)
			}
			if m.models["s"].byKey["before"] == nil {
				t.Fatalf("%s lost what was written before the restart", m.name)
			}
			if err := m.e.Check(); err != nil {
				t.Fatal(err)
			}
		}
		w.mustWrite(n, "s", "more", "than the twin will have")
		w.converge(time.Minute)
		old = n.e.Self()
		w.nodes = w.nodes[:1]
	}
}

// A message that breaks the protocol is refused, and nothing changes.
func TestBadMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{MaxReplicas: 500})
	e := w.nodes[0].e
	for name, spoil := range map[string]func(*engine.Message){
		"no sender":     func(m *engine.Message) { m.From.Node = "" },
		"long sender":   func(m *engine.Message) { m.From.Node = strings.Repeat("x", engine.MaxName+1) },
		"own name":      func(m *engine.Message) { m.From.Node = "n00" },
		"MaxUpdate":     func(m *engine.Message) { m.MaxUpdate = 7 },
		"kind":          func(m *engine.Message) { m.Kind = 77 },
		"partial syn":   func(m *engine.Message) { m.Kind = engine.Syn },
		"part of push":  func(m *engine.Message) { m.Digest.Parts = 2 },
		"part too high": func(m *engine.Message) { m.Kind, m.Digest = engine.Syn, engine.Digest{Full: true, Part: 2, Parts: 2} },
		"part of many": func(m *engine.Message) {
			m.Kind, m.Batches = engine.Syn, nil
			m.Digest.Full, m.Digest.Parts = true, 2_000
		},
		"updates in a part, not the last one": func(m *engine.Message) { m.Kind, m.Digest = engine.Syn, engine.Digest{Full: true, Parts: 2} },
		"no repair step":                      func(m *engine.Message) { m.Kind = engine.Repair },
	} {
		m := message(engine.Push, 1, engine.Batch{Replica: writer, Through: 1, Updates: []*model.Update{update(1, "k")}})
		spoil(m)
		if out, err := e.Step(w.now, m); !errors.Is(err, engine.ErrMessage) || len(out.Send) > 0 {
			t.Errorf("%s: got %v, sends %v; want ErrMessage", name, err, out.Send)
		}
	}
	if e.Vector().Len() != 0 {
		t.Errorf("vector %v", e.Vector())
	}
}

// A clock that runs far ahead poisons nobody: its updates are held until time
// catches up, other replicas go on, and its HLC is not believed (DESIGN §3).
func TestHeldUpdates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 3, engine.Config{})
	fast := w.nodes[2]
	real := w.now
	w.now = real.Add(20 * time.Minute)
	w.mustWrite(fast, "s", "k", "from the future")
	w.now = real
	w.mustWrite(w.nodes[0], "s", "j", "now")
	w.run(20 * time.Second)
	for _, n := range w.nodes[:2] {
		if n.models["s"].byKey["k"] != nil || n.models["s"].byKey["j"] == nil {
			t.Fatalf("%s has k %v, j %v", n.name, n.models["s"].byKey["k"], n.models["s"].byKey["j"])
		}
	}
	if w.nodes[0].e.Stats().Held+w.nodes[1].e.Stats().Held == 0 {
		t.Error("nothing was counted as held")
	}
	w.mustWrite(w.nodes[1], "s", "i", "still now")
	if u := w.nodes[1].models["s"].byKey["i"]; u.Time.Time().After(w.now.Add(time.Minute)) {
		t.Errorf("a write at %v got the time %v", w.now, u.Time)
	}
	w.run(11 * time.Minute)
	w.converge(time.Minute)
}

// A node whose clock is far ahead of most peers refuses its own writes.
func TestClockAheadOfPeers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	e := w.nodes[0].e
	e.SetPeer(w.now, "peer", engine.PeerAlive)
	m := message(engine.Push, 1)
	m.HLC = clock.TimestampOf(w.now.Add(-time.Hour))
	if _, err := e.Step(w.now, m); err != nil {
		t.Fatal(err)
	}
	if err := w.write(w.nodes[0], "s", "k", "v"); !errors.Is(err, engine.ErrClock) {
		t.Fatalf("got %v, want ErrClock", err)
	}
	m.HLC = clock.TimestampOf(w.now)
	if _, err := e.Step(w.now, m); err != nil {
		t.Fatal(err)
	}
	w.mustWrite(w.nodes[0], "s", "k", "v")
}

// What the network can make grow has an end.
func TestLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{MaxPeers: 3, MaxReplicas: 4, MaxSpaces: 2})
	e := w.nodes[0].e
	for i := range 10 {
		m := message(engine.Push, 1)
		m.From.Node = fmt.Sprint("peer", i%4)
		u := update(1, "k")
		u.Replica.Node, u.Space = fmt.Sprint("writer", i), fmt.Sprint("space", i)
		m.Batches = []engine.Batch{{Replica: u.Replica, Through: 1, Updates: []*model.Update{u}}}
		_, err := e.Step(w.now, m)
		if got, want := err != nil, i%4 == 3; got != want {
			t.Errorf("message %d: %v", i, err)
		}
	}
	if got := len(e.Spaces()); got != 2 {
		t.Errorf("%d spaces", got)
	}
	if got := e.Vector().Len(); got > 4 {
		t.Errorf("%d replicas", got)
	}
	if err := e.Check(); err != nil {
		t.Error(err)
	}
}

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	good := engine.Config{Self: writer, Codec: wire.New(""), Rand: rand.New(rand.NewSource(1))}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", engine.MaxName+1)
	for _, tt := range []struct {
		field string
		spoil func(*engine.Config)
	}{
		{"Self", func(c *engine.Config) { c.Self.Node = "" }},
		{"Self", func(c *engine.Config) { c.Self.Node = long }},
		{"Cluster", func(c *engine.Config) { c.Cluster = long }},
		{"Codec", func(c *engine.Config) { c.Codec = nil }},
		{"Rand", func(c *engine.Config) { c.Rand = nil }},
		{"Interval", func(c *engine.Config) { c.Interval = -1 }},
		{"MinInterval", func(c *engine.Config) { c.MinInterval = -1 }},
		{"MaxInterval", func(c *engine.Config) { c.MaxInterval = time.Millisecond }},
		{"Timeout", func(c *engine.Config) { c.Timeout = -1 }},
		{"MaxDrift", func(c *engine.Config) { c.MaxDrift = -1 }},
		{"Order", func(c *engine.Config) { c.Order = engine.Breadth + 1 }},
		{"Budget", func(c *engine.Config) { c.Budget = -1 }},
		{"MaxDatagram", func(c *engine.Config) { c.MaxDatagram = 10 }},
		{"MaxUpdate", func(c *engine.Config) { c.MaxUpdate = -5 }},
		{"MaxStream", func(c *engine.Config) { c.MaxStream = 1000 }},
		{"MaxPeers", func(c *engine.Config) { c.MaxPeers = -1 }},
		{"MaxReplicas", func(c *engine.Config) { c.MaxReplicas = -1 }},
		{"MaxSpaces", func(c *engine.Config) { c.MaxSpaces = -1 }},
	} {
		c := good
		tt.spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "Config."+tt.field) {
			t.Errorf("%s: got %v", tt.field, err)
		}
		if _, err := engine.New(time.Now(), c); err == nil {
			t.Errorf("%s: New accepted it", tt.field)
		}
	}
}
