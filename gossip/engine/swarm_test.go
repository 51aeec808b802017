package engine_test

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

var firstSeed = flag.Int64("first", 0, "the first seed of the swarm")

// A swarm: restarts with nothing but the name, crashes, cuts of all kinds, relays,
// late attachment, duplicates, messages that are seconds late, clocks that run
// ahead, tiny messages, budgets and tables. Every invariant holds after every
// event; when the faults end, the living agree.
func TestSwarm(t *testing.T) {
	sometimes := map[string]uint64{}
	for seed := *firstSeed; seed < *firstSeed+int64(*seeds); seed++ {
		ok := t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newSwarm(t, seed, sometimes)
			for range s.events {
				s.event()
			}
			s.end()
		})
		if !ok {
			t.Fatalf("replay: go test ./gossip/engine -run 'TestSwarm$' -first %d -seeds 1", seed)
		}
	}
	t.Log(sometimes)
	if *seeds < 20 {
		return
	}
	for _, what := range []string{
		"closed hole", "open hole", "dirty node", "batch refused", "pull", "push", "repair", "cleaning asked for",
		"cleaning exchange", "cleaning refused", "rebase", "new epoch", "digest in parts", "held replica", "time-out", "crash", "restart",
		"clock stepped back", "cut", "one-way cut", "isolated node", "relay", "late attach", "late message", "delete", "dependency",
		"small tables", "all clean at the end",
	} {
		if sometimes[what] == 0 {
			t.Errorf("never happened: %s", what)
		}
	}
}

// swarm is a world and what happens to it.
type swarm struct {
	*world
	sometimes map[string]uint64
	events    int
	small     bool // tables of replicas are too small for all
	lateness  float64
	pace      time.Duration
	died      bool
	asked     map[string]bool // cleaning exchanges, by server and id
	stepped   map[string]bool // nodes whose wall clock stepped back
	maxSkew   time.Duration
}

func newSwarm(t *testing.T, seed int64, sometimes map[string]uint64) *swarm {
	w := newWorld(t, seed, 0, engine.Config{})
	s := &swarm{world: w, sometimes: sometimes, events: 40 + w.rng.Intn(80), asked: map[string]bool{}, stepped: map[string]bool{}}
	w.cfg = engine.Config{
		Interval:    200 * time.Millisecond,
		MaxDatagram: []int{512, 1400}[w.rng.Intn(2)],
		MaxUpdate:   700,
		MaxStream:   []int{1212, 1400, 5000}[w.rng.Intn(3)],
		MaxDrift:    []time.Duration{0, 2 * time.Second}[w.rng.Intn(2)],
	}
	if s.small = w.rng.Intn(5) == 0; s.small {
		sometimes["small tables"]++
		w.cfg.MaxReplicas = 2 + w.rng.Intn(6)
	}
	if w.cfg.MaxDrift > 0 {
		s.maxSkew = 4 * time.Second
	}
	budgets := []int{1, 60, 300, 0}
	budget := w.rng.Intn(len(budgets))
	mixed := w.rng.Intn(2) == 0
	padding := strings.Repeat("x", []int{0, 0, 110}[w.rng.Intn(3)])
	all := []string{"a", "b"}
	for i := range 2 + w.rng.Intn(5) {
		w.cfg.Budget = budgets[budget]
		if mixed {
			w.cfg.Budget = budgets[w.rng.Intn(len(budgets))]
		}
		if w.spaces = all; i > 1 && w.rng.Intn(8) == 0 {
			w.spaces = all[:w.rng.Intn(2)]
			sometimes["relay"]++
		}
		w.now = w.now.Add(time.Millisecond)
		w.add(fmt.Sprintf("n%d%s", i, padding))
	}
	w.spaces = all
	w.announce()
	w.faults = faults{
		loss: 0.3 * w.rng.Float64(), duplicate: 0.3,
		delay: time.Duration(w.rng.Intn(200)) * time.Millisecond, keep: true,
	}
	s.lateness = 0.1 * w.rng.Float64()
	s.pace = []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond}[w.rng.Intn(3)]
	w.lag = func(from, to string, stream bool) time.Duration {
		if w.rng.Float64() >= s.lateness {
			return 0
		}
		sometimes["late message"]++
		return time.Duration(w.rng.Int63n(int64(8 * time.Second)))
	}
	w.spy = s.look
	return s
}

// look counts what messages show.
func (s *swarm) look(m *engine.Message, d *delivery) bool {
	count := func(what string, yes bool) {
		if yes {
			s.sometimes[what]++
		}
	}
	if m.Kind == engine.Syn && m.Cleaning {
		count("cleaning asked for", true)
		s.asked[fmt.Sprint(d.to, m.Exchange)] = true
	}
	count("cleaning refused", m.Kind == engine.Ack && !m.Cleaning && !m.Same && s.asked[fmt.Sprint(m.From.Node, m.Exchange)])
	count("cleaning exchange", m.Kind == engine.Ack && m.Cleaning)
	count("pull", m.Kind == engine.Pull)
	count("push", m.Kind == engine.Push)
	count("repair", m.Kind == engine.Repair)
	count("digest in parts", m.Digest.Parts > 1)
	count("held replica", slices.ContainsFunc(m.Digest.Entries, func(d engine.DigestEntry) bool { return d.Held }))
	return true
}

// pick returns a living node.
func (s *swarm) pick() *node {
	for {
		if n := s.nodes[s.rng.Intn(len(s.nodes))]; n.up {
			return n
		}
	}
}

func (s *swarm) alive() int {
	k := 0
	for _, n := range s.nodes {
		if n.up {
			k++
		}
	}
	return k
}

// event writes something, lets time pass, and sometimes breaks something.
func (s *swarm) event() {
	s.writeSomething()
	s.run(time.Duration(s.rng.Int63n(int64(s.pace))))
	for _, n := range s.nodes {
		if n.up && !n.e.Clean() {
			s.sometimes["dirty node"]++
		}
	}
	kind := s.rng.Intn(25)
	switch kind {
	case 0:
		s.comeBack(s.nodes[s.rng.Intn(len(s.nodes))])
	case 1:
		if s.alive() > 2 {
			n := s.pick()
			s.count(n)
			s.crash(n)
			s.died = true
			s.sometimes["crash"]++
			s.announce()
		}
	case 2:
		s.attachLate()
	case 3, 4: // messages of the past come once more
		for range min(5, len(s.past)) {
			s.deliver(s.past[s.rng.Intn(len(s.past))])
		}
	case 5, 6:
		s.split()
	case 7, 8, 9:
		s.world.cut = nil
	case 10:
		if s.maxSkew > 0 {
			if n := s.pick(); n.skew < s.maxSkew { // a clock never steps back while its node lives
				n.skew += time.Duration(s.rng.Int63n(int64(s.maxSkew - n.skew)))
			}
		}
	}
}

func (s *swarm) writeSomething() {
	n := s.pick()
	space := []string{"a", "b"}[s.rng.Intn(2)]
	if n.models[space] == nil {
		return
	}
	d := model.Draft{Key: fmt.Append(nil, "k", s.rng.Intn(6)), Value: []byte(strings.Repeat("v", s.rng.Intn(200)))}
	if s.rng.Intn(8) == 0 {
		d.Kind, d.Value = model.Tombstone, nil
		s.sometimes["delete"]++
	}
	switch s.rng.Intn(8) {
	case 0:
		if ref, ok := s.referent(n); ok {
			d.Deps = []clock.Dot{ref}
			s.sometimes["dependency"]++
		}
	}
	switch err := s.issue(n, space, d); {
	case errors.Is(err, engine.ErrClock):
	case err != nil:
		s.t.Fatal(err)
	}
}

// referent returns an update that a node retains; others may overwrite it.
func (s *swarm) referent(n *node) (clock.Dot, bool) {
	var all []clock.Dot
	for _, g := range n.models {
		for _, u := range g.byKey {
			all = append(all, u.Dot)
		}
	}
	if len(all) == 0 {
		return clock.Dot{}, false
	}
	slices.SortFunc(all, clock.Dot.Compare)
	return all[s.rng.Intn(len(all))], true
}

// comeBack starts a node again that lost everything but its name. Once for each
// node the wall clock stepped back meanwhile: a second time might give two lives one
// identity, which is a fork, and no part of this.
func (s *swarm) comeBack(n *node) {
	s.count(n)
	s.died = true
	s.sometimes["restart"]++
	s.now = s.now.Add(time.Millisecond)
	epoch := max(uint64(s.now.UnixMilli()), n.e.Self().Epoch+1)
	if s.rng.Intn(3) == 0 && !s.stepped[n.name] {
		s.stepped[n.name] = true
		epoch -= 3_600_000
		s.sometimes["clock stepped back"]++
	}
	all := s.spaces
	if s.rng.Intn(5) == 0 {
		s.spaces = all[:1]
	}
	s.restart(n, epoch)
	s.spaces = all
	s.announce()
}

func (s *swarm) attachLate() {
	for _, n := range s.nodes {
		for _, space := range s.spaces {
			if !n.up || n.models[space] != nil {
				continue
			}
			s.sometimes["late attach"]++
			n.models[space] = newRegister()
			before := n.e.Vector()
			if err := n.e.Attach(space, n.models[space]); err != nil {
				s.t.Fatal(err)
			}
			s.after(n, before, nil, engine.Output{})
		}
	}
}

// split cuts the network: in two, around one node, or one way only.
func (s *swarm) split() {
	side := map[string]bool{}
	for _, n := range s.nodes {
		side[n.name] = s.rng.Intn(2) == 0
	}
	victim := s.pick().name
	switch s.rng.Intn(3) {
	case 0:
		s.sometimes["cut"]++
		s.world.cut = func(from, to string) bool { return side[from] != side[to] }
	case 1:
		s.sometimes["isolated node"]++
		s.world.cut = func(from, to string) bool { return from == victim || to == victim }
	case 2:
		s.sometimes["one-way cut"]++
		s.world.cut = func(from, to string) bool { return side[from] && !side[to] }
	}
}

// count adds a node's figures before it is gone.
func (s *swarm) count(n *node) {
	if !n.up {
		return
	}
	st := n.e.Stats()
	s.sometimes["open hole"] += st.OpenHoles
	s.sometimes["batch refused"] += st.BatchesRefused
	s.sometimes["gap"] += st.Gaps
	s.sometimes["new epoch"] += st.Epochs
	s.sometimes["rebase"] += st.Rebased
	s.sometimes["time-out"] += st.Exchanges.Timeout
	if st.Forks > 0 {
		s.t.Fatalf("%s counted %d forks, and there was no twin", n.name, st.Forks)
	}
}

// end stops all faults and waits until the living agree. Where tables are too
// small for all replicas there is nothing to agree on: then time passes and the
// invariants hold.
func (s *swarm) end() {
	s.world.cut, s.lag, s.faults.loss = nil, nil, 0
	if s.rng.Intn(2) == 0 {
		s.attachLate()
	}
	s.announce()
	if s.small {
		s.run(20 * time.Second)
	} else {
		for start := s.now; !s.settled(); s.step() {
			if s.now.Sub(start) > 2*time.Minute {
				for _, n := range s.nodes {
					s.t.Logf("%s up=%t clean=%t V=%v H=%v %v", n.name, n.up, n.e.Clean(), n.e.Vector(), n.e.Horizon(), n.e.Spaces())
				}
				s.t.Fatal("no agreement after 2 minutes without faults")
			}
		}
		if !s.died {
			s.replay()
		}
	}
	s.sometimes["closed hole"] += uint64(s.closed)
	clean := uint64(1)
	for _, n := range s.nodes {
		s.count(n)
		if n.up && !n.e.Clean() {
			clean = 0
		}
	}
	s.sometimes["all clean at the end"] += clean
}

// settled reports whether the living agree: they know the same, and spaces that
// two of them attach are equal. They are also clean, with one exception: what
// their horizons name died with its holders, and no node with all spaces is clean
// that could vouch for their state (R4, R12, R14).
func (s *swarm) settled() bool {
	var first *node
	clean, dirty := false, false
	hashes := map[string]engine.Hash{}
	for _, n := range s.nodes {
		if !n.up {
			continue
		}
		if first == nil {
			first = n
		}
		if n.e.Vector().Compare(first.e.Vector()) != clock.Equal {
			return false
		}
		for _, sp := range n.e.Spaces() {
			if !sp.Attached {
				continue
			}
			if h, ok := hashes[sp.Space]; ok && h != sp.Hash {
				return false
			}
			hashes[sp.Space] = sp.Hash
		}
		if len(n.models) == len(s.spaces) {
			clean = clean || n.e.Clean()
			dirty = dirty || !n.e.Clean()
		}
	}
	return !clean || !dirty
}
