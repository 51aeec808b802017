package main

import (
	"math"
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// ledger is what participants have written, for measuring what others have not
// seen of it. Participants are numbered from 0.
type ledger struct {
	owners []owner
}

// owner is what one participant has written.
type owner struct {
	at     []time.Duration        // when, by version − 1; ascending
	latest map[byte]clock.Version // of each key
	sorted []clock.Version        // values of latest, ascending; nil: to be made
}

func newLedger(n int) *ledger {
	l := &ledger{owners: make([]owner, n)}
	for i := range l.owners {
		l.owners[i].latest = make(map[byte]clock.Version)
	}
	return l
}

// wrote notes that a participant wrote a key, and returns the version.
func (l *ledger) wrote(i int, now time.Duration, key byte) clock.Version {
	o := &l.owners[i]
	o.at = append(o.at, now)
	v := clock.Version(len(o.at))
	o.latest[key] = v
	o.sorted = nil
	return v
}

// stale is how many keys of this owner have another value for who knows it up to v.
func (o *owner) stale(v clock.Version) int {
	if o.sorted == nil {
		for _, version := range o.latest {
			o.sorted = append(o.sorted, version)
		}
		slices.Sort(o.sorted)
	}
	at, _ := slices.BinarySearch(o.sorted, v+1)
	return len(o.sorted) - at
}

// age is how long ago the first write after v was, 0 if there is none.
func (o *owner) age(now time.Duration, v clock.Version) time.Duration {
	if int(v) >= len(o.at) {
		return 0
	}
	return now - o.at[v]
}

// lag is what participants have not seen at one moment.
type lag struct {
	stale float64   // mappings older than the owner's, mean over participants
	worst []float64 // for each owner the largest staleness at any participant, in seconds
}

// max is the largest staleness of all.
func (l lag) max() float64 { return slices.Max(append([]float64{0}, l.worst...)) }

// lag compares with what each participant knows: known(i, r) is up to which
// version i knows r.
func (l *ledger) lag(now time.Duration, known func(i, r int) clock.Version) lag {
	n := len(l.owners)
	sum, worst := 0, make([]float64, n)
	for r := range n {
		o := &l.owners[r]
		for i := range n {
			if i == r {
				continue
			}
			v := known(i, r)
			sum += o.stale(v)
			worst[r] = math.Max(worst[r], o.age(now, v).Seconds())
		}
	}
	return lag{stale: float64(sum) / float64(n), worst: worst}
}
