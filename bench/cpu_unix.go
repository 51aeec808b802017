//go:build unix

package main

import (
	"math"
	"syscall"
)

// cpuSeconds is the processor time that this process has used; NaN where that is
// not known.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return math.NaN()
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
