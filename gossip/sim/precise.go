package sim

import (
	"fmt"
	"math/rand"
	"time"
)

// PreciseConfig says how the baselines are simulated. Zero fields take the default
// on their line.
type PreciseConfig struct {
	Seed     int64
	Nodes    int           // required: 2 or more
	Keys     int           // of each node; required
	Interval time.Duration // between exchanges that a node starts; default 1 s
	Budget   int           // updates per direction of an exchange; default no limit
	Oldest   bool          // precise-oldest; default precise-newest
	Rate     float64       // writes per second of each node; default none
}

// Precise simulates precise reconciliation, the baselines that the paper compares
// with (Paper §3): two nodes that meet compare all that they know, key by key, and
// each sends exactly what is newer, the newest first or the oldest first. It takes
// clocks that all show the same, and digests of the size of the state. An exchange
// takes no time; both deltas come from the states at its start. Each node writes to
// a key of its own that is drawn uniformly, paced as a Load, and meets a node drawn
// uniformly once per Interval, from a random phase on.
//
// There are no engines in it, and no faults.
type Precise struct {
	cfg   PreciseConfig
	rng   *rand.Rand
	now   time.Duration
	seq   uint64
	queue queue
	known [][]uint32        // by node: of each mapping, how many of its writes it has seen at least
	times [][]time.Duration // by mapping: when its writes were made
	owed  float64           // parts of a write that did not make a whole one yet
	delta [2][]pending      // scratch
}

// pending is a mapping of which one side of an exchange knows a later value.
type pending struct {
	mapping int
	written time.Duration
}

// NewPrecise returns a simulation in which nobody knows anything.
func NewPrecise(cfg PreciseConfig) (*Precise, error) {
	switch {
	case cfg.Nodes < 2:
		return nil, fmt.Errorf("sim: PreciseConfig.Nodes: %d, at least 2", cfg.Nodes)
	case cfg.Keys < 1:
		return nil, fmt.Errorf("sim: PreciseConfig.Keys: %d, at least 1", cfg.Keys)
	case cfg.Interval < 0:
		return nil, fmt.Errorf("sim: PreciseConfig.Interval: %v", cfg.Interval)
	}
	if cfg.Interval == 0 {
		cfg.Interval = time.Second
	}
	p := &Precise{cfg: cfg, rng: stream(cfg.Seed, 1).rand(), times: make([][]time.Duration, cfg.Nodes*cfg.Keys)}
	for i := range cfg.Nodes {
		p.known = append(p.known, make([]uint32, cfg.Nodes*cfg.Keys))
		p.At(time.Duration(p.rng.Int63n(int64(cfg.Interval))), func() { p.meet(i) })
	}
	p.second()
	return p, nil
}

// SetBudget changes the budget from now on; 0 lifts it.
func (p *Precise) SetBudget(updates int) { p.cfg.Budget = updates }

// SetRate changes the writes per second of each node, from the next second on.
func (p *Precise) SetRate(rate float64) { p.cfg.Rate = rate }

// At lets do run once, d after the start; at once within the next Run if that has
// passed.
func (p *Precise) At(d time.Duration, do func()) {
	p.seq++
	p.queue.push(event{at: max(d, p.now), seq: p.seq, do: do})
}

// Run lets everything happen that is due within d.
func (p *Precise) Run(d time.Duration) {
	end := p.now + d
	for p.queue[0].at <= end { // nodes always meet again
		e := p.queue.pop()
		p.now = e.at
		e.do()
	}
	p.now = end
}

// Stale returns how many mappings of others are older at node i than at their
// owner.
func (p *Precise) Stale(i int) int {
	n := 0
	for m, seen := range p.known[i] {
		if int(seen) < len(p.times[m]) {
			n++
		}
	}
	return n
}

// Staleness returns how long ago the first write was made that node i has not
// seen, nor a later one to the same key; 0 if there is none.
func (p *Precise) Staleness(i int) time.Duration {
	var most time.Duration
	for m, seen := range p.known[i] {
		if times := p.times[m]; int(seen) < len(times) {
			most = max(most, p.now-times[seen])
		}
	}
	return most
}

// second spreads the writes of the next second over it, and comes back after it.
func (p *Precise) second() {
	p.At(p.now+time.Second, p.second)
	for p.owed += p.cfg.Rate; p.owed >= 1; p.owed-- {
		for i := range p.cfg.Nodes {
			p.At(p.now+time.Duration(p.rng.Int63n(int64(time.Second))), func() { p.write(i) })
		}
	}
}

// write lets node i write to one of its keys.
func (p *Precise) write(i int) {
	m := i*p.cfg.Keys + p.rng.Intn(p.cfg.Keys)
	p.times[m] = append(p.times[m], p.now)
	p.known[i][m]++
}

// meet lets node i start an exchange.
func (p *Precise) meet(i int) {
	p.At(p.now+p.cfg.Interval, func() { p.meet(i) })
	j := p.rng.Intn(p.cfg.Nodes - 1)
	if j >= i {
		j++
	}
	a, b := p.known[i], p.known[j]
	toB, toA := p.delta[0][:0], p.delta[1][:0]
	for m := range a {
		switch n, o := a[m], b[m]; {
		case n > o:
			toB = append(toB, pending{m, p.times[m][n-1]})
		case n < o:
			toA = append(toA, pending{m, p.times[m][o-1]})
		}
	}
	toB, toA = p.first(toB), p.first(toA)
	for _, d := range toB {
		b[d.mapping] = a[d.mapping]
	}
	for _, d := range toA {
		a[d.mapping] = b[d.mapping]
	}
	p.delta = [2][]pending{toB, toA}
}

// first returns what of a delta the budget carries; equal times are in random
// order.
func (p *Precise) first(all []pending) []pending {
	n := p.cfg.Budget
	if n == 0 || n >= len(all) {
		return all
	}
	p.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	low, high := 0, len(all) // what is to come first ends between
	for high-low > 1 {
		pivot, k := all[low], low // its place turns out to be k
		for i := low + 1; i < high; i++ {
			if p.before(all[i], pivot) {
				k++
				all[i], all[k] = all[k], all[i]
			}
		}
		all[low], all[k] = all[k], all[low]
		switch {
		case k == n:
			return all[:n]
		case k > n:
			high = k
		default:
			low = k + 1
		}
	}
	return all[:n]
}

// before reports whether a goes before b.
func (p *Precise) before(a, b pending) bool {
	if p.cfg.Oldest {
		return a.written < b.written
	}
	return a.written > b.written
}
