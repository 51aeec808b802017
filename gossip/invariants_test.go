package gossip

import (
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// witness sees all updates that any node of a test applies, and what nodes show,
// and reports broken invariants (DESIGN §8).
type witness struct {
	t *testing.T

	mu      sync.Mutex
	updates map[clock.Dot]*model.Update
	vectors map[string]clock.Vector // by node, as last seen
	states  map[string]string       // state hashes of clean nodes, by vector
}

func newWitness(t *testing.T) *witness {
	return &witness{
		t: t, updates: map[clock.Dot]*model.Update{},
		vectors: map[string]clock.Vector{}, states: map[string]string{},
	}
}

// recorder is a map whose updates a witness sees.
type recorder struct {
	model.Map[string]
	w *witness
}

func (r *recorder) Apply(u *model.Update) model.Effect {
	r.w.applied(u)
	return r.Map.Apply(u)
}

// applied checks I2: one dot, one content, everywhere.
func (w *witness) applied(u *model.Update) {
	w.mu.Lock()
	defer w.mu.Unlock()
	content := func(u *model.Update) string { return fmt.Sprint(u.Time, u.Space, u.Key, u.Value, u.Kind) }
	if old := w.updates[u.Dot]; old == nil {
		w.updates[u.Dot] = u
	} else if content(old) != content(u) {
		w.t.Errorf("I2: %v is %s and %s", u.Dot, content(old), content(u))
	}
}

// look checks what one node shows at this moment.
func (w *witness) look(n *Node, m *recorder) {
	n.order.Lock() // nothing changes meanwhile
	defer n.order.Unlock()
	if err := n.engine.Check(); err != nil {
		w.t.Errorf("%s: %v", n.cfg.Name, err)
	}
	s := n.Status()
	shown := maps.Collect(m.All())

	w.mu.Lock()
	defer w.mu.Unlock()
	name := n.cfg.Name
	known := s.Vector
	for r, version := range w.vectors[name].All() {
		switch {
		case s.Vector.Version(r) >= version:
		case n.engine.IsVanished(r):
			known.Merge(clock.NewVector([]clock.Entry{{Replica: r, Version: version}}))
		default:
			w.t.Errorf("I1: vector of %s went from %v to %v", name, w.vectors[name], s.Vector)
		}
	}
	w.vectors[name] = known
	if !s.Clean {
		return
	}
	if want := w.oracle(known); !maps.Equal(shown, want) {
		w.t.Errorf("I3: %s is clean at %v and shows %v, want %v", name, known, shown, want)
	}
	vector, state := known.String(), ""
	for _, sp := range s.Spaces { // tombstones go when it is time
		state += fmt.Sprint(sp.Space, sp.Updates-sp.Tombstones, sp.Hash, " ")
	}
	if old, ok := w.states[vector]; ok && old != state {
		w.t.Errorf("I4: at %v %s has %s, another node had %s", known, name, state, old)
	}
	w.states[vector] = state
}

// oracle returns what a map shows that knows everything up to v.
func (w *witness) oracle(v clock.Vector) map[string]string {
	newest := map[string]*model.Update{}
	var m model.Map[string]
	for dot, u := range w.updates {
		if old := newest[string(u.Key)]; v.Covers(dot) && (old == nil || m.Supersedes(u, old)) {
			newest[string(u.Key)] = u
		}
	}
	shown := map[string]string{}
	for key, u := range newest {
		if !u.IsTombstone() {
			shown[key] = string(u.Value)
		}
	}
	return shown
}

// sized is a transport that checks I11: no message over its limit.
type sized struct {
	*memnet.Endpoint
	t     *testing.T
	name  string
	limit [2]int // by channel
	mu    *sync.Mutex
	most  *[2]int
}

func (s sized) Send(to string, ch transport.Channel, msg []byte) error {
	if len(msg) > s.limit[ch] {
		s.t.Errorf("I11: %s sends a %v of %d bytes, limit %d", s.name, ch, len(msg), s.limit[ch])
	}
	s.mu.Lock()
	s.most[ch] = max(s.most[ch], len(msg))
	s.mu.Unlock()
	return s.Endpoint.Send(to, ch, msg)
}
