package flowcontrol

import "cmp"

var _ Controller = (*AIMD)(nil)

// AIMD is the paper's local adaptation (Paper §4): it lowers τ by a factor after a
// run of exchanges that overflowed, and raises it by a constant after a run that
// did not. An exchange overflows when more is pending than its budget carries. Only
// exchanges that this node began count, and none raises a τ that is as high as
// the node desires: otherwise it would grow for as long as a cluster is idle.
// τ begins at 0. Zero fields take the default on their line.
type AIMD struct {
	Patience int     // φ: exchanges of a run; default 5
	Decrease float64 // factor of τ; default 0.75
	Increase float64 // updates per second; default 0.2

	overflows, fits int // length of the run under way; one of them is 0
}

// Adapt implements [Controller].
func (a *AIMD) Adapt(x Exchange, tau float64) float64 {
	if !x.Initiated {
		return tau
	}
	switch {
	case x.Pending > x.Budget:
		a.overflows, a.fits = a.overflows+1, 0
	case x.Mine.Desired > tau:
		a.overflows, a.fits = 0, a.fits+1
	default:
		a.overflows, a.fits = 0, 0
	}
	switch patience := cmp.Or(a.Patience, 5); {
	case a.overflows >= patience:
		a.overflows = 0
		return tau * cmp.Or(a.Decrease, 0.75)
	case a.fits >= patience:
		a.fits = 0
		return tau + cmp.Or(a.Increase, 0.2)
	}
	return tau
}

// Capacity implements [Controller]: it does not know.
func (a *AIMD) Capacity() float64 { return 0 }
