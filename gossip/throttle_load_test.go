package gossip

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
)

// A node alone writes as fast as it likes, whatever its budget is.
func TestAloneIsNotThrottled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := startOn(t, memnet.New(memnet.Config{}), "a", narrow)
		start := time.Now()
		for i := range 20_000 {
			if err := a.m.TrySet(t.Context(), fmt.Sprint(i), "v"); err != nil {
				t.Fatalf("write %d: %v", i, err)
			}
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("took %v", d)
		}
		if r := a.Status().Rates; !math.IsInf(r.Maximum, 1) {
			t.Errorf("rates %+v, want no maximum", r)
		}
	})
}

// With default settings an idle cluster takes a burst of thousands at once, and more
// of them in no time.
func TestIdleClusterIsNotThrottled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		peers := []*peer{startOn(t, net, "a"), startOn(t, net, "b"), startOn(t, net, "c")}
		set(t, &peers[0].m, "first", "v")
		eventually(t, 10*time.Second, "all agree", agree(peers...))
		for range 3 {
			time.Sleep(time.Minute) // virtual time
			for i := range 5000 {
				for _, p := range peers {
					if err := p.m.TrySet(t.Context(), fmt.Sprint(p.cfg.Name, i), "value"); err != nil {
						t.Fatalf("write %d: %v", i, err)
					}
				}
			}
		}
		start := time.Now()
		for i := range 50_000 {
			set(t, &peers[0].m, fmt.Sprint("more ", i), "value")
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("50,000 writes took %v", d)
		}
		eventually(t, time.Minute, "all agree", agree(peers...))
	})
}

// Four nodes write as fast as they may through a network that carries far less: none
// falls far behind, and all get the same.
func TestOverloadIsBoundedAndFair(t *testing.T) {
	for _, flow := range []FlowControl{FlowQuota, FlowAIMD} {
		t.Run(flow.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { testOverload(t, flow) })
		})
	}
}

func testOverload(t *testing.T, flow FlowControl) {
	const nodes, seconds, budget = 4, 60, 300 // a few updates
	net := memnet.New(memnet.Config{Faults: memnet.Faults{MinDelay: time.Millisecond, MaxDelay: 5 * time.Millisecond}})
	var peers []*peer
	for i := range nodes {
		peers = append(peers, startOn(t, net, fmt.Sprint("n", i), narrow, func(c *Config) { c.Flow, c.Budget, c.RoundsOnly = flow, budget, true }))
	}
	time.Sleep(2 * time.Second) // virtual time
	ctx, cancel := context.WithTimeout(t.Context(), seconds*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for _, p := range peers {
		for w := range 2 {
			wg.Go(func() {
				for i := 0; p.m.Set(ctx, fmt.Sprint(p.cfg.Name, w, i), "v") == nil; i++ {
				}
			})
		}
	}
	var behind []float64 // updates that a node lacks, worst
	var before, after [nodes]clock.Version
	for s := range seconds {
		time.Sleep(time.Second) // virtual time
		if s < 20 {
			continue // both begin with a burst of a budget, and AIMD at 0
		}
		worst := 0.0
		for i, p := range peers {
			own := p.Status().Vector.Version(p.Status().Self)
			if after[i] = own; before[i] == 0 {
				before[i] = own
			}
			for _, o := range peers {
				worst = max(worst, float64(own-o.Status().Vector.Version(p.Status().Self)))
			}
		}
		behind = append(behind, worst)
	}
	wg.Wait()
	var sum, squares, worst float64
	for i := range peers {
		rate := float64(after[i]-before[i]) / (seconds - 20)
		sum, squares = sum+rate, squares+rate*rate
	}
	for _, b := range behind {
		worst = max(worst, b)
	}
	status := peers[0].Status()
	jain := sum * sum / (nodes * squares)
	t.Logf("%.1f writes per second each, Jain's index %.3f, at most %.0f updates behind; rates %+v", sum/nodes, jain, worst, status.Rates)
	// In an interval each node begins one exchange, and answers one.
	if law := 20 * peers[0].throttle.budget / (nodes - 1); sum/nodes > law || sum/nodes < 0.3*law {
		t.Errorf("%.1f writes per second each, the capacity law allows %.1f", sum/nodes, law)
	}
	if jain < 0.97 {
		t.Errorf("Jain's index of the rates is %.3f", jain)
	}
	if worst > 100 {
		t.Errorf("a node is %.0f updates behind", worst)
	}
	eventually(t, 20*time.Second, "all agree", agree(peers...))
}
