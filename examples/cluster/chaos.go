package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// sides splits a fleet in two: two fifths are A, the rest is B.
func sides(f fleet) map[string]string {
	side := make(map[string]string, len(f))
	for i, m := range f {
		side[m.name] = "B"
		if i < max(1, len(f)*2/5) {
			side[m.name] = "A"
		}
	}
	return side
}

// lossOn is the step that makes the network lose messages.
func (s *show) lossOn(c conditions) func(context.Context) error {
	return func(context.Context) error {
		s.faults.now.Store(&c)
		s.note("loss on: %v", &c)
		return nil
	}
}

// lossOff is the step that ends all faults.
func (s *show) lossOff(context.Context) error {
	s.faults.now.Store(new(conditions))
	s.note("loss off: %d messages were lost", s.faults.lost.Load())
	return nil
}

// partition is the step that cuts the network in two.
func (s *show) partition(c conditions) func(context.Context) error {
	return func(context.Context) error {
		s.faults.now.Store(&c)
		names := make(map[string][]string)
		for _, m := range s.fleet {
			names[c.side[m.name]] = append(names[c.side[m.name]], m.name)
		}
		s.note("partition: A is %s, B is %s", strings.Join(names["A"], " "), strings.Join(names["B"], " "))
		return nil
	}
}

// heal is the step that ends a partition.
func (s *show) heal(c conditions) func(context.Context) error {
	return func(context.Context) error {
		s.faults.now.Store(&c)
		now := time.Now()
		s.watch.note(now, fmt.Sprintf("healed: %d messages were cut off", s.faults.cut.Load()))
		s.watch.expect(now, "the healing")
		return nil
	}
}
