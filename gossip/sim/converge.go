package sim

import (
	"math"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// Converged reports whether nodes agree, within each part of the cluster that cuts
// leave connected: all that run, and are not paused, know the same, and are clean.
func (s *Sim) Converged() bool {
	return s.disagreement() == ""
}

// Converge runs until Converged, and returns how long that took. If it takes longer
// than limit, I10 is violated; 0 stands for Bound.
func (s *Sim) Converge(limit time.Duration) (time.Duration, error) {
	begin := s.now
	if limit == 0 {
		limit = s.Bound()
	}
	if err := s.Until(limit, "all nodes agree", s.Converged); err != nil {
		return s.now - begin, err
	}
	return s.now - begin, s.Check()
}

// Bound is how long agreement may take from now on, without faults: 4·ln N + 10
// rounds (I10).
func (s *Sim) Bound() time.Duration {
	interval := s.cfg.Engine.Interval
	if interval == 0 {
		interval = time.Second
	}
	n := float64(max(len(s.living), 1))
	return time.Duration((4*math.Log(n) + 10) * float64(interval))
}

// Check checks all invariants at all nodes now.
func (s *Sim) Check() error { return s.failed }

// disagreement says what keeps nodes from agreeing; "" if nothing does.
func (s *Sim) disagreement() string {
	var first clock.Vector
	seen := false
	for _, n := range s.nodes {
		if n.state != running {
			continue
		}
		if !n.engine.Clean() {
			return n.name + " is dirty"
		}
		v := n.engine.Vector()
		if !seen {
			first, seen = v, true
		} else if v.Compare(first) != clock.Equal {
			return n.name + " knows something else"
		}
	}
	return ""
}
