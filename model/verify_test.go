package model

import (
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// What a model keeps beside the updates themselves may change, too: Verify tells, and
// Discard and Apply mend it.
func TestVerifySeesWhatChanged(t *testing.T) {
	t.Parallel()
	dot := clock.Dot{Replica: clock.Replica{Node: "n", Epoch: 1}, Version: 1}
	var (
		adds   = &Update{Dot: dot, Time: 1, Key: []byte("k"), Value: tally{by: dot.Replica, plus: 5}.append(nil)}
		resets = &Update{Dot: dot, Time: 1, Key: []byte("k"), Kind: kindReset, Value: appendTallies(nil, []tally{{by: dot.Replica, plus: 5}})}
		value  = &Update{Dot: dot, Time: 1, Key: []byte("k"), Value: []byte("v")}
		elem   = &Update{Dot: dot, Time: 1, Key: append(appendString(nil, "k"), 'e')}
		event  = &Update{Dot: dot, Time: 1, Key: eventKey(1, 1), Value: []byte("v")}
		mark   = &Update{Dot: dot, Time: 1, Key: []byte("n"), Kind: Tombstone, Value: cut{time: 7}.append(nil)}

		counter, other Counter
		m              Map[string]
		set            Set[string]
		register       Register[string]
		log, cutLog    Log[string]
		presence       Presence[string]
	)
	flipped := *value
	flipped.Value = []byte("w")
	for _, tt := range []struct {
		what  string
		model Verifier
		u     *Update
		wreck func()
	}{
		{"a total of a counter", &counter, adds, func() { counter.index.get("k").adds[0].plus ^= 1 }},
		{"what a reset has seen", &other, resets, func() { other.index.get("k").resets[0].seen[0].plus ^= 1 }},
		{"a key of a map", &m, value, func() { m.index.remove("k") }},
		{"an old copy in a map", &m, value, func() { m.index.set(&flipped) }},
		{"an element of a set", &set, elem, func() { set.sets.remove("k") }},
		{"a value of a register", &register, value, func() { register.all.groups.remove("k") }},
		{"an event of a log", &log, event, func() { log.nodes.remove("n") }},
		{"a truncation of a log", &cutLog, mark, func() { cutLog.nodes.get("n").cut.time++ }},
		{"a node's presence", &presence, value, func() { presence.nodes.remove(nodeOf(value)) }},
	} {
		if tt.model.Verify(tt.u) {
			t.Errorf("%s: it is held before it is applied", tt.what)
		}
		tt.model.Apply(tt.u)
		if !tt.model.Verify(tt.u) {
			t.Errorf("%s: it is not held", tt.what)
		}
		tt.wreck()
		if tt.model.Verify(tt.u) {
			t.Errorf("%s: damage does not show", tt.what)
		}
		tt.model.Discard(tt.u)
		tt.model.Apply(tt.u)
		if !tt.model.Verify(tt.u) {
			t.Errorf("%s: it is not mended", tt.what)
		}
		tt.model.Discard(tt.u)
	}
}
