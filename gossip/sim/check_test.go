package sim

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Each check notices when what it compares with is not as it should be.
func TestChecksBite(t *testing.T) {
	stranger := clock.Replica{Node: "stranger", Epoch: 1}
	for _, tt := range []struct {
		invariant string
		damage    func(s *Sim, n *Node) // n knows something, and more is to come
	}{
		{"I1", func(_ *Sim, n *Node) { n.watch.vector.Set(stranger, 7) }},
		{"I2", func(s *Sim, n *Node) {
			for _, a := range s.check.history.authors {
				for v := clock.Version(1); v <= 9; v++ {
					a.written[v] = &record{}
				}
			}
		}},
		{"I3", func(_ *Sim, n *Node) { n.watch.probes["s"].retained = newRetention() }},
		{"I4", func(s *Sim, n *Node) {
			for _, a := range s.check.agreed {
				if a.shown[0].by != nil {
					a.shown[0].hash[3]++
				}
			}
			s.check.node(n)
		}},
		{"I5", func(s *Sim, n *Node) {
			k := &knowledge{vector: clock.NewVector([]clock.Entry{{Replica: stranger, Version: 1}})}
			s.check.checkHorizon(n, &packet{knew: k}, &engine.Message{})
		}},
		{"I8", func(s *Sim, n *Node) {
			n.watch.vector = clock.NewVector([]clock.Entry{n.watch.vector.At(0)})
		}},
		{"I11", func(_ *Sim, n *Node) { n.maxDatagram = 10 }},
		{"I13", func(s *Sim, n *Node) {
			s.cfg.Tamper = func(to *Node, _ *engine.Message) { to.watch.changed = true }
		}},
		{"Deps", func(s *Sim, n *Node) {
			s.check.checkDeps(n, &model.Update{Deps: clock.NewDots([]clock.Dot{{Replica: stranger, Version: 1}})})
		}},
	} {
		s, err := New(Config{Seed: 1, Nodes: 2, Engine: engine.Config{MaxInterval: time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		write := func(n *Node, key string) {
			if err := s.Write(n, "s", model.Draft{Key: []byte(key)}); err != nil {
				t.Fatal(err)
			}
		}
		write(s.nodes[0], "a")
		write(s.nodes[1], "b")
		if _, err := s.Converge(0); err != nil {
			t.Fatal(err)
		}
		tt.damage(s, s.nodes[0])
		write(s.nodes[1], "c")
		var v *Violation
		if err := s.Run(10 * time.Second); !errors.As(err, &v) || v.Invariant != tt.invariant {
			t.Errorf("%s: got %v", tt.invariant, err)
			continue
		}
		if !errors.Is(s.Step(), error(v)) || !strings.Contains(v.Error(), tt.invariant+" violated") {
			t.Errorf("%s: a violation ends everything: %v", tt.invariant, v)
		}
	}
}

// An oracle that follows a vector knows what one that begins anew does, also when the
// vector is another one altogether.
func TestOracleFollows(t *testing.T) {
	s, err := New(Config{Seed: 1, Nodes: 3})
	if err != nil {
		t.Fatal(err)
	}
	s.Load(Load{Rate: 30})
	var vectors []clock.Vector
	for range 30 {
		if err := s.Run(300 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
		for _, n := range s.nodes {
			vectors = append(vectors, n.engine.Vector())
		}
	}
	var o oracle
	for i := range 300 {
		v := vectors[i%len(vectors)]
		if i > 100 {
			v = vectors[s.rng.Intn(len(vectors))]
		}
		o.follow(s.check, v)
		var fresh oracle
		fresh.follow(s.check, v)
		if o.spaces[0].retained.sums != fresh.spaces[0].retained.sums {
			t.Fatalf("at %v it retains %v", v, list(o.spaces[0].retained.without(&fresh.spaces[0].retained)))
		}
	}
}

// Verdicts are remembered for so many vectors, no more.
func TestAgreedIsBounded(t *testing.T) {
	s, err := New(Config{Nodes: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range maxAgreed + 10 {
		if err := s.Write(s.nodes[0], "s", model.Draft{Key: []byte("k")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Run(0); err != nil {
		t.Fatal(err)
	}
	if n := len(s.check.agreed); n != maxAgreed || len(s.check.order) != n {
		t.Errorf("%d verdicts", n)
	}
}

// A queue gives events back in the order of time, those of one moment in the order
// in which they came; a rota does so for nodes that move.
func TestQueues(t *testing.T) {
	rng := source(1).rand()
	var q queue
	for i := range uint64(500) {
		q.push(event{at: time.Duration(rng.Intn(50)), seq: i})
	}
	for last := (event{}); len(q) > 0; {
		e := q.pop()
		if e.before(&last) {
			t.Fatalf("%v %d after %v %d", e.at, e.seq, last.at, last.seq)
		}
		last = e
	}
	var r rota
	var nodes []*Node
	for i := range 50 {
		nodes = append(nodes, &Node{index: i, place: -1})
	}
	for range 2000 {
		n := nodes[rng.Intn(len(nodes))]
		if n.due = time.Duration(rng.Intn(30)); rng.Intn(4) == 0 {
			r.drop(n)
		} else {
			r.put(n)
		}
		for i, n := range r {
			if n.place != i || i > 0 && r.before(i, (i-1)/2) {
				t.Fatal("no heap")
			}
		}
	}
}
