package flowcontrol_test

import (
	"math"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/flowcontrol"
)

// What Quota makes of τ, by exchanges: nodes, pending, budget.
func TestQuota(t *testing.T) {
	type step struct {
		times           int
		nodes           int
		pending, budget float64
		least, most     float64 // of τ
	}
	inf := math.Inf(1)
	for name, tt := range map[string]struct {
		controller flowcontrol.Quota
		steps      []step
	}{
		"an equal part of 80 % at once": {steps: []step{{1, 16, 0, 100, 10, 10}, {100, 16, 0, 100, 10, 10}}},
		"alone, all of it":              {steps: []step{{1, 1, 0, 100, 160, 160}, {1, 0, 0, 100, 160, 160}}},
		"exchanges per second":          {flowcontrol.Quota{Rate: 100}, []step{{1, 16, 0, 100, 500, 500}}},
		"a new number of nodes":         {steps: []step{{1, 16, 0, 100, 10, 10}, {1, 32, 0, 100, 5, 5}, {1, 16, 0, 100, 10, 10}}},
		"another budget":                {steps: []step{{1, 16, 0, 100, 10, 10}, {1, 16, 0, 50, 5, 5}}},
		"the budget is not known yet": {flowcontrol.Quota{Budget: 200}, []step{
			{3, 16, 0, inf, 20, 20}, {1, 16, 0, 0, 20, 20}, {1, 16, 0, 100, 10, 10}, {1, 16, 0, inf, 10, 10},
		}},
		"a usual load changes nothing": {steps: []step{{100, 16, 149, 100, 10, 10}}},
		"a backlog is drained, at most to 30 %": {steps: []step{
			{100, 16, 300, 100, 5, 5.01}, {30, 16, 440, 100, 3.3, 4},
			{100, 16, 0, 100, 10, 10},
		}},
		"capacity that is not there": {steps: []step{
			{100, 16, 1000, 100, 0.2, 1}, {1000, 16, 1e9, 100, 0.03, 0.0301}, {700, 16, 0, 100, 9.9, 10},
		}},
		"parameters": {flowcontrol.Quota{Use: 0.4, Full: 2, Low: 0.5}, []step{
			{100, 16, 199, 100, 5, 5}, {100, 16, 380, 100, 2.63, 2.64},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			tau := 0.0
			for i, s := range tt.steps {
				for range s.times {
					tau = tt.controller.Adapt(flowcontrol.Exchange{Nodes: s.nodes, Pending: s.pending, Budget: s.budget}, tau)
				}
				if tau < s.least-1e-9 || tau > s.most+1e-9 {
					t.Fatalf("after step %d, %+v: τ is %g", i, s, tau)
				}
			}
		})
	}
}

// A load counts for as long as it was there: exchanges that take ten times as long as
// they should refute ten times as much, and a pause restores everything.
func TestQuotaCountsTime(t *testing.T) {
	capacity := func(exchanges int, every time.Duration) float64 {
		var q flowcontrol.Quota
		now := time.Unix(1_000_000_000, 0)
		exchange := func(pending float64) {
			q.Adapt(flowcontrol.Exchange{Time: now, Nodes: 16, Pending: pending, Budget: 100}, 0)
		}
		for range exchanges {
			now = now.Add(every)
			exchange(1e6)
		}
		refuted := q.Capacity()
		for range 3 { // what came before them must not weigh more
			now = now.Add(time.Hour)
			exchange(0)
		}
		if c := q.Capacity(); c != 200 {
			t.Errorf("after a pause the capacity is %g, want 200", c)
		}
		return refuted
	}
	slow, quick := capacity(10, 5*time.Second), capacity(100, 500*time.Millisecond)
	if slow < 5 || slow > 40 || quick < 5 || quick > 40 {
		t.Errorf("after 50 seconds the capacity is %g and %g, want 5 to 40 of 200", slow, quick)
	}
	if c := capacity(1000, 0); c < 190 { // all at once
		t.Errorf("after no time the capacity is %g", c)
	}
}

// What sharing has given or taken away comes back slowly, or in Gain's steps.
func TestQuotaReturns(t *testing.T) {
	for gain, want := range map[float64]float64{0: 40 + 0.05*(10-40), 0.5: 25} {
		q := flowcontrol.Quota{Gain: gain}
		x := flowcontrol.Exchange{Nodes: 16, Budget: 100}
		q.Adapt(x, 0)
		if got := q.Adapt(x, 40); !near(got, want, want) {
			t.Errorf("Gain %g: from 40 to %g, want %g", gain, got, want)
		}
		tau := 0.0
		for range 200 {
			tau = q.Adapt(x, tau)
		}
		if math.Abs(tau-10) > 0.01 {
			t.Errorf("Gain %g: after long τ is %g, want 10", gain, tau)
		}
	}
}

// Who wants less than the quota has it, whatever it had before.
func TestQuotaOfTheModest(t *testing.T) {
	for desired, want := range map[float64]float64{0: 0.5, 3: 3, 10: 10, 11: 0.5} {
		var q flowcontrol.Quota
		x := flowcontrol.Exchange{Nodes: 16, Budget: 100, Mine: flowcontrol.Rates{Desired: desired}}
		q.Adapt(x, 0)
		if got := q.Adapt(x, 0); !near(got, want, want) {
			t.Errorf("desired %g: τ goes from 0 to %g, want %g", desired, got, want)
		}
	}
}

// One node that has been away, and lacks very much, slows nobody down.
func TestQuotaIgnoresOneThatLagsBehind(t *testing.T) {
	var q flowcontrol.Quota
	tau := 0.0
	for i := range 1000 {
		x := flowcontrol.Exchange{Nodes: 16, Pending: 10, Budget: 100}
		if i%5 == 0 {
			x.Pending = 1e6
		}
		if tau = q.Adapt(x, tau); tau < 10 {
			t.Fatalf("exchange %d: τ is %g, want 10", i, tau)
		}
	}
}
