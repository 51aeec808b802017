package engine_test

import (
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
	lane    *lane // that it goes over; nil: none
	life    int   // of that
}

// node is one engine of a world.
type node struct {
	name   string
	cfg    engine.Config
	e      *engine.Engine
	models map[string]*register
	up     bool
	skew   time.Duration // how far its clock is ahead of the world's
	seen   looks         // what it was when it was last checked
	oracle oracle
}

// clock returns what a node takes for the time.
func (w *world) clock(n *node) time.Time { return w.now.Add(n.skew) }

// due returns when, in the world's time, a node wants its Tick.
func (n *node) due() time.Time { return n.e.Next().Add(-n.skew) }

// world drives engines over a faulty network and a virtual clock, through the
// real codec, and checks the invariants after every event: of the node that it
// touched if it changed anything there, and now and then of all.
type world struct {
	t       testing.TB
	rng     *rand.Rand
	now     time.Time
	cfg     engine.Config
	faults  faults
	codec   *wire.Codec
	nodes   []*node
	queue   []delivery
	seq     int
	cut     func(from, to string) bool
	lag     func(from, to string, stream bool) time.Duration // on top of the faults' delay
	served  map[string]delivery                              // by exchange, what a server of R5 knew when it took its snapshot
	spy     func(m *engine.Message, d *delivery) bool        // false drops it
	parts   map[string][]engine.Batch                        // of messages in parts, by receiver and exchange
	closed  int                                              // batches with closed holes that were applied
	all     map[clock.Dot]*model.Update                      // everything ever written; see know
	agreed  map[string]state                                 // what clean nodes showed, by vector
	events  int
	past    []delivery
	spaces  []string
	saw     map[clock.Dot]clock.Vector // what the writer of an update knew
	late    bool                       // a write was older than something that was collected
	givenUp bool
	lax     bool // no invariants: for engines that are weakened on purpose
	trace   *strings.Builder
	lanes   map[[2]string]*lane // by from and to; nil: there are no links
}

func newWorld(t testing.TB, seed int64, n int, cfg engine.Config) *world {
	w := &world{
		t: t, rng: rand.New(rand.NewSource(seed)), now: time.UnixMilli(1_700_000_000_000), cfg: cfg,
		codec: wire.New("test"), saw: map[clock.Dot]clock.Vector{}, all: map[clock.Dot]*model.Update{}, spaces: []string{"s"},
		served: map[string]delivery{}, parts: map[string][]engine.Batch{}, agreed: map[string]state{},
	}
	for i := range n {
		w.add(fmt.Sprintf("n%02d", i))
	}
	w.announce()
	return w
}

// add starts a node that knows nothing.
func (w *world) add(name string) *node {
	n := w.start(name, uint64(w.now.UnixMilli()), w.cfg)
	w.nodes = append(w.nodes, n)
	return n
}

// start makes a node that knows nothing, with an epoch of the caller's choice.
func (w *world) start(name string, epoch uint64, cfg engine.Config) *node {
	n := &node{name: name, up: true, models: map[string]*register{}}
	cfg.Self = clock.Replica{Node: name, Epoch: epoch}
	cfg.Cluster = "test"
	cfg.Codec = w.codec
	cfg.Rand = rand.New(rand.NewSource(w.rng.Int63()))
	n.cfg = cfg
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
	return n
}

// restart replaces a node by one of the same name and configuration that knows
// nothing; messages to the earlier life are still on their way.
func (w *world) restart(n *node, epoch uint64) *node {
	i := slices.Index(w.nodes, n)
	w.nodes[i] = w.start(n.name, epoch, n.cfg)
	return w.nodes[i]
}

// crash takes a node down for good, with all it knows. What it sent still
// arrives.
func (w *world) crash(n *node) { n.up = false }

// announce tells all nodes of each other.
func (w *world) announce() {
	for _, a := range w.nodes {
		for _, b := range w.nodes {
			state := engine.PeerAlive
			if !b.up {
				state = engine.PeerFailed
			}
			a.e.SetPeer(w.clock(a), b.name, state)
		}
	}
}

// draft sets a key; an empty value makes it a tombstone.
func draft(key, value string) model.Draft {
	d := model.Draft{Key: []byte(key), Value: []byte(value)}
	if value == "" {
		d.Kind = model.Tombstone
	}
	return d
}

// write sets a key of a space at a node; an empty value writes a tombstone.
func (w *world) write(n *node, space, key, value string) error {
	return w.issue(n, space, draft(key, value))
}

// issue writes drafts.
func (w *world) issue(n *node, space string, drafts ...model.Draft) error {
	before := w.vector(n)
	out, err := n.e.Write(w.clock(n), space, drafts)
	if err != nil {
		return err
	}
	w.record(out)
	for _, c := range out.Changed {
		w.saw[c.New.Dot] = before
	}
	w.after(n, before, nil, out)
	return nil
}

// drafts makes some drafts. What is written at one time is written in one go: so it is
// checked once.
func drafts(n int, of func(i int) model.Draft) []model.Draft {
	all := make([]model.Draft, n)
	for i := range all {
		all[i] = of(i)
	}
	return all
}

func (w *world) mustWrite(n *node, space, key, value string) {
	w.t.Helper()
	w.mustIssue(n, space, draft(key, value))
}

func (w *world) mustIssue(n *node, space string, drafts ...model.Draft) {
	w.t.Helper()
	if err := w.issue(n, space, drafts...); err != nil {
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
			w.know(c.New)
		} else if !w.lax && (string(old.Value) != string(c.New.Value) || old.Time != c.New.Time || string(old.Key) != string(c.New.Key)) {
			w.t.Fatalf("dot %v has two contents: %q and %q (I2)", c.New.Dot, old.Value, c.New.Value)
		}
	}
}

// send puts an output's messages on the network.
func (w *world) send(n *node, out engine.Output) {
	if len(out.Send) == 0 {
		return
	}
	vector, horizon := clock.Vector{}, clock.Vector{}
	if !w.lax {
		vector = n.e.Vector()
		if !n.e.Clean() { // of a clean node it is below the vector
			horizon = n.e.Horizon()
		}
	}
	for _, env := range out.Send {
		b := w.codec.Encode(env.Message)
		limit := n.cfg.MaxDatagram
		if env.Stream {
			limit = n.cfg.MaxStream
		}
		if limit > 0 && len(b) > limit {
			w.t.Fatalf("%v from %s has %d bytes, limit %d (I11)", env.Message.Kind, n.name, len(b), limit)
		}
		if w.trace != nil {
			fmt.Fprintf(w.trace, "%d %s>%s %x\n", w.now.UnixNano(), n.name, env.To, b)
		}
		d := delivery{to: env.To, bytes: b, vector: vector, horizon: horizon}
		if m := env.Message; m.Kind == engine.Ack && m.Cleaning {
			w.served[snapshotID(m.From, env.To, m.Exchange)] = d
		} else if m.Kind == engine.Push {
			if taken, ok := w.served[snapshotID(m.From, env.To, m.Exchange)]; ok {
				d.vector, d.horizon = taken.vector, taken.horizon // it speaks for then (R5)
			}
		}
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
			if w.lag != nil {
				d.at = d.at.Add(w.lag(n.name, env.To, env.Stream))
			}
			d.seq = w.seq
			w.seq++
			w.queue = append(w.queue, d)
		}
		if w.faults.keep {
			w.past = append(w.past, d)
		}
	}
}

// snapshotID names a cleaning exchange by its server, its receiver and its id.
func snapshotID(from clock.Replica, to string, exchange uint64) string {
	return fmt.Sprint(from, ">", to, "#", exchange)
}

// deliver hands a message to its receiver.
func (w *world) deliver(d delivery) {
	if d.lane != nil && !w.arrive(d) {
		return
	}
	i := slices.IndexFunc(w.nodes, func(n *node) bool { return n.name == d.to && n.up })
	if i < 0 {
		return
	}
	n := w.nodes[i]
	m, err := w.codec.Decode(slices.Clone(d.bytes))
	if err != nil {
		w.t.Fatalf("decode what was encoded: %v", err)
	}
	before, holes := w.vector(n), n.e.Stats().OpenHoles
	var horizon clock.Vector
	if m.Kind == engine.Live {
		horizon = n.e.Horizon()
	}
	out, err := n.e.Step(w.clock(n), m)
	if m.Kind == engine.Live {
		w.checkLive(n, horizon)
	}
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

// vector returns what a node knows, to compare with later; nothing where nothing
// is checked.
func (w *world) vector(n *node) clock.Vector {
	if w.lax {
		return clock.Vector{}
	}
	return n.e.Vector()
}

// step does the next thing that is due, and reports its time.
func (w *world) step() {
	next := -1
	for i := range w.queue {
		if d := &w.queue[i]; next < 0 || d.at.Before(w.queue[next].at) || d.at.Equal(w.queue[next].at) && d.seq < w.queue[next].seq {
			next = i
		}
	}
	var ticker *node
	var due time.Time
	for _, n := range w.nodes {
		if !n.up {
			continue
		}
		if at := n.due(); ticker == nil || at.Before(due) {
			ticker, due = n, at
		}
	}
	if next >= 0 && (ticker == nil || !due.Before(w.queue[next].at)) {
		d := w.queue[next]
		w.queue = slices.Delete(w.queue, next, next+1)
		if d.at.After(w.now) {
			w.now = d.at
		}
		w.deliver(d)
		return
	}
	if due.After(w.now) {
		w.now = due
	}
	before := w.vector(ticker)
	out := ticker.e.Tick(w.clock(ticker))
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
	if !w.lax {
		w.checkAll()
	}
	return w.now.Sub(start)
}
