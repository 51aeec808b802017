package flowcontrol

// MaxRate is the highest rate that counts, in updates per second: what is above,
// infinity included, counts as this. It keeps all arithmetic finite.
const MaxRate = 1e12

// Rates are what a node tells its peers, in updates per second. The zero value
// says that it takes no part in flow control.
type Rates struct {
	Desired  float64 // ρ: what its writers want
	Maximum  float64 // τ: what they may
	Capacity float64 // C: what its exchanges can carry; 0: it does not know
}

// Share is max–min fair sharing between two nodes (Paper §4): it returns what
// their maximum rates become. Their sum stays what it was. If it is enough for
// both, each gets what it desires and half of what is left over. Otherwise each
// gets half of the sum, unless it wants less: then it gets that, and the other
// one the rest.
//
// Share(q, p) is Share(p, q) the other way round, so that both sides come to the
// same result on their own. Rates that are negative or not a number count as 0,
// those above [MaxRate] as that. Capacities do not matter.
func Share(p, q Rates) (pMax, qMax float64) {
	wantP, wantQ := clamp(p.Desired), clamp(q.Desired)
	sum := clamp(p.Maximum) + clamp(q.Maximum)
	if surplus := sum - (wantP + wantQ); surplus >= 0 {
		return wantP + surplus/2, wantQ + surplus/2
	}
	switch half := sum / 2; {
	case wantP < half:
		return wantP, sum - wantP
	case wantQ < half:
		return sum - wantQ, wantQ
	default:
		return half, half
	}
}

// clamp returns the rate that counts.
func clamp(rate float64) float64 {
	if !(rate > 0) { // not a number, too
		return 0
	}
	return min(rate, MaxRate)
}
