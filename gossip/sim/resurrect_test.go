package sim_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// What each rule of collection is for: a run in which a deleted value comes back without
// it (I7), or what is collected is not known to all members (I6), and nothing happens with
// it (R6–R9).
func TestDeletedValueReturnsWithout(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rule string
		weak engine.Unsafe
		run  func(t *testing.T, s *sim.Sim) error
		want string
	}{
		{"stable time", engine.Unsafe{Grace: time.Second}, collectedBehindACut, "I6"},
		{"reset of all replicas", engine.Unsafe{PerReplica: true}, returnOfARemovedNode, "I7"},
		{"majority", engine.Unsafe{Minority: true}, collectedAlone, "I7"},
		{"reset of all replicas, after a loss", engine.Unsafe{PerReplica: true}, returnAfterALoss, "I7"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			t.Parallel()
			for _, weak := range []engine.Unsafe{{}, tt.weak} {
				s := start(t, sim.Config{
					Nodes: 3, Link: sim.Link{Delay: sim.Constant(5 * time.Millisecond)},
					Engine: engine.Config{Collect: true, ReportInterval: time.Second, RemoveAfter: time.Minute, Budget: 1, Unsafe: weak},
				})
				for _, n := range s.Nodes() {
					put(t, s, n, n.Name(), "is here")
				}
				converge(t, s, time.Minute)
				err := tt.run(t, s)
				var v *sim.Violation
				switch {
				case weak == engine.Unsafe{} && err != nil:
					t.Errorf("with the rule: %v", err)
				case weak != engine.Unsafe{} && (!errors.As(err, &v) || v.Invariant != tt.want):
					t.Errorf("without the rule: %v, want a violation of %s", err, tt.want)
				}
			}
		})
	}
}

// quiet waits until all know the same, and every tombstone and what it deleted is gone.
func quiet(s *sim.Sim) error {
	s.Heal()
	gone := func() bool {
		for _, n := range s.Nodes() {
			if get(n, "k") != "nothing" {
				return false
			}
		}
		return true
	}
	if err := s.Until(time.Minute, "the value is gone, and no tombstone is left", func() bool { return gone() && tombstones(s) == 0 }); err != nil {
		return err
	}
	_, err := s.Converge(time.Minute)
	return err
}

// collected waits until some nodes have nothing left to collect.
func collected(s *sim.Sim, nodes ...*sim.Node) error {
	return s.Until(time.Minute, "it is collected", func() bool {
		for _, n := range nodes {
			if n.Engine().Spaces()[0].Tombstones > 0 {
				return false
			}
		}
		return true
	})
}

// A value is deleted while one node that has it is cut off, and still a member.
func collectedBehindACut(t *testing.T, s *sim.Sim) error {
	a := s.Node("n0")
	put(t, s, a, "k", "value")
	converge(t, s, time.Minute)
	s.Cut(sim.Isolate("n2"))
	remove(t, s, a, "k")
	if err := s.Run(20 * time.Second); err != nil {
		return err
	}
	return quiet(s)
}

// The same, but the others take it for gone and collect; then it comes back. The deleted
// value is another replica's than the delete.
func returnOfARemovedNode(t *testing.T, s *sim.Sim) error {
	a, b, c := s.Node("n0"), s.Node("n1"), s.Node("n2")
	put(t, s, b, "k", "value")
	converge(t, s, time.Minute)
	s.Cut(sim.Isolate("n2"))
	s.Forget(a, c)
	s.Forget(b, c)
	remove(t, s, a, "k")
	put(t, s, a, "another", "value") // so that a has something to tell
	if err := collected(s, a, b); err != nil {
		return err
	}
	s.Heal()
	s.Recall(a, c)
	s.Recall(b, c)
	return quiet(s)
}

// A node that is alone in its view deletes what it does not know, and then hears of the
// value from one node, and from another that its own delete has superseded the delete of
// somebody who had seen the value.
func collectedAlone(t *testing.T, s *sim.Sim) error {
	a, b, c := s.Node("n0"), s.Node("n1"), s.Node("n2")
	s.Cut(sim.Isolate("n0"))
	put(t, s, b, "k", "value")
	if err := s.Until(time.Minute, "c knows it", func() bool { return get(c, "k") == "value" }); err != nil {
		return err
	}
	s.Cut(sim.Isolate("n2"))
	remove(t, s, c, "k")
	run(t, s, time.Second)
	remove(t, s, a, "k")
	s.Heal()
	s.Cut(func(from, to string) bool { return from != "n0" || to != "n2" }) // only a speaks, to c
	u := a.Model("s").(*sim.Register).Get("k")
	s.Send(a, c.Name(), true, &engine.Message{
		Kind: engine.Push, From: u.Replica, To: c.Engine().Self().Epoch, HLC: u.Time, MaxUpdate: 1 << 20,
		Batches: []engine.Batch{{Replica: u.Replica, From: u.Version - 1, Through: u.Version, Updates: []*model.Update{u}}},
	})
	if err := s.Until(time.Minute, "c knows of a's delete", func() bool { return c.Vector().Covers(u.Dot) }); err != nil {
		return err
	}
	s.Cut(sim.Isolate("n0"))
	s.Forget(a, b)
	s.Forget(a, c)
	run(t, s, 20*time.Second)
	s.Heal()
	s.Cut(sim.Isolate("n2"))
	s.Recall(a, b)
	if err := s.Until(time.Minute, "a knows the value", func() bool { return a.Vector().Version(b.Engine().Self()) == 2 }); err != nil {
		return err
	}
	s.Recall(a, c)
	return quiet(s)
}

// The same as returnOfARemovedNode, after a node has died with what superseded something,
// and the others have given up waiting for it: what is deleted later stays deleted.
func returnAfterALoss(t *testing.T, s *sim.Sim) error {
	others, dies := slices.Clone(s.Nodes()), s.Join("n3")
	converge(t, s, time.Minute)
	alone := func(n *sim.Node, what string, done func() bool) error {
		s.Heal()
		s.Cut(func(from, to string) bool {
			return from != dies.Name() && to != dies.Name() || from != n.Name() && to != n.Name()
		})
		return s.Until(time.Minute, what, done)
	}
	for _, n := range others {
		put(t, s, n, "lost "+n.Name(), "first")
		put(t, s, n, "kept "+n.Name(), "value")
		self, last := n.Engine().Self(), n.Vector().Version(n.Engine().Self())
		if err := alone(n, "it knows both", func() bool { return dies.Vector().Version(self) == last }); err != nil {
			return err
		}
	}
	for _, n := range others {
		put(t, s, dies, "lost "+n.Name(), "second")
	}
	for _, n := range others {
		if err := alone(n, "there is a hole", func() bool { return !n.Engine().Clean() }); err != nil {
			return err
		}
	}
	s.Crash(dies)
	s.Heal()
	given := func(n *sim.Node) bool { return n.Engine().Stats().GivenUp > 0 }
	if err := s.Until(3*time.Minute, "it is given up", func() bool { return slices.ContainsFunc(others, given) }); err != nil {
		return err
	}
	if err := s.Retire(others[0], dies); err != nil { // two of four would be no majority
		return err
	}
	converge(t, s, time.Minute)
	return returnOfARemovedNode(t, s)
}
