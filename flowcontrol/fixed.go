package flowcontrol

var _ Controller = Fixed(0)

// Fixed gives each node this rate, in updates per second, whatever exchanges show.
// A pair still shares, until the next exchange of each.
type Fixed float64

// Adapt implements [Controller].
func (f Fixed) Adapt(Exchange, float64) float64 { return float64(f) }

// Capacity implements [Controller].
func (f Fixed) Capacity() float64 { return 0 }
