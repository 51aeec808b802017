package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// In each round each node turns to one and is turned to by one, and three times as many
// know what was new to one; a cycle of log3 N rounds, begun anywhere in it, is enough.
func TestScheduleSpreads(t *testing.T) {
	t.Parallel()
	for n, rounds := range map[int]int{2: 1, 3: 1, 4: 2, 9: 2, 10: 3, 27: 3, 40: 4} {
		w := newWorld(t, 1, n, engine.Config{MinInterval: time.Second})
		index := map[string]int{}
		for i, m := range w.nodes {
			index[m.name] = i
		}
		first := w.now.Truncate(time.Duration(rounds) * time.Second) // a cycle begins
		knows := make([]map[int]bool, n)                             // of each node, whose updates
		for i := range knows {
			knows[i] = map[int]bool{i: true}
		}
		for round := range rounds {
			now := first.Add(time.Duration(round) * time.Second)
			turned, next := map[int]bool{}, make([]map[int]bool, n)
			for i := range next {
				next[i] = map[int]bool{}
			}
			for i, m := range w.nodes {
				p := index[m.e.Scheduled(now)]
				if p == i || turned[p] {
					t.Fatalf("%d nodes, round %d: two turn to %d, or it to itself", n, round, p)
				}
				turned[p] = true
				for _, of := range []int{i, p} {
					for _, to := range []int{i, p} {
						for u := range knows[of] {
							next[to][u] = true
						}
					}
				}
			}
			knows = next
		}
		for i, k := range knows {
			if len(k) != n {
				t.Errorf("%d nodes: after %d rounds node %d knows of %d", n, rounds, i, len(k))
			}
		}
	}
}

// The order changes with every cycle: sooner or later each node turns to each other one,
// and never to one that has failed.
func TestScheduleChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 10, engine.Config{MinInterval: time.Second})
	a := w.nodes[0]
	a.e.SetPeer(w.now, w.nodes[5].name, engine.PeerFailed)
	met := map[string]int{}
	for i := range 300 {
		met[a.e.Scheduled(w.now.Add(time.Duration(i)*time.Second))]++
	}
	for i, m := range w.nodes[1:] {
		if n := met[m.name]; (n > 10) != (i != 4) || n > 80 {
			t.Errorf("%s was turned to %d times of 300", m.name, n)
		}
	}
	if len(met) != 8 {
		t.Errorf("turned to %v", met)
	}
}

// Without links, a node that hurries turns to two at a time, and so do those that hear of it:
// nine know what is new at the latest when the first of them turns to others once more.
func TestHurriedRoundsTurnToTwo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 9, engine.Config{})
	w.faults.delay = time.Millisecond
	w.pass(10 * time.Second)
	exchanges := func() uint64 { return w.sum(func(s engine.Stats) uint64 { return s.Exchanges.Started }) }
	var longest time.Duration
	for i := range 9 {
		before := exchanges()
		w.mustWrite(w.nodes[i], "s", "k", fmt.Sprint(i))
		w.step()
		if n := exchanges() - before; n != 2 {
			t.Fatalf("the writer turned to %d", n)
		}
		longest = max(longest, w.converge(time.Second))
		w.pass(5 * time.Second)
	}
	if longest > 25*time.Millisecond {
		t.Errorf("it took up to %v until all knew", longest)
	}
}
