//go:build !unix

package main

import "math"

// cpuSeconds is NaN: this system does not tell.
func cpuSeconds() float64 { return math.NaN() }
