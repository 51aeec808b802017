package sim_test

import (
	"errors"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
)

// What the swarm is worth: with any one rule taken away it finds a violation. A reset of one
// replica only, and collection in a minority, do harm too rarely to be found by chance:
// TestDeletedValueReturnsWithout leads there.
func TestSwarmFindsWeakEngines(t *testing.T) {
	for _, tt := range []struct {
		name  string
		weak  weakness
		first int64 // what is rare is looked for where it was seen
		seeds int64 // within which it must be found
	}{
		{"no horizon", weakness{unsafe: engine.Unsafe{Classic: true}}, 0, 40},
		{"no gap check", weakness{tamper: bridgeGaps}, 0, 40},
		{"order within a replica broken", weakness{tamper: skipUpdates}, 0, 40},
		{"collection after a grace period", weakness{unsafe: engine.Unsafe{Grace: time.Second}}, 0, 40},
		{"clock of updates alone", weakness{unsafe: engine.Unsafe{OwnClock: true}}, 31, 1000},
		{"state hashes compared though dirty", weakness{tamper: hideExceptions}, 40, 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for seed := tt.first; seed < tt.first+tt.seeds; seed++ {
				s, err := newSwarm(seed, tt.weak, nil)
				if err == nil {
					err = s.run()
				}
				var v *sim.Violation
				switch {
				case errors.As(err, &v):
					t.Logf("found at seed %d: %s", seed, v.Invariant)
					return
				case err != nil:
					t.Fatal(err)
				}
			}
			t.Errorf("no violation within %d seeds from %d on", tt.seeds, tt.first)
		})
	}
}

// bridgeGaps lets batches that start after what the receiver knows seem to start
// there, without more holes than they had: as if nobody looked at From (R3).
func bridgeGaps(to *sim.Node, m *engine.Message) {
	v := to.Engine().Vector()
	for i := range m.Batches {
		if b := &m.Batches[i]; b.From > v.Version(b.Replica) {
			b.Closed = b.Closed || uint64(len(b.Updates)) == uint64(b.Through-b.From)
			b.From = v.Version(b.Replica)
		}
	}
}

// skipUpdates leaves out an update in the middle of a batch, as a sender would that
// does not keep to the order of versions.
func skipUpdates(_ *sim.Node, m *engine.Message) {
	for i := range m.Batches {
		b := &m.Batches[i]
		if n := len(b.Updates); n > 2 && b.Through%4 == 0 {
			b.Updates = append(b.Updates[:n/2:n/2], b.Updates[n/2+1:]...)
		}
	}
}

// hideExceptions lets dirty nodes seem clean when vectors are equal, so that state
// hashes are compared, and unions believed, without regard to R4.
func hideExceptions(_ *sim.Node, m *engine.Message) {
	if m.Kind == engine.Ack && m.Same {
		m.Exceptions = nil
	}
}
