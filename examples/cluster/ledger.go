package main

import (
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// maxTimes is how many writes of one replica the ledger knows the time of. A
// node that lacks an older one counts as lacking the oldest of these.
const maxTimes = 1 << 16

// ledger is what was written, by whom and when: what the nodes are measured by.
// One goroutine uses it.
type ledger struct {
	keys   []string           // in the order of their first write
	values map[string]written // the last write of each key
	chains map[clock.Replica]*chain
}

// written is a write.
type written struct {
	value string
	by    *member
	at    time.Time
}

// chain is when a replica made its writes.
type chain struct {
	first clock.Version // made at times[0]
	times []time.Time
}

func newLedger() *ledger {
	return &ledger{values: make(map[string]written), chains: make(map[clock.Replica]*chain)}
}

// add enters a write whose dot is the newest of its replica.
func (l *ledger) add(key string, w written, dot clock.Dot) {
	if _, ok := l.values[key]; !ok {
		l.keys = append(l.keys, key)
	}
	l.values[key] = w
	c := l.chains[dot.Replica]
	if c == nil {
		c = &chain{first: 1}
		l.chains[dot.Replica] = c
	}
	for c.head() < dot.Version {
		c.times = append(c.times, w.at)
	}
	if n := len(c.times); n > maxTimes {
		c.first += clock.Version(n / 2)
		c.times = append([]time.Time(nil), c.times[n/2:]...)
	}
}

// head returns the newest version.
func (c *chain) head() clock.Version { return c.first + clock.Version(len(c.times)) - 1 }

// lag returns how many writes lack where v is known, and how old the oldest of
// them is.
func (l *ledger) lag(now time.Time, v clock.Vector) (lacks uint64, behind time.Duration) {
	for r, c := range l.chains {
		known := v.Version(r)
		if known >= c.head() {
			continue
		}
		lacks += uint64(c.head() - known)
		oldest := max(known+1, c.first)
		behind = max(behind, now.Sub(c.times[oldest-c.first]))
	}
	return lacks, behind
}

// heads returns the newest write of every replica.
func (l *ledger) heads() clock.Vector {
	var v clock.Vector
	for r, c := range l.chains {
		v.Set(r, c.head())
	}
	return v
}
