package gossip_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
)

// A network is cut in two, for membership too: each side takes the other for
// failed, and goes on. When it heals all see each other again and become equal.
func TestPartition(t *testing.T) {
	var sides atomic.Pointer[map[string]int] // by address; nil: not cut
	f := startFleet(t, 4, func(c *swim.Config) {
		c.ProbeInterval, c.ProbeTimeout, c.SuspicionMult = 200*time.Millisecond, 100*time.Millisecond, 3
		c.RedialInterval = 200 * time.Millisecond
		c.Cut = func(from, to string, _ transport.Channel) bool {
			side := sides.Load()
			return side != nil && (*side)[from] != (*side)[to]
		}
	})
	f.converge()
	cut := map[string]int{}
	for i := range f.nodes {
		cut[f.addr(i)] = i % 2
	}
	sides.Store(&cut)
	f.sees("each side takes the other for failed", func(i, j int) transport.State {
		if i%2 == j%2 {
			return transport.Alive
		}
		return transport.Failed
	})
	for i, m := range f.maps {
		if err := m.Set(t.Context(), fmt.Sprint("side", i%2), fmt.Sprint("by n", i)); err != nil {
			t.Fatal(err)
		}
	}
	f.written += 2
	waitFor(t, 20*time.Second, "each side agrees", func() bool {
		return f.nodes[0].Status().Spaces[0] == f.nodes[2].Status().Spaces[0] && f.nodes[1].Status().Spaces[0] == f.nodes[3].Status().Spaces[0]
	})
	for i, m := range f.maps {
		if _, ok := m.Get(fmt.Sprint("side", 1-i%2)); ok {
			t.Errorf("n%d has a write of the other side", i)
		}
	}

	sides.Store(nil)
	begin := time.Now()
	f.sees("all are alive again", func(int, int) transport.State { return transport.Alive })
	t.Logf("all see each other %v after the healing", time.Since(begin).Round(time.Millisecond))
	f.converge()
	waitFor(t, 20*time.Second, "all are equal", func() bool {
		want := f.nodes[0].Status().Spaces[0]
		for _, n := range f.nodes {
			if s := n.Status(); !s.Clean || s.Spaces[0] != want {
				return false
			}
		}
		return true
	})
}

// sees waits until each node sees each other one in the state that want returns.
func (f *fleet) sees(what string, want func(i, j int) transport.State) {
	f.t.Helper()
	waitFor(f.t, 20*time.Second, what, func() bool {
		for i, n := range f.nodes {
			for _, m := range n.Members() {
				var j int
				if _, err := fmt.Sscanf(m.Name, "n%d", &j); err != nil {
					f.t.Fatal(err)
				}
				if m.State != want(i, j) {
					return false
				}
			}
		}
		return true
	})
}
