package main

import (
	"math"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
)

// The phases of experiment 1 (Paper §3), in seconds.
const (
	limitFrom  = 15  // no limit before
	doubleFrom = 25  // the update rate is doubled …
	doubleTo   = 75  // … up to here
	writeTo    = 120 // no updates from here on
	reconcileS = 150 // the end
)

// reconciled is what one run of experiment 1 showed, one value per second.
type reconciled struct {
	stale curve // mappings older than the owner's, mean per participant
	worst curve // largest staleness, seconds
	light curve // the same of what the half of participants wrote that writes least
}

// load makes participants write in the second that begins now, each so often on
// average.
type load func(w *swarm, writes int)

// evenLoad lets each participant write equally often (the paper's).
func evenLoad(w *swarm, writes int) {
	for range writes {
		for i := range w.nodes {
			w.writeWithin(i)
		}
	}
}

// zipfLoad makes as many writes as evenLoad, each by a participant drawn with
// weight 1/(i+1): the first ones write most.
func zipfLoad(w *swarm, writes int) {
	weight := sim.Zipf(1)
	sums := make([]float64, w.nodes)
	sum := 0.0
	for i := range sums {
		sum += weight(i)
		sums[i] = sum
	}
	for range writes * w.nodes {
		x := w.rng.Float64() * sum
		i := 0
		for i < w.nodes-1 && sums[i] <= x {
			i++
		}
		w.writeWithin(i)
	}
}

// writesIn is how often each participant writes in a second of experiment 1.
func writesIn(t int) int {
	switch {
	case t >= writeTo:
		return 0
	case t >= doubleFrom && t < doubleTo:
		return 2
	default:
		return 1
	}
}

// reconciledAs returns an empty result of an order.
func reconciledAs(name string) reconciled {
	return reconciled{stale: curve{name: name}, worst: curve{name: name}, light: curve{name: name}}
}

func (r *reconciled) note(l lag) {
	r.stale.values = append(r.stale.values, l.stale)
	r.worst.values = append(r.worst.values, l.max())
	light := 0.0
	for _, age := range l.worst[len(l.worst)/2:] {
		light = math.Max(light, age)
	}
	r.light.values = append(r.light.values, light)
}

// steady is # stale under the normal load, with the limit.
func (r *reconciled) steady() float64 { return mean(r.stale.between(limitFrom+3, doubleFrom)) }

// peak returns the largest # stale of the load peak, and when that was.
func (r *reconciled) peak() (value float64, at int) {
	for t, v := range r.stale.values[:writeTo] {
		if v > value {
			value, at = v, t
		}
	}
	return value, at
}

// recovered is the first second after the load peak in which # stale has lost all
// but a twentieth of its rise above the steady state; NaN if there is none.
func (r *reconciled) recovered() float64 {
	steady := r.steady()
	peak, _ := r.peak()
	return r.fallsTo(steady + 0.05*(peak-steady))
}

// settled is the same by a stricter rule: within a tenth of the steady state.
func (r *reconciled) settled() float64 { return r.fallsTo(1.1 * r.steady()) }

// fallsTo is the first second after the load peak in which # stale is not above a
// limit; NaN if there is none.
func (r *reconciled) fallsTo(limit float64) float64 {
	for t := doubleTo; t < len(r.stale.values); t++ {
		if r.stale.values[t] <= limit {
			return float64(t)
		}
	}
	return math.NaN()
}
