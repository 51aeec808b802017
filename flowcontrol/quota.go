package flowcontrol

import (
	"cmp"
	"math"
)

var _ Controller = (*Quota)(nil)

// Quota moves τ toward an equal part of the known capacity of the cluster. Zero
// fields take the default on their line.
type Quota struct {
	Rate float64 // exchanges per second that a node takes part in under load, started and accepted: 2/T; default 2
	Use  float64 // η: part of the capacity that is given away; default 0.8
	Gain float64 // how far τ moves toward the quota per exchange; default 0.15
	Full float64 // smoothed pending/budget above which the quota shrinks to drain; default 1.2
	Low  float64 // the smallest factor by which it shrinks; default 0.3

	capacity float64 // C
	load     float64 // pending/budget, smoothed
	started  bool
}

// Adapt implements [Controller].
func (q *Quota) Adapt(x Exchange, tau float64) float64 {
	q.capacity = clamp(x.Budget * cmp.Or(q.Rate, 2))
	u := x.Pending / x.Budget
	if math.IsNaN(u) {
		u = 0
	}
	q.load += (u - q.load) * 0.1
	quota := cmp.Or(q.Use, 0.8) * q.capacity / float64(max(x.Nodes, 1))
	if full := cmp.Or(q.Full, 1.2); q.load > full {
		quota *= max(cmp.Or(q.Low, 0.3), full/q.load)
	}
	if !q.started {
		q.started = true
		return quota
	}
	return tau + cmp.Or(q.Gain, 0.15)*(quota-tau)
}

// Capacity implements [Controller].
func (q *Quota) Capacity() float64 { return q.capacity }
