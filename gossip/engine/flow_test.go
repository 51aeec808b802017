package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// ledger is a Flow that writes down what it is told.
type ledger struct {
	rates engine.Rates
	told  []engine.Exchanged
}

func (l *ledger) Rates(time.Time) engine.Rates              { return l.rates }
func (l *ledger) Exchanged(_ time.Time, x engine.Exchanged) { l.told = append(l.told, x) }

// Each exchange tells both sides once what the rates of both were, and how much
// was pending (Paper §4).
func TestRatesRideInExchanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 0, engine.Config{Budget: 100})
	var flows []*ledger
	for i := range 2 {
		l := &ledger{rates: engine.Rates{Desired: float64(10 * i), Maximum: 5 + float64(i), Capacity: 100}}
		flows = append(flows, l)
		w.cfg.Flow = l
		w.add(fmt.Sprint("n", i))
	}
	w.announce()
	for i := range 30 { // about ten fit into the budget
		w.mustWrite(w.nodes[0], "s", fmt.Sprint("key", i), "value")
	}
	w.converge(time.Minute)
	w.run(10 * time.Second)

	mine, theirs := flows[0].rates, flows[1].rates
	overflows, quiet, initiated := 0, 0, 0
	for _, x := range flows[0].told {
		x.Mine.Pending, x.Theirs.Pending = 0, 0
		if x.Mine != mine || x.Theirs != theirs || x.Peers != 1 || x.Peer != "n1" {
			t.Fatalf("n0 was told %+v, want mine %+v, theirs %+v", x, mine, theirs)
		}
		if x.Pending > 0 && float64(x.Pending) > x.Budget && x.Budget < 20 {
			overflows++
		}
		if x.Pending == 0 {
			quiet++
		}
		if x.Initiated {
			initiated++
		}
	}
	if overflows == 0 || quiet == 0 || initiated == 0 || initiated == len(flows[0].told) {
		t.Errorf("%d of %d exchanges over the budget, %d with nothing pending, %d initiated: want some of each", overflows, len(flows[0].told), quiet, initiated)
	}
	asked := 0
	for _, n := range w.nodes {
		asked += int(n.e.Stats().Exchanges.Answered)
	}
	if told := len(flows[0].told) + len(flows[1].told); told != 2*asked {
		t.Errorf("%d exchanges were told %d times, want twice each", asked, told)
	}
}

// The budget is infinite until the first update is written, and known from then on:
// what a controller took infinity for would not be forgotten soon.
func TestBudgetIsKnownFromTheFirstWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 0, engine.Config{Budget: 1000})
	l := &ledger{rates: engine.Rates{Maximum: 5, Capacity: 100}}
	w.cfg.Flow = l
	n := w.add("n")
	w.cfg.Flow = nil
	w.add("peer")
	w.announce()
	w.run(10 * time.Second)
	quiet := len(l.told)
	w.mustWrite(n, "s", "key", "value")
	w.converge(time.Minute)
	w.run(time.Second)
	for i, x := range l.told {
		if known := x.Budget > 1 && x.Budget < 1000; known != (i >= quiet) {
			t.Errorf("exchange %d of %d, %d before the first write: budget %g", i, len(l.told), quiet, x.Budget)
		}
	}
	if quiet == 0 || quiet == len(l.told) {
		t.Errorf("%d of %d exchanges before the first write", quiet, len(l.told))
	}
}

// A pair of which one takes no part in flow control tells the other so.
func TestPeerWithoutFlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	l := &ledger{rates: engine.Rates{Maximum: 5, Capacity: 100}}
	w.cfg.Flow = l
	w.add("with")
	w.announce()
	w.run(10 * time.Second)
	for _, x := range l.told {
		if x.Theirs != (engine.Rates{}) {
			t.Fatalf("told %+v, want no rates of the peer", x)
		}
	}
	if len(l.told) == 0 {
		t.Error("told nothing")
	}
}
