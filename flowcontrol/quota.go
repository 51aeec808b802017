package flowcontrol

import (
	"cmp"
	"math"
	"time"
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
	Full   float64 // smoothed pending/budget above which the quota shrinks; default 1.5
	Low    float64 // factor that it shrinks by at most for that; default 0.3

	budget  float64   // of the last exchange that showed it
	at      time.Time // of the last exchange
	load    float64   // pending/budget, smoothed
	refuted float64   // part of the capacity that has turned out not to be there
	quota   float64   // after the last exchange; 0: there was none
}

// What happens in the time of one exchange at Quota.Rate.
const (
	smoothing = 0.1  // weight of one exchange in the load
	doubt     = 0.03 // part of the capacity that a great backlog refutes
	trust     = 0.02 // by which it grows again without a backlog
)

const (
	doubted = 0.99 // the largest part of the capacity that can be refuted
	longest = 10   // exchanges' time that one of them counts for, at most
)

// Adapt implements [Controller]. τ follows the quota at once when that changes, and
// keeps what it has got by sharing: only slowly it returns to the quota itself, so
// that sums which lost messages have spoilt are mended. Who wants less than the quota
// is not below what it wants.
func (q *Quota) Adapt(x Exchange, tau float64) float64 {
	if x.Budget > 0 && !math.IsInf(x.Budget, 1) {
		q.budget = x.Budget
	}
	q.weigh(q.since(x.Time), clamp(x.Pending)/q.perExchange())
	was := q.quota
	q.quota = cmp.Or(q.Use, 0.8) * q.Capacity() / float64(max(x.Nodes, 1))
	if full := cmp.Or(q.Full, 1.5); q.load > full {
		q.quota *= max(cmp.Or(q.Low, 0.3), full/q.load)
	}
	if was == 0 {
		return q.quota
	}
	tau *= q.quota / was
	tau += cmp.Or(q.Gain, 0.05) * (q.quota - tau)
	if want := clamp(x.Mine.Desired); want <= q.quota {
		tau = max(tau, want)
	}
	return tau
}

// Capacity implements [Controller]: the budget of all exchanges of a second, less
// what turned out not to be there.
func (q *Quota) Capacity() float64 {
	return clamp(cmp.Or(q.Rate, 2)*q.perExchange()) * (1 - q.refuted)
}

func (q *Quota) perExchange() float64 { return cmp.Or(q.budget, q.Budget, 100) }

// since returns how many exchanges there should have been since the last one.
func (q *Quota) since(now time.Time) float64 {
	n := 1.0
	if !q.at.IsZero() {
		n = max(0, now.Sub(q.at).Seconds()*cmp.Or(q.Rate, 2))
	}
	q.at = now
	return n
}

// weigh takes notice of the load that an exchange found after the time of n of them.
// It counts for little more than those before it: a node that has been away lacks
// very much, which says nothing about the others. Nor does it count for more than is
// forgotten soon.
func (q *Quota) weigh(n, load float64) {
	m := min(n, longest)
	great := cmp.Or(q.Full, 1.5) / cmp.Or(q.Low, 0.3)
	q.load += (1 - math.Pow(1-smoothing, m)) * (min(load, 2*q.load+1, 2*great) - q.load)
	switch {
	case q.load > great: // the quota shrinks no further: it is too large
		q.refuted = min(1-(1-q.refuted)*math.Pow(1-doubt, m), doubted)
	case q.load < 1:
		q.refuted = max(1-(1-q.refuted)*math.Pow(1+trust, n), 0)
	}
}
