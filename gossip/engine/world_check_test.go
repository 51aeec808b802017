package engine_test

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// checkAllEvery is after how many events per node a world checks all nodes,
// touched or not.
const checkAllEvery = 64

// looks is what tells whether an event changed a node.
type looks struct {
	clean  bool
	spaces []engine.SpaceStatus
}

// state is what a clean node showed.
type state struct {
	by     string
	spaces map[string]engine.Hash // attached ones
}

// after checks a node that an event touched and sends its output.
func (w *world) after(n *node, before clock.Vector, m *engine.Message, out engine.Output) {
	w.send(n, out)
	if out.Fresh {
		w.feed(n)
	}
	if w.lax {
		return
	}
	v := n.e.Vector()
	o := v.Compare(before)
	if o != clock.Equal && o != clock.After && !n.isExcused(before, v) {
		w.t.Fatalf("%s: vector went from %v to %v (I1)", n.name, before, v)
	}
	if m != nil {
		w.checkBatches(n, before, v, m)
	}
	now := looks{n.e.Clean(), n.e.Spaces()}
	changed := o != clock.Equal || len(out.Changed) > 0 || now.clean != n.seen.clean || !slices.Equal(now.spaces, n.seen.spaces)
	n.seen = now
	if w.events++; w.events%(checkAllEvery*len(w.nodes)) == 0 {
		w.checkAll()
	} else if changed {
		w.checkNode(n, v)
	}
}

// isExcused reports whether a vector fell by what is over only: a replica has vanished,
// or what one wrote after it was declared lost was taken away (R13).
func (n *node) isExcused(before, now clock.Vector) bool {
	for id, version := range before.All() {
		gone := n.e.IsVanished(id) || slices.ContainsFunc(n.e.Retired(), func(t engine.Retirement) bool {
			return t.Node == id.Node && t.Gone == id.Epoch && now.Version(id) >= t.Final
		})
		if now.Version(id) < version && !gone {
			return false
		}
	}
	return true
}

// checkAll checks all nodes, without what earlier checks left.
func (w *world) checkAll() {
	for _, n := range w.nodes {
		n.oracle = oracle{}
		w.checkNode(n, n.e.Vector())
	}
}

// checkNode checks all that must hold of a node with this vector at any time.
func (w *world) checkNode(n *node, v clock.Vector) {
	if err := n.e.Check(); err != nil {
		w.t.Fatalf("%s: %v", n.name, err)
	}
	if n.e.Clean() {
		w.givenUp = w.givenUp || n.e.Stats().GivenUp > 0
		if !w.givenUp && !w.late { // what superseded something may be lost for good
			w.checkOracle(n, v)
			w.checkAgreed(n, v)
		}
	}
}

// checkBatches looks for the batches behind every move of a vector (I8).
func (w *world) checkBatches(n *node, before, now clock.Vector, m *engine.Message) {
	batches := m.Batches
	if m.Digest.Parts > 1 { // the part that came last need not be the one with the batches
		id := fmt.Sprintf("%p %v %v %d", n, m.From, m.Kind, m.Exchange) // of this life of the node
		batches = append(w.parts[id], batches...)
		w.parts[id] = batches
	}
	for r, version := range now.All() {
		old := before.Version(r)
		if r == n.e.Self() || version <= old {
			continue
		}
		i := slices.IndexFunc(batches, func(b engine.Batch) bool {
			return b.Replica == r && b.From <= old && old < b.Through
		})
		if i < 0 {
			w.t.Fatalf("%s: %v went from %d to %d without a batch that starts there (I8)", n.name, r, old, version)
		}
		if b := batches[i]; b.Closed && clock.Version(len(b.Updates)) < b.Through-b.From {
			w.closed++
		}
	}
}

// oracle is the value of all updates that a vector covers. It follows a vector
// that grows, so that a check costs what is new.
type oracle struct {
	vector clock.Vector
	value  map[string]map[string]*model.Update // by space and key
}

// follow goes on to v.
func (o *oracle) follow(w *world, v clock.Vector) {
	if c := v.Compare(o.vector); o.value == nil || c != clock.After && c != clock.Equal {
		o.vector, o.value = clock.Vector{}, map[string]map[string]*model.Update{}
	}
	fresh := 0
	for r, version := range v.All() {
		fresh += int(version - o.vector.Version(r))
	}
	if fresh > len(w.all) { // an invented vector
		for d, u := range w.all {
			if v.Covers(d) {
				o.add(u)
			}
		}
	} else if fresh > 0 {
		for r, version := range v.All() {
			for n := o.vector.Version(r) + 1; n <= version; n++ {
				if u := w.all[clock.Dot{Replica: r, Version: n}]; u != nil {
					o.add(u)
				}
			}
		}
	}
	o.vector = v
}

// add takes an update into account.
func (o *oracle) add(u *model.Update) {
	s := o.value[u.Space]
	if s == nil {
		s = map[string]*model.Update{}
		o.value[u.Space] = s
	}
	if old := s[string(u.Key)]; old == nil || (*register)(nil).Supersedes(u, old) {
		s[string(u.Key)] = u
	}
}

// know takes down what was written. A vector that covers it already was judged
// without it.
func (w *world) know(u *model.Update) {
	w.all[u.Dot] = u
	for _, n := range w.nodes {
		if n.oracle.vector.Covers(u.Dot) {
			n.oracle = oracle{}
		}
	}
}

// checkOracle compares a clean node's state with the value of all updates that
// its vector covers (I3).
func (w *world) checkOracle(n *node, v clock.Vector) {
	n.oracle.follow(w, v)
	got, want := 0, 0
	floors := n.e.Floors()
	for space, g := range n.models {
		value := n.oracle.value[space]
		for key, u := range value {
			if !u.Collectable() || u.Version > floors.Version(u.Replica) || g.byKey[key] != nil {
				want++
			}
		}
		for key, u := range g.byKey {
			got++
			if o := value[key]; o == nil || o.Dot != u.Dot || string(o.Value) != string(u.Value) {
				if o != nil && o.Collectable() && o.Version <= floors.Version(o.Replica) && !w.deleted(u, v) {
					w.late = true // its writer had not heard of the members (R11)
					continue
				}
				w.t.Fatalf("%s is clean at %v and has %v for %s/%s, the oracle %v (I3) %+v; floors %v; %v tomb %v", n.name, v, u.Dot, space, key, o, n.e.Stats(), floors, u.Time, o.IsTombstone())
			}
		}
	}
	if got != want {
		w.t.Fatalf("%s is clean at %v and has %d keys, the oracle %d (I3)", n.name, v, got, want)
	}
}

// checkAgreed compares the state hashes of a clean node with those of all others
// that were clean with this vector, then or now (I4).
func (w *world) checkAgreed(n *node, v clock.Vector) {
	id := make([]byte, 0, 32*v.Len())
	for r, version := range v.All() {
		id = append(append(id, r.Node...), 0)
		id = binary.BigEndian.AppendUint64(id, r.Epoch)
		id = binary.BigEndian.AppendUint64(id, uint64(version))
	}
	s, ok := w.agreed[string(id)]
	if !ok {
		s = state{n.name, map[string]engine.Hash{}}
		w.agreed[string(id)] = s
	}
	for _, sp := range n.e.Spaces() {
		if !sp.Attached {
			continue
		}
		if h, ok := s.spaces[sp.Space]; ok && h != sp.Hash {
			w.t.Fatalf("%s and %s are clean, know %v, and differ in %q (I4)", n.name, s.by, v, sp.Space)
		}
		s.spaces[sp.Space] = sp.Hash
	}
}

// deleted reports whether a vector covers a delete of u whose writer had seen u: then
// it must never be shown again (I7).
func (w *world) deleted(u *model.Update, v clock.Vector) bool {
	for d, saw := range w.saw { // any order: it only asks whether there is one
		t := w.all[d]
		if t.IsTombstone() && t.Space == u.Space && string(t.Key) == string(u.Key) && v.Covers(d) && saw.Covers(u.Dot) {
			return true
		}
	}
	return false
}
