package sim_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// collecting is a cluster in which what is dead is soon gone.
func collecting(t *testing.T, nodes int) *sim.Sim {
	return start(t, sim.Config{
		Nodes: nodes, Link: sim.Link{Delay: sim.Uniform(time.Millisecond, 20*time.Millisecond)},
		Engine: engine.Config{Collect: true, ReportInterval: time.Second, RemoveAfter: 20 * time.Second},
	})
}

// remove deletes one key.
func remove(t *testing.T, s *sim.Sim, n *sim.Node, key string) {
	t.Helper()
	if err := s.Write(n, "s", model.Draft{Key: []byte(key), Kind: model.Tombstone}); err != nil {
		t.Fatal(err)
	}
}

// tombstones counts what waits to be collected at nodes that run.
func tombstones(s *sim.Sim) int {
	k := 0
	for _, n := range s.Nodes() {
		for _, sp := range n.Engine().Spaces() {
			if n.Up() {
				k += sp.Tombstones
			}
		}
	}
	return k
}

// longest returns the length of the longest vector of a node that runs.
func longest(s *sim.Sim) int {
	k := 0
	for _, n := range s.Nodes() {
		if n.Up() {
			k = max(k, n.Engine().Vector().Len())
		}
	}
	return k
}

// A node that restarts again and again and overwrites what it wrote before leaves
// nothing behind but its present life; one key that it never overwrites costs one more
// (R13, I14).
func TestRestartsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	s := collecting(t, 4)
	n := s.Node("n0")
	put(t, s, n, "kept", "value")
	for i := range 100 {
		for k := range 5 {
			put(t, s, n, fmt.Sprint("k", k), fmt.Sprint(i))
		}
		converge(t, s, time.Minute)
		n = s.Restart(n, false)
		if err := s.Until(time.Minute, "it may write again", func() bool { return !n.Engine().IsJoining(n.Clock()) }); err != nil {
			t.Fatal(err)
		}
	}
	put(t, s, n, "k0", "last")
	if err := s.Until(time.Minute, "the vectors are short", func() bool { return longest(s) <= 4+2 }); err != nil {
		t.Fatalf("%v: %v", err, s.Node("n1").Engine().Vector())
	}
	converge(t, s, time.Minute)
	if got := get(s.Node("n3"), "kept"); got != "value" {
		t.Errorf("what was never overwritten is %q", got)
	}
	if got := get(s.Node("n3"), "k4"); got != "99" {
		t.Errorf("k4 is %q", got)
	}
	before := s.Counts()["report"]
	run(t, s, 10*time.Second) // the last reports
	before = s.Counts()["report"] - before
	quiet := s.Counts()["report"]
	run(t, s, time.Minute)
	if got := s.Counts()["report"]; got != quiet {
		t.Errorf("%d reports in a quiet minute, %d in the 10 seconds before", got-quiet, before)
	}
}

// Nodes that join, write and leave leave one retirement for each name, and nothing in
// vectors as soon as there is a pause.
func TestChurnIsBounded(t *testing.T) {
	t.Parallel()
	s := collecting(t, 3)
	var last *sim.Node
	worst := 0
	for i := range *churn {
		n := s.Join(fmt.Sprint("guest", i))
		if err := s.Until(10*time.Second, "it may write", func() bool { return !n.Engine().IsJoining(n.Clock()) }); err != nil {
			t.Fatal(err)
		}
		put(t, s, n, "visitor", n.Name())
		put(t, s, n, n.Name(), "was here")
		remove(t, s, n, n.Name())
		s.Leave(n)
		if err := s.Until(10*time.Second, "it is gone", func() bool { return !n.Up() }); err != nil {
			t.Fatal(err)
		}
		last, worst = n, max(worst, longest(s))
		if i%20 != 19 {
			continue
		}
		limit := 3 + 2 // the members, and the last guest, whose key is there
		if err := s.Until(time.Minute, "the vectors are short", func() bool { return longest(s) <= limit && tombstones(s) == 0 }); err != nil {
			t.Fatalf("%v: %v, %d tombstones", err, s.Node("n1").Engine().Vector(), tombstones(s))
		}
	}
	t.Logf("longest vector %d", worst)
	for _, n := range s.Nodes()[:3] {
		if got := get(n, "visitor"); got != last.Name() {
			t.Errorf("%s shows %q, want %q", n.Name(), got, last.Name())
		}
		if got := len(n.Engine().Retired()); got > *churn {
			t.Errorf("%s keeps %d retirements of %d guests", n.Name(), got, *churn)
		}
	}
}

// Nodes that left in order do not count for the majority; those that were lost do, until
// somebody declares that (R7, R13).
func TestRetirementAndMajority(t *testing.T) {
	t.Parallel()
	s := collecting(t, 7)
	for i, n := range s.Nodes() {
		put(t, s, n, fmt.Sprint("k", i), "value")
	}
	converge(t, s, time.Minute)
	for _, name := range []string{"n6", "n5"} {
		s.Leave(s.Node(name))
		if err := s.Until(10*time.Second, name+" is gone", func() bool { return !s.Node(name).Up() }); err != nil {
			t.Fatal(err)
		}
	}
	at := s.Node("n0")
	remove(t, s, at, "k6")
	if err := s.Until(time.Minute, "five of five have collected", func() bool { return tombstones(s) == 0 }); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"n2", "n3", "n4"} {
		s.Crash(s.Node(name))
	}
	remove(t, s, at, "k5")
	run(t, s, 2*time.Minute)
	if _, why := at.Engine().Stable(); tombstones(s) == 0 || !slices.Contains(why, "2 of 5 known nodes are members: no majority") {
		t.Fatalf("%d tombstones are left, for: %q", tombstones(s), why)
	}
	if err := s.Retire(at, s.Node("n1")); !errors.Is(err, engine.ErrAlive) {
		t.Errorf("a living node is declared lost: %v", err)
	}
	for _, name := range []string{"n2", "n3"} {
		if err := s.Retire(at, s.Node(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Until(time.Minute, "two of three have collected", func() bool { return tombstones(s) == 0 }); err != nil {
		_, why := at.Engine().Stable()
		t.Fatalf("%v: %q", err, why)
	}
	converge(t, s, time.Minute)
	if got := get(at, "k3"); got != "value" {
		t.Errorf("what a lost node wrote is %q", got)
	}
}

// A node that was declared lost and is not becomes a new replica: what nobody knew of it
// is written again, what was deleted meanwhile stays deleted (R13, R11, I7).
func TestLostNodeReturns(t *testing.T) {
	t.Parallel()
	s := collecting(t, 3)
	lost := s.Node("n2")
	for i := range 10 {
		put(t, s, lost, fmt.Sprint("k", i), "value")
	}
	converge(t, s, time.Minute)
	s.Cut(sim.Isolate("n2"))
	put(t, s, lost, "alone", "value")
	put(t, s, lost, "k0", "changed alone")
	s.Forget(s.Node("n0"), lost)
	s.Forget(s.Node("n1"), lost)
	self := lost.Engine().Self()
	if err := s.Retire(s.Node("n0"), lost); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		remove(t, s, s.Node("n1"), fmt.Sprint("k", i))
	}
	if err := s.Until(time.Minute, "the others have collected", func() bool {
		return s.Node("n0").Engine().Spaces()[0].Updates+s.Node("n1").Engine().Spaces()[0].Updates == 0
	}); err != nil {
		t.Fatal(err)
	}
	s.Heal()
	s.Recall(s.Node("n0"), lost)
	s.Recall(s.Node("n1"), lost)
	converge(t, s, time.Minute)
	for _, n := range s.Nodes() {
		if got := n.Engine().Spaces()[0].Updates; got != 2 || get(n, "alone") != "value" || get(n, "k0") != "changed alone" {
			t.Errorf("%s shows %d keys; alone is %q, k0 %q", n.Name(), got, get(n, "alone"), get(n, "k0"))
		}
	}
	if now := lost.Engine().Self(); now.Epoch <= self.Epoch || lost.Engine().Stats().Anew != 1 {
		t.Errorf("it is %v still", now)
	}
	if err := s.Until(time.Minute, "its first life has vanished", func() bool { return longest(s) <= 3 }); err != nil {
		t.Error(err)
	}
}
