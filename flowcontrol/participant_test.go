package flowcontrol_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/insecure-scuttlebutt/scuttlebutt/flowcontrol"
)

// still is a controller that leaves τ alone.
type still struct{}

func (still) Adapt(_ flowcontrol.Exchange, tau float64) float64 { return tau }
func (still) Capacity() float64                                 { return 0 }

// with returns a participant with these rates.
func with(desired, maximum float64) *flowcontrol.Participant {
	c := &settable{tau: maximum}
	p := flowcontrol.NewParticipant(c)
	p.SetDesired(desired)
	p.Observe(flowcontrol.Exchange{})
	c.still = true
	return p
}

// settable is a controller that sets τ once.
type settable struct {
	tau   float64
	still bool
}

func (s *settable) Adapt(_ flowcontrol.Exchange, tau float64) float64 {
	if s.still {
		return tau
	}
	return s.tau
}
func (s *settable) Capacity() float64 { return 0 }

// I12: exchanges that overlap conserve the sum of τ, as long as nobody gives away
// what it has given away already.
func TestOverlappingExchangesConserveTheSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 8).Draw(t, "nodes")
		var nodes []*flowcontrol.Participant
		sum := 0.0
		for range n {
			tau := rapid.Float64Range(1e6, 2e6).Draw(t, "τ")
			nodes = append(nodes, with(rapid.Float64Range(0, 4e6).Draw(t, "ρ"), tau))
			sum += tau
		}
		for range rapid.IntRange(1, 20).Draw(t, "times") {
			// All of these tell their rates before any of them hears of another's.
			type told struct {
				p    *flowcontrol.Participant
				x, y flowcontrol.Rates
			}
			var all []told
			for range rapid.IntRange(1, 2).Draw(t, "at once") {
				i := rapid.IntRange(0, n-1).Draw(t, "p")
				j := (i + rapid.IntRange(1, n-1).Draw(t, "q")) % n
				p, q := nodes[i].Rates(), nodes[j].Rates()
				all = append(all, told{nodes[i], p, q}, told{nodes[j], q, p})
			}
			clipped := false
			for _, a := range all {
				share, _ := flowcontrol.Share(a.x, a.y)
				clipped = clipped || a.p.Rates().Maximum+share-a.x.Maximum < 0
				a.p.Observe(flowcontrol.Exchange{Mine: a.x, Theirs: a.y})
			}
			if clipped {
				return
			}
			now := 0.0
			for _, p := range nodes {
				now += p.Rates().Maximum
			}
			if !near(now, sum, sum) {
				t.Fatalf("the sum is %g, was %g", now, sum)
			}
		}
	})
}

// Sharing alone makes all that want much equal, and gives the others what they
// want, whatever there was at the beginning.
func TestSharingConverges(t *testing.T) {
	var nodes []*flowcontrol.Participant
	for i := range 10 {
		nodes = append(nodes, with([]float64{3, math.Inf(1)}[i%2], float64(10*i)))
	}
	for k := range 1000 {
		p, q := nodes[k%10], nodes[(k+1+k/10%9)%10]
		x, y := p.Rates(), q.Rates()
		p.Observe(flowcontrol.Exchange{Mine: x, Theirs: y})
		q.Observe(flowcontrol.Exchange{Mine: y, Theirs: x})
	}
	for i, p := range nodes {
		if want := []float64{3, (450 - 5*3) / 5.}[i%2]; math.Abs(p.Rates().Maximum-want) > 1e-9 {
			t.Errorf("node %d may %g, want %g", i, p.Rates().Maximum, want)
		}
	}
}

// Whoever takes no part gets nothing and gives nothing.
func TestNoPart(t *testing.T) {
	p := with(1, 10)
	some := flowcontrol.Rates{Desired: 100, Maximum: 1}
	p.Observe(flowcontrol.Exchange{Mine: p.Rates()})
	p.Observe(flowcontrol.Exchange{Theirs: some})
	if got := p.Rates().Maximum; got != 10 {
		t.Errorf("τ = %g after exchanges without a partner, want 10", got)
	}
	p.Observe(flowcontrol.Exchange{Mine: p.Rates(), Theirs: some})
	if got := p.Rates().Maximum; got != 1 {
		t.Errorf("τ = %g after an exchange with one, want 1", got)
	}
}

// Whatever a peer tells and an exchange shows, a participant's rates stay finite and
// not negative.
func TestRatesStayFinite(t *testing.T) {
	any := rapid.OneOf(rapid.Float64(), rapid.Float64Range(0, 1e3), rapid.SampledFrom([]float64{
		0, math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64, math.SmallestNonzeroFloat64,
	}))
	anyRates := func(t *rapid.T) flowcontrol.Rates {
		return flowcontrol.Rates{Desired: any.Draw(t, "ρ"), Maximum: any.Draw(t, "τ"), Capacity: any.Draw(t, "C")}
	}
	rapid.Check(t, func(t *rapid.T) {
		p := flowcontrol.NewParticipant(rapid.SampledFrom([]flowcontrol.Controller{
			still{}, flowcontrol.Fixed(any.Draw(t, "fixed")), &flowcontrol.AIMD{Patience: 1}, &flowcontrol.Quota{},
		}).Draw(t, "controller"))
		for range rapid.IntRange(1, 30).Draw(t, "exchanges") {
			p.SetDesired(any.Draw(t, "ρ"))
			p.Observe(flowcontrol.Exchange{
				Time: time.Unix(1, 0), Initiated: rapid.Bool().Draw(t, "initiated"), Nodes: rapid.Int().Draw(t, "nodes"),
				Pending: any.Draw(t, "pending"), Budget: any.Draw(t, "budget"), Mine: anyRates(t), Theirs: anyRates(t),
			})
			r := p.Rates()
			for _, v := range []float64{r.Desired, r.Maximum, r.Capacity} {
				if !(v >= 0 && v <= flowcontrol.MaxRate) {
					t.Fatalf("rates %+v", r)
				}
			}
		}
	})
}
