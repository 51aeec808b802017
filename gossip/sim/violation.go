package sim

import (
	"fmt"
	"time"
)

// Violation says which invariant (DESIGN §8) did not hold.
type Violation struct {
	Invariant string        // "I3"; "Until" for the caller's own
	Node      string        // where; empty if it is nobody's in particular
	At        time.Duration // since the start
	Seed      int64
	Detail    string
}

// Error implements error.
func (v *Violation) Error() string {
	where := ""
	if v.Node != "" {
		where = " at " + v.Node
	}
	return fmt.Sprintf("sim: %s violated%s after %v, seed %d: %s", v.Invariant, where, v.At, v.Seed, v.Detail)
}

// violate ends the simulation with a violation, unless it has ended.
func (s *Sim) violate(invariant string, n *Node, format string, args ...any) error {
	v := &Violation{Invariant: invariant, At: s.now, Seed: s.cfg.Seed, Detail: fmt.Sprintf(format, args...)}
	if n != nil {
		v.Node = n.name
	}
	s.fail(v)
	return s.failed
}

// fail ends the simulation with an error, unless it has ended.
func (s *Sim) fail(err error) {
	if s.failed == nil {
		s.failed = err
	}
}
