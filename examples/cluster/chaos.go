package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// visible is how long the lists of members show the partition at least: for a row
// of each node.
const visible = 1200 * time.Millisecond

// sides splits a fleet in two, by address: two fifths are A, the rest is B.
func sides(f fleet) map[string]string {
	side := make(map[string]string, len(f))
	for i, m := range f {
		side[m.addr] = "B"
		if i < max(1, len(f)*2/5) {
			side[m.addr] = "A"
		}
	}
	return side
}

// apart reports whether all nodes that run take just their own side for alive.
func (f fleet) apart(side map[string]string) bool {
	size := make(map[string]int)
	for _, m := range f {
		if m.up() {
			size[side[m.addr]]++
		}
	}
	for _, m := range f {
		if m.up() && m.node.Status().Peers+1 != size[side[m.addr]] {
			return false
		}
	}
	return true
}

// lossOn is the step that makes the network lose packets and connections.
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
	s.note("loss off: %d packets and connections were lost", s.faults.lost.Load())
	return nil
}

// partition is the step that cuts the network in two.
func (s *show) partition(c conditions) func(context.Context) error {
	return func(context.Context) error {
		s.faults.now.Store(&c)
		names := make(map[string][]string)
		for _, m := range s.fleet {
			names[c.side[m.addr]] = append(names[c.side[m.addr]], m.name)
		}
		s.note("partition: A is %s, B is %s", strings.Join(names["A"], " "), strings.Join(names["B"], " "))
		s.watch.expect(time.Now(), "both sides take each other for failed", "the partition", func() bool {
			apart := s.fleet.apart(c.side)
			if apart {
				s.noticed = time.Now()
			}
			return apart
		})
		return nil
	}
}

// heal is the step that ends the partition. A short run stands still here until
// membership has noticed that there is one, and the rows have shown it.
func (s *show) heal(c conditions) func(context.Context) error {
	return func(ctx context.Context) error {
		begin := time.Now()
		err := poll(ctx, settle, func() bool {
			s.watch.look(time.Now())
			return !s.noticed.IsZero() && time.Since(s.noticed) >= visible
		})
		if err != nil {
			return fmt.Errorf("the partition does not show in the lists of members: %w", err)
		}
		s.begin = s.begin.Add(time.Since(begin))
		s.faults.now.Store(&c)
		now := time.Now()
		s.watch.note(now, fmt.Sprintf("healed: %d packets and connections were cut off", s.faults.cut.Load()))
		s.watch.expectWrites(now, "the healing")
		s.watch.expect(now, "all nodes see each other again", "the healing", func() bool { return s.fleet.apart(nil) })
		return nil
	}
}
