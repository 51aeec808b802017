package flowcontrol_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/insecure-scuttlebutt/scuttlebutt/flowcontrol"
)

// Paper §4: the rules of pairwise sharing, one by one.
func TestShare(t *testing.T) {
	huge := math.MaxFloat64
	for _, tt := range []struct {
		why          string
		p, q         flowcontrol.Rates
		wantP, wantQ float64
	}{
		{"enough for both: the surplus is split", flowcontrol.Rates{Desired: 3, Maximum: 10}, flowcontrol.Rates{Desired: 5, Maximum: 2}, 5, 7},
		{"just enough", flowcontrol.Rates{Desired: 7, Maximum: 2}, flowcontrol.Rates{Desired: 5, Maximum: 10}, 7, 5},
		{"both want half or more", flowcontrol.Rates{Desired: 7, Maximum: 2}, flowcontrol.Rates{Desired: 6, Maximum: 10}, 6, 6},
		{"p wants less than half", flowcontrol.Rates{Desired: 1, Maximum: 2}, flowcontrol.Rates{Desired: 20, Maximum: 10}, 1, 11},
		{"q wants less than half", flowcontrol.Rates{Desired: 20, Maximum: 2}, flowcontrol.Rates{Desired: 1, Maximum: 10}, 11, 1},
		{"nobody wants anything", flowcontrol.Rates{Maximum: 4}, flowcontrol.Rates{}, 2, 2},
		{"nothing to share", flowcontrol.Rates{Desired: 1}, flowcontrol.Rates{Desired: 2}, 0, 0},
		{"all zero", flowcontrol.Rates{}, flowcontrol.Rates{}, 0, 0},
		{"equal", flowcontrol.Rates{Desired: 1, Maximum: 0.25}, flowcontrol.Rates{Desired: 1, Maximum: 0.25}, 0.25, 0.25},
		{"boundless desires", flowcontrol.Rates{Desired: huge, Maximum: 3}, flowcontrol.Rates{Desired: math.Inf(1), Maximum: 1}, 2, 2},
		{"boundless maximum", flowcontrol.Rates{Desired: 1, Maximum: huge}, flowcontrol.Rates{Desired: 1, Maximum: huge}, flowcontrol.MaxRate, flowcontrol.MaxRate},
		{"negative", flowcontrol.Rates{Desired: -1, Maximum: -5}, flowcontrol.Rates{Desired: 1, Maximum: 2}, 0.5, 1.5},
		{"no numbers", flowcontrol.Rates{Desired: math.NaN(), Maximum: 2}, flowcontrol.Rates{Desired: 4, Maximum: math.NaN()}, 0, 2},
	} {
		p, q := flowcontrol.Share(tt.p, tt.q)
		if p != tt.wantP || q != tt.wantQ {
			t.Errorf("%s: Share(%+v, %+v) = %g, %g, want %g, %g", tt.why, tt.p, tt.q, p, q, tt.wantP, tt.wantQ)
		}
	}
}

// rate draws a rate: often a special one, or one at the edge of another case.
func rate(t *rapid.T, label string) float64 {
	return rapid.OneOf(
		rapid.Float64Range(0, 10), rapid.Float64Range(0, flowcontrol.MaxRate),
		rapid.SampledFrom([]float64{0, 1, 2, 4, flowcontrol.MaxRate, math.SmallestNonzeroFloat64}),
	).Draw(t, label)
}

func rates(t *rapid.T, of string) flowcontrol.Rates {
	return flowcontrol.Rates{Desired: rate(t, "ρ "+of), Maximum: rate(t, "τ "+of)}
}

// near reports whether two rates are the same but for rounding.
func near(a, b, scale float64) bool {
	return math.Abs(a-b) <= 1e-12*scale+2*math.SmallestNonzeroFloat64
}

// I12: the sum is conserved; and the shares are max–min fair: nobody gets less than
// half of the sum unless that is what it wants, nobody lacks anything while the
// other one has more than it wants, and both sides compute the same.
func TestShareIsFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, q := rates(t, "p"), rates(t, "q")
		newP, newQ := flowcontrol.Share(p, q)
		sum := p.Maximum + q.Maximum
		if newP < 0 || newQ < 0 || !near(newP+newQ, sum, sum) {
			t.Fatalf("%g + %g, want the sum %g", newP, newQ, sum)
		}
		if q2, p2 := flowcontrol.Share(q, p); p2 != newP || q2 != newQ {
			t.Fatalf("q computes %g, %g, p %g, %g", p2, q2, newP, newQ)
		}
		for _, x := range []struct{ got, desired, other, otherDesired float64 }{
			{newP, p.Desired, newQ, q.Desired}, {newQ, q.Desired, newP, p.Desired},
		} {
			lacks := x.got < x.desired && !near(x.got, x.desired, sum)
			if lacks && x.got < sum/2 && !near(x.got, sum/2, sum) {
				t.Fatalf("%g, %g: less than half, and than what it wants", newP, newQ)
			}
			if lacks && x.other > x.otherDesired && !near(x.other, x.otherDesired, sum) {
				t.Fatalf("%g, %g: one lacks what the other one does not want", newP, newQ)
			}
		}
	})
}

// Rates come from the network: whatever they are, the result is finite and not
// negative.
func TestShareOfHostileRates(t *testing.T) {
	any := func(t *rapid.T, label string) float64 {
		return rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{
			math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64, -math.MaxFloat64,
		})).Draw(t, label)
	}
	rapid.Check(t, func(t *rapid.T) {
		p := flowcontrol.Rates{Desired: any(t, "ρp"), Maximum: any(t, "τp")}
		q := flowcontrol.Rates{Desired: any(t, "ρq"), Maximum: any(t, "τq")}
		newP, newQ := flowcontrol.Share(p, q)
		for _, r := range []float64{newP, newQ} {
			if !(r >= 0 && r <= 2*flowcontrol.MaxRate) {
				t.Fatalf("Share(%+v, %+v) = %g, %g", p, q, newP, newQ)
			}
		}
	})
}
