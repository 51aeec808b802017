package engine_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/wire"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// register is the smallest last-writer-wins model: it needs no host.
type register struct{ byKey map[string]*model.Update }

func newRegister() *register { return &register{map[string]*model.Update{}} }

func (g *register) Apply(u *model.Update) model.Effect {
	old := g.byKey[string(u.Key)]
	if old != nil && g.Supersedes(old, u) {
		return model.Effect{Redundant: true}
	}
	g.byKey[string(u.Key)] = u
	if old == nil {
		return model.Effect{}
	}
	return model.Effect{Superseded: []*model.Update{old}}
}

func (g *register) Remove(u *model.Update) {
	if g.byKey[string(u.Key)] == u {
		delete(g.byKey, string(u.Key))
	}
}

func (g *register) Supersedes(a, b *model.Update) bool {
	return string(a.Key) == string(b.Key) && cmp.Or(cmp.Compare(a.Time, b.Time), a.Dot.Compare(b.Dot)) > 0
}

// faults are what the network of a world does to messages.
type faults struct {
	loss, duplicate float64
	delay           time.Duration // uniformly up to this: reorders
	keep            bool          // remember all messages, to replay them
}

// delivery is a message on its way, and what its sender knew when it encoded it.
type delivery struct {
	at      time.Time
	seq     int
	to      string
	bytes   []byte
	vector  clock.Vector
	horizon clock.Vector
}

// node is one engine of a world.
type node struct {
	name    string
	e       *engine.Engine
	models  map[string]*register
	up      bool
	written int
}

// world drives engines over a faulty network and a virtual clock, through the
// real codec, and checks the invariants after every event.
type world struct {
	t      testing.TB
	rng    *rand.Rand
	now    time.Time
	cfg    engine.Config
	faults faults
	codec  *wire.Codec
	nodes  []*node
	queue  []delivery
	seq    int
	cut    func(from, to string) bool
	spy    func(m *engine.Message, d *delivery) bool // false drops it
	all    map[clock.Dot]*model.Update               // everything ever written
	past   []delivery
	spaces []string
	lax    bool // no invariants: for engines that are weakened on purpose
	trace  *strings.Builder
}

func newWorld(t testing.TB, seed int64, n int, cfg engine.Config) *world {
	w := &world{
		t: t, rng: rand.New(rand.NewSource(seed)), now: time.UnixMilli(1_700_000_000_000), cfg: cfg,
		codec: wire.New("test"), all: map[clock.Dot]*model.Update{}, spaces: []string{"s"},
	}
	for i := range n {
		w.add(fmt.Sprintf("n%02d", i))
	}
	w.announce()
	return w
}

// add starts a node that knows nothing.
func (w *world) add(name string) *node {
	n := &node{name: name, up: true, models: map[string]*register{}}
	cfg := w.cfg
	cfg.Self = clock.Replica{Node: name, Epoch: uint64(w.now.UnixMilli())}
	cfg.Cluster = "test"
	cfg.Codec = w.codec
	cfg.Rand = rand.New(rand.NewSource(w.rng.Int63()))
	e, err := engine.New(w.now, cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	n.e = e
	for _, s := range w.spaces {
		n.models[s] = newRegister()
		if err := e.Attach(s, n.models[s]); err != nil {
			w.t.Fatal(err)
		}
	}
	w.nodes = append(w.nodes, n)
	return n
}

// announce tells all nodes of each other.
func (w *world) announce() {
	for _, a := range w.nodes {
		for _, b := range w.nodes {
			state := engine.PeerAlive
			if !b.up {
				state = engine.PeerFailed
			}
			a.e.SetPeer(w.now, b.name, state)
		}
	}
}

// write sets a key of a space at a node; an empty value writes a tombstone.
func (w *world) write(n *node, space, key, value string) error {
	d := model.Draft{Key: []byte(key), Value: []byte(value)}
	if value == "" {
		d.Kind = model.Tombstone
	}
	before := n.e.Vector()
	out, err := n.e.Write(w.now, space, []model.Draft{d})
	if err != nil {
		return err
	}
	n.written++
	w.record(out)
	w.after(n, before, nil, out)
	return nil
}

func (w *world) mustWrite(n *node, space, key, value string) {
	w.t.Helper()
	if err := w.write(n, space, key, value); err != nil {
		w.t.Fatal(err)
	}
}

// record keeps what was written first and checks that one dot has one content (I2).
func (w *world) record(out engine.Output) {
	for _, c := range out.Changed {
		if c.New == nil {
			continue
		}
		old := w.all[c.New.Dot]
		if old == nil {
			w.all[c.New.Dot] = c.New
		} else if !w.lax && (string(old.Value) != string(c.New.Value) || old.Time != c.New.Time || string(old.Key) != string(c.New.Key)) {
			w.t.Fatalf("dot %v has two contents: %q and %q (I2)", c.New.Dot, old.Value, c.New.Value)
		}
	}
}

// send puts an output's messages on the network.
func (w *world) send(n *node, out engine.Output) {
	for _, env := range out.Send {
		b := w.codec.Encode(env.Message)
		limit := w.cfg.MaxDatagram
		if env.Stream {
			limit = w.cfg.MaxStream
		}
		if limit > 0 && len(b) > limit {
			w.t.Fatalf("%v from %s has %d bytes, limit %d (I11)", env.Message.Kind, n.name, len(b), limit)
		}
		if w.trace != nil {
			fmt.Fprintf(w.trace, "%d %s>%s %x\n", w.now.UnixNano(), n.name, env.To, b)
		}
		d := delivery{to: env.To, bytes: b, vector: n.e.Vector(), horizon: n.e.Horizon()}
		if w.spy != nil && !w.spy(env.Message, &d) {
			continue
		}
		if w.cut != nil && w.cut(n.name, env.To) || w.rng.Float64() < w.faults.loss {
			continue
		}
		copies := 1
		if w.rng.Float64() < w.faults.duplicate {
			copies = 2
		}
		for range copies {
			d.at = w.now.Add(time.Duration(w.rng.Int63n(int64(w.faults.delay) + 1)))
			d.seq = w.seq
			w.seq++
			w.queue = append(w.queue, d)
		}
		if w.faults.keep {
			w.past = append(w.past, d)
		}
	}
}

// deliver hands a message to its receiver.
func (w *world) deliver(d delivery) {
	i := slices.IndexFunc(w.nodes, func(n *node) bool { return n.name == d.to && n.up })
	if i < 0 {
		return
	}
	n := w.nodes[i]
	m, err := w.codec.Decode(slices.Clone(d.bytes))
	if err != nil {
		w.t.Fatalf("decode what was encoded: %v", err)
	}
	before, holes := n.e.Vector(), n.e.Stats().OpenHoles
	out, err := n.e.Step(w.now, m)
	if err != nil && !errors.Is(err, engine.ErrMessage) {
		w.t.Fatal(err)
	}
	w.record(out)
	if n.e.Stats().OpenHoles > holes && !w.lax {
		for _, v := range []clock.Vector{d.vector, d.horizon} {
			if o := n.e.Horizon().Compare(v); o != clock.After && o != clock.Equal {
				w.t.Fatalf("%s applied an open hole from %s, horizon %v, sender's %v (I5)", n.name, m.From, n.e.Horizon(), v)
			}
		}
	}
	w.after(n, before, m, out)
}

// after checks a node that an event touched and sends its output.
func (w *world) after(n *node, before clock.Vector, m *engine.Message, out engine.Output) {
	w.send(n, out)
	if w.lax {
		return
	}
	if err := n.e.Check(); err != nil {
		w.t.Fatalf("%s: %v", n.name, err)
	}
	v := n.e.Vector()
	if o := v.Compare(before); o != clock.Equal && o != clock.After {
		w.t.Fatalf("%s: vector went from %v to %v (I1)", n.name, before, v)
	}
	if m != nil {
		for r, version := range v.All() {
			if old := before.Version(r); r != n.e.Self() && version > old && !slices.ContainsFunc(m.Batches, func(b engine.Batch) bool {
				return b.Replica == r && b.From <= old && old < b.Through
			}) {
				w.t.Fatalf("%s: %v went from %d to %d without a batch that starts there (I8)", n.name, r, old, version)
			}
		}
	}
	if n.e.Clean() {
		w.checkOracle(n)
	}
	for _, o := range w.nodes {
		if o != n && o.e.Clean() && n.e.Clean() && v.Compare(o.e.Vector()) == clock.Equal {
			w.checkSame(n, o)
		}
	}
}

// checkOracle compares a clean node's state with the value of all updates that
// its vector covers (I3).
func (w *world) checkOracle(n *node) {
	v := n.e.Vector()
	oracle := newRegister()
	want := map[string]*model.Update{}
	for _, u := range w.all {
		if !v.Covers(u.Dot) || n.models[u.Space] == nil {
			continue
		}
		if old := want[u.Space+"/"+string(u.Key)]; old == nil || oracle.Supersedes(u, old) {
			want[u.Space+"/"+string(u.Key)] = u
		}
	}
	got := 0
	for space, g := range n.models {
		for key, u := range g.byKey {
			got++
			if o := want[space+"/"+key]; o == nil || o.Dot != u.Dot || string(o.Value) != string(u.Value) {
				w.t.Fatalf("%s is clean at %v and has %v for %s/%s, the oracle %v (I3)", n.name, v, u.Dot, space, key, o)
			}
		}
	}
	if got != len(want) {
		w.t.Fatalf("%s is clean at %v and has %d keys, the oracle %d (I3)", n.name, v, got, len(want))
	}
}

// checkSame compares two clean nodes with equal vectors (I4).
func (w *world) checkSame(a, b *node) {
	other := map[string]engine.SpaceStatus{}
	for _, s := range b.e.Spaces() {
		other[s.Space] = s
	}
	for _, s := range a.e.Spaces() {
		o, ok := other[s.Space]
		if ok && s.Attached && o.Attached && s.Hash != o.Hash {
			w.t.Fatalf("%s and %s are clean, know %v, and differ in %q (I4)", a.name, b.name, a.e.Vector(), s.Space)
		}
	}
}

// step does the next thing that is due, and reports its time.
func (w *world) step() {
	next := -1
	for i, d := range w.queue {
		if next < 0 || d.at.Before(w.queue[next].at) || d.at.Equal(w.queue[next].at) && d.seq < w.queue[next].seq {
			next = i
		}
	}
	var ticker *node
	for _, n := range w.nodes {
		if n.up && (ticker == nil || n.e.Next().Before(ticker.e.Next())) {
			ticker = n
		}
	}
	if next >= 0 && (ticker == nil || !ticker.e.Next().Before(w.queue[next].at)) {
		d := w.queue[next]
		w.queue = slices.Delete(w.queue, next, next+1)
		if d.at.After(w.now) {
			w.now = d.at
		}
		w.deliver(d)
		return
	}
	if ticker.e.Next().After(w.now) {
		w.now = ticker.e.Next()
	}
	before := ticker.e.Vector()
	out := ticker.e.Tick(w.now)
	w.after(ticker, before, nil, out)
}

// run goes on for a while.
func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.step()
	}
}

// equal reports whether all living nodes know the same and are clean.
func (w *world) equal() bool {
	var first *node
	for _, n := range w.nodes {
		if !n.up {
			continue
		}
		if first == nil {
			first = n
		}
		if !n.e.Clean() || n.e.Vector().Compare(first.e.Vector()) != clock.Equal {
			return false
		}
	}
	return true
}

// converge runs until all living nodes know the same; it returns how long that
// took and fails when it takes longer than limit.
func (w *world) converge(limit time.Duration) time.Duration {
	w.t.Helper()
	start := w.now
	for !w.equal() {
		if w.now.Sub(start) > limit {
			for _, n := range w.nodes {
				w.t.Logf("%s up=%t clean=%t V=%v H=%v", n.name, n.up, n.e.Clean(), n.e.Vector(), n.e.Horizon())
			}
			w.t.Fatalf("not equal after %v", limit)
		}
		w.step()
	}
	return w.now.Sub(start)
}
