package main

import (
	"fmt"
	"time"
)

// plan is what is written when: the lines of the input in order, once, or over
// and over with new values.
type plan struct {
	lines []entry
	every time.Duration // between writes
	total int           // writes
	limit time.Duration // 0: until all writes are done
}

func newPlan(lines []entry, o options) plan {
	p := plan{lines: lines, total: len(lines), every: o.last / time.Duration(len(lines))}
	if o.rate > 0 {
		p.every = time.Duration(float64(time.Second) / o.rate)
	}
	if o.cycle {
		p.limit = o.last
		p.total = max(1, int(o.last.Seconds()*o.rate))
	}
	return p
}

// entry returns the i-th write and the number of its key. From the second time
// through the input on each value says which time it is.
func (p plan) entry(i int) (key int, e entry) {
	key = i % len(p.lines)
	e = p.lines[key]
	if pass := i / len(p.lines); pass > 0 {
		e.value = fmt.Sprintf("%s (%d)", e.value, pass+1)
	}
	return key, e
}

// reached reports whether a part of the run is over before the i-th write.
func (p plan) reached(part float64, i int, elapsed time.Duration) bool {
	return i >= int(part*float64(p.total)) || p.limit > 0 && elapsed.Seconds() >= part*p.limit.Seconds()
}

// over reports whether the run ends though writes are left: the machine is too
// slow for so many.
func (p plan) over(elapsed time.Duration) bool { return p.limit > 0 && elapsed >= p.limit }

// String describes the plan.
func (p plan) String() string {
	keys := min(len(p.lines), p.total)
	last := time.Duration(p.total) * p.every
	return fmt.Sprintf("%d keys, a write every %v for %v", keys, p.every.Round(time.Microsecond), last.Round(time.Millisecond))
}
