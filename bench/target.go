package main

import (
	"fmt"
	"io"
)

// target is something that a run must show.
type target struct {
	what string
	ours string // what it showed
	want string
	met  bool
}

// atMost is a target that a value reaches when it is not above a limit.
func atMost(what string, ours, limit float64, decimals int, unit string) target {
	return target{what, fixed(ours, decimals) + unit, "at most " + fixed(limit, decimals) + unit, ours <= limit}
}

// atLeast is a target that a value reaches when it is not below a limit.
func atLeast(what string, ours, limit float64, decimals int, unit string) target {
	return target{what, fixed(ours, decimals) + unit, "at least " + fixed(limit, decimals) + unit, ours >= limit}
}

// from is a target that a value reaches when it lies between two limits.
func from(what string, ours, low, high float64, decimals int, unit string) target {
	return target{what, fixed(ours, decimals) + unit, fixed(low, decimals) + " to " + fixed(high, decimals) + unit, low <= ours && ours <= high}
}

// near is a target that a value reaches when it differs from another by no more
// than a fraction of that one.
func near(what string, ours, published, fraction float64, decimals int, unit string) target {
	return from(what, ours, published*(1-fraction), published*(1+fraction), decimals, unit)
}

// report prints a line for each target, and one for all of them.
func report(w io.Writer, targets []target) {
	met := 0
	for _, t := range targets {
		verdict := "short"
		if t.met {
			verdict = "pass"
			met++
		}
		fmt.Fprintf(w, "%-5s  %s: %s, want %s\n", verdict, t.what, t.ours, t.want)
	}
	fmt.Fprintf(w, "%d of %d targets met\n", met, len(targets))
}
