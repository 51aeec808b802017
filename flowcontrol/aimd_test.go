package flowcontrol_test

import (
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/flowcontrol"
)

// step is some exchanges in a row, and what they make of τ.
type step struct {
	times   int
	began   bool
	pending float64
	desired float64
	want    float64
}

// Paper §4: φ = 5 overflows in a row lower τ, φ exchanges in a row without one raise
// it.
func TestAIMD(t *testing.T) {
	const began, answered = true, false
	for name, tt := range map[string]struct {
		controller flowcontrol.AIMD
		steps      []step
	}{
		"rises and falls": {steps: []step{
			{4, began, 100, 9, 0}, // exactly the budget is no overflow
			{1, began, 0, 9, 0.2},
			{5, began, 0, 9, 0.4},
			{4, began, 101, 9, 0.4},
			{1, began, 101, 9, 0.3},
			{5, began, 1e9, 9, 0.225},
		}},
		"a run that is broken begins anew": {steps: []step{
			{4, began, 0, 9, 0}, {1, began, 101, 9, 0}, {4, began, 0, 9, 0}, {1, began, 0, 9, 0.2},
		}},
		"only its own exchanges count": {steps: []step{
			{100, answered, 0, 9, 0}, {4, began, 0, 9, 0}, {1, answered, 101, 9, 0}, {1, began, 0, 9, 0.2},
		}},
		"what nobody wants does not grow": {steps: []step{
			{100, began, 0, 0, 0}, {10, began, 0, 0.3, 0.4}, {100, began, 0, 0.4, 0.4}, {5, began, 101, 0.4, 0.3},
		}},
		"parameters": {flowcontrol.AIMD{Patience: 2, Decrease: 0.5, Increase: 3}, []step{
			{2, began, 0, 9, 3}, {2, began, 101, 9, 1.5},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			tau := 0.0
			for i, s := range tt.steps {
				for range s.times {
					tau = tt.controller.Adapt(flowcontrol.Exchange{
						Initiated: s.began, Nodes: 8, Pending: s.pending, Budget: 100,
						Mine: flowcontrol.Rates{Desired: s.desired, Maximum: tau},
					}, tau)
				}
				if !near(tau, s.want, 1) {
					t.Fatalf("after step %d, %+v: τ is %g", i, s, tau)
				}
			}
		})
	}
}
