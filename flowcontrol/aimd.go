package flowcontrol

import "cmp"

var _ Controller = (*AIMD)(nil)

// AIMD is the paper's local adaptation (Paper §4): a run of exchanges that
// overflowed lowers τ by a factor, a run of exchanges that did not raises it by a
// constant. Only exchanges that this node initiated count. An exchange overflows
// when more was pending than its budget carries. Zero fields take the default on
// their line.
type AIMD struct {
	Patience int     // φ: how many exchanges make a run; default 5
	Decrease float64 // factor of τ; default 0.75
	Increase float64 // updates per second; default 0.2

	overflows, fits int // length of the run under way; one of them is 0
}

// Adapt implements [Controller].
func (a *AIMD) Adapt(x Exchange, tau float64) float64 {
	if !x.Initiated {
		return tau
	}
	patience := cmp.Or(a.Patience, 5)
	if x.Pending > x.Budget {
		a.overflows, a.fits = a.overflows+1, 0
	} else {
		a.overflows, a.fits = 0, a.fits+1
	}
	switch {
	case a.overflows >= patience:
		a.overflows = 0
		return tau * cmp.Or(a.Decrease, 0.75)
	case a.fits >= patience:
		a.fits = 0
		return tau + cmp.Or(a.Increase, 0.2)
	}
	return tau
}

// Capacity implements [Controller].
func (a *AIMD) Capacity() float64 { return 0 }
