package engine_test

import (
	"fmt"
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// checkBatches looks for the batches behind every move of a vector (I8).
func (w *world) checkBatches(n *node, before clock.Vector, m *engine.Message) {
	batches := m.Batches
	if m.Digest.Parts > 1 { // the part that came last need not be the one with the batches
		id := fmt.Sprint(n.e.Self(), m.From, m.Kind, m.Exchange)
		batches = append(w.parts[id], batches...)
		w.parts[id] = batches
	}
	for r, version := range n.e.Vector().All() {
		old := before.Version(r)
		if r == n.e.Self() || version == old {
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
