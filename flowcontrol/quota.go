package flowcontrol

import (
	"cmp"
	"math"
)

var _ Controller = (*Quota)(nil)

// Quota gives each node an equal part of the known capacity of the cluster, and
// less while there is a backlog; sharing hands on what somebody does not need. It
// settles closer to the capacity than [AIMD], and sooner. Zero fields take the
// default on their line.
type Quota struct {
	Rate   float64 // exchanges per second that a node takes part in under load, begun and answered: 2/T; default 2
	Budget float64 // updates that an exchange carries per direction, until exchanges show it; default 100
	Use    float64 // η: part of the capacity that is given away; default 0.8
	Gain   float64 // part of its distance to the quota that τ moves per exchange; default 0.05
	Full   float64 // smoothed pending/budget above which the quota shrinks; default 1.4
	Low    float64 // factor that it shrinks by at most for that; default 0.3

	budget  float64 // of the last exchange that showed it
	load    float64 // pending/budget, smoothed
	missing float64 // part of the capacity that has turned out not to be there
	quota   float64 // after the last exchange; 0: there was none
}

const (
	smoothing = 0.1  // weight of one exchange in Quota's load
	doubt     = 0.03 // part of the capacity that an exchange amid a great backlog refutes
	renewal   = 0.01 // part of what was refuted that an exchange without a backlog restores
	minimum   = 0.01 // part of the capacity that is never refuted
)

// Adapt implements [Controller]. τ follows the quota at once when that changes, and
// keeps what it has got by sharing: only slowly it returns to the quota itself, so
// that sums which lost messages have spoilt are mended.
func (q *Quota) Adapt(x Exchange, tau float64) float64 {
	if x.Budget > 0 && !math.IsInf(x.Budget, 1) {
		q.budget = x.Budget
	}
	q.weigh(clamp(x.Pending) / q.perExchange())
	was := q.quota
	q.quota = cmp.Or(q.Use, 0.8) * q.Capacity() / float64(max(x.Nodes, 1))
	if full := cmp.Or(q.Full, 1.4); q.load > full {
		q.quota *= max(cmp.Or(q.Low, 0.3), full/q.load)
	}
	if was == 0 {
		return q.quota
	}
	tau *= q.quota / was
	return tau + cmp.Or(q.Gain, 0.05)*(q.quota-tau)
}

// Capacity implements [Controller]: the budget of all exchanges of a second, less
// what turned out not to be there.
func (q *Quota) Capacity() float64 {
	return clamp(cmp.Or(q.Rate, 2)*q.perExchange()) * (1 - q.missing)
}

func (q *Quota) perExchange() float64 { return cmp.Or(q.budget, q.Budget, 100) }

// weigh takes notice of the load of an exchange. A single one counts for little
// more than those before it did: a node that has been away lacks very much, which
// says nothing about the others.
func (q *Quota) weigh(load float64) {
	q.load += smoothing * (min(load, 2*q.load+1) - q.load)
	switch great := cmp.Or(q.Full, 1.4) / cmp.Or(q.Low, 0.3); {
	case q.load > great: // the quota shrinks no further: it is too large
		q.missing = min(q.missing+doubt*(1-q.missing), 1-minimum)
	case q.load < 1:
		q.missing -= renewal * q.missing
	}
}
