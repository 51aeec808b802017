package sim

import (
	"math"
	"math/rand"
	"sort"
	"strconv"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Load makes nodes write. Zero fields take the default on their line.
type Load struct {
	Rate    float64             // writes per second of all nodes together
	PerNode float64             // if Rate is 0: of each node on average
	Nodes   []string            // who writes; default all nodes, those that join later, too
	Weight  func(i int) float64 // share of the i-th of them; default the same for all, see Zipf
	Until   time.Duration       // since the simulation's start; default for ever
	Burst   Burst               // default without pause
	// Paced gives each node its part of the rate in every second, at instants drawn
	// uniformly from it (the paper's). Default: a Poisson process.
	Paced bool
	// Throttled lets each node write at the lower one of its desired and its maximum
	// rate, ρ and τ, whatever Rate says; it implies Paced. Without flow control it
	// means nothing.
	Throttled bool
	// Draft makes the i-th write of a node, from 0. Default: one of 16 keys of the
	// first space.
	Draft func(rng *rand.Rand, n *Node, i int) (space string, d model.Draft)
	// Write, if not nil, is called instead, and writes itself: by Sim.Write, or by the
	// handles that the node's models are. An error other than ErrDown is not looked at
	// either: writes may be refused.
	Write func(rng *rand.Rand, n *Node, i int) error
}

// Burst is a pattern of a load: On, then Off, from when the load begins. The zero
// value is without pause.
type Burst struct{ On, Off time.Duration }

// Zipf weighs the i-th node by 1/(i+1)^exponent: few write most.
func Zipf(exponent float64) func(i int) float64 {
	return func(i int) float64 { return math.Pow(float64(i+1), -exponent) }
}

// load is a Load under way.
type load struct {
	Load
	sim    *Sim
	rng    *rand.Rand
	begin  time.Duration
	sums   []float64 // of weights, up to each writer
	writes []int     // of each writer
	owed   []float64 // Paced: parts of a write that did not make a whole one yet
}

// Load begins a load now. Several loads add up.
func (s *Sim) Load(l Load) {
	if l.Until == 0 {
		l.Until = never
	}
	if l.Draft == nil {
		l.Draft = s.defaultDraft
	}
	throttled := l.Throttled && s.cfg.Flow != nil
	w := &load{Load: l, sim: s, begin: s.now, rng: source(s.seeds.Uint64()).rand()}
	w.Throttled = throttled
	if l.Paced || throttled {
		w.second()
	} else {
		w.wait()
	}
}

// defaultDraft sets one of 16 keys.
func (s *Sim) defaultDraft(rng *rand.Rand, n *Node, i int) (string, model.Draft) {
	return s.spaces[0], model.Draft{Key: strconv.AppendInt([]byte("k"), rng.Int63n(16), 10), Value: strconv.AppendInt(nil, int64(i), 10)}
}

// writers returns how many nodes there are to write, and brings the weights up to
// date.
func (w *load) writers() int {
	n := len(w.Nodes)
	if w.Nodes == nil {
		n = len(w.sim.nodes)
	}
	sum := 0.0
	if len(w.sums) > 0 {
		sum = w.sums[len(w.sums)-1]
	}
	for i := len(w.sums); i < n; i++ {
		weight := 1.0
		if w.Weight != nil {
			weight = w.Weight(i)
		}
		sum += max(weight, 0)
		w.sums = append(w.sums, sum)
	}
	w.writes = append(w.writes, make([]int, n-len(w.writes))...)
	w.owed = append(w.owed, make([]float64, n-len(w.owed))...)
	return n
}

// writer returns the i-th writer, nil if it never joined.
func (w *load) writer(i int) *Node {
	if w.Nodes != nil {
		return w.sim.Node(w.Nodes[i])
	}
	return w.sim.nodes[i]
}

// rate returns the writes per second of n writers together.
func (w *load) rate(n int) float64 {
	if n == 0 || w.sums[n-1] == 0 {
		return 0 // nobody writes
	}
	if w.Rate > 0 {
		return w.Rate
	}
	return w.PerNode * float64(n)
}

// pause returns how long a burst's pause goes on, 0 while there is none.
func (w *load) pause() time.Duration {
	if w.Burst.On <= 0 || w.Burst.Off <= 0 {
		return 0
	}
	period := w.Burst.On + w.Burst.Off
	if in := (w.sim.now - w.begin) % period; in >= w.Burst.On {
		return period - in
	}
	return 0
}

// wait lets the next write of a Poisson process happen when it is due.
func (w *load) wait() {
	if d := w.pause(); d > 0 {
		w.later(d, w.wait)
		return
	}
	rate := w.rate(w.writers())
	if rate <= 0 {
		w.later(time.Second, w.wait) // somebody may join
		return
	}
	d := w.rng.ExpFloat64() / rate * float64(time.Second)
	w.later(time.Duration(min(d, float64(never/4))), func() {
		if w.pause() == 0 && w.writers() > 0 {
			w.write(w.choose())
		}
		w.wait()
	})
}

// choose returns a writer by weight.
func (w *load) choose() int {
	x := w.rng.Float64() * w.sums[len(w.sums)-1]
	return min(sort.Search(len(w.sums), func(i int) bool { return w.sums[i] > x }), len(w.sums)-1)
}

// second spreads the writes of the next second over it, and comes back after it.
func (w *load) second() {
	w.later(time.Second, w.second)
	if w.pause() > 0 {
		return
	}
	n := w.writers()
	total := w.rate(n)
	if total == 0 && !w.Throttled {
		return
	}
	for i := range n {
		w.owed[i] += w.share(i, total)
		for ; w.owed[i] >= 1; w.owed[i]-- {
			w.later(time.Duration(w.rng.Int63n(int64(time.Second))), func() { w.write(i) })
		}
	}
}

// share returns how many writes per second the i-th writer makes.
func (w *load) share(i int, total float64) float64 {
	if w.Throttled {
		if n := w.writer(i); n != nil {
			return min(n.Rates())
		}
		return 0
	}
	weight := w.sums[i]
	if i > 0 {
		weight -= w.sums[i-1]
	}
	return total * weight / w.sums[len(w.sums)-1]
}

// write lets the i-th writer write, if it runs.
func (w *load) write(i int) {
	n := w.writer(i)
	if n == nil || n.state != running {
		return
	}
	k := w.writes[i]
	w.writes[i]++
	if w.Load.Write != nil {
		_ = w.Load.Write(w.rng, n, k)
		return
	}
	space, d := w.Draft(w.rng, n, k)
	_ = w.sim.Write(n, space, d) // refused writes are part of a load
}

// later lets do run d from now on, if the load goes on until then.
func (w *load) later(d time.Duration, do func()) {
	if at := w.sim.now + d; at < w.Until {
		w.sim.At(at, do)
	}
}
