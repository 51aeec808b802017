package sim_test

import (
	"flag"
	"math"
	"slices"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/flowcontrol"
)

// Experiment 2 of the paper: from second 15 on everybody wants more than it gets,
// and at second 90 the budget is halved (Paper §4). bench paper draws the figures.

var large = flag.Bool("large", false, "run the experiment with the paper's 64 and 128 nodes, too")

// experiment is what a run of it showed, by second.
type experiment struct {
	law, mean, jain, stale [181]float64
}

func experimentTwo(t *testing.T, nodes, budget int, control func() flowcontrol.Controller) (x experiment) {
	w := newFleet(t, nodes, budget, control)
	w.until(15, nil)
	w.desire(math.Inf(1), w.nodes...)
	second := 15
	note := func() {
		second++
		x.law[second] = w.law()
		x.mean[second], x.jain[second] = w.rates(w.nodes)
		x.stale[second] = w.staleness()
	}
	w.until(90, note)
	w.halve()
	w.until(180, note)
	return x
}

// settled returns how many seconds after the halving the rate came to stay above 90 %
// of what it is at the end.
func (x *experiment) settled() int {
	end := mean(x.mean[150:])
	for s := 180; s > 90; s-- {
		if x.mean[s] < 0.9*end {
			return s - 90
		}
	}
	return 0
}

// fleetSizes are the numbers of nodes: a few, which have about the same capacity per node
// as the paper's 64 by less budget, and on demand those of the paper.
func fleetSizes(few int) (nodes []int) {
	if *large {
		return []int{few, 64, 128}
	}
	return []int{few}
}

func budgetOf(nodes int) int { return min(100, nodes*100/64) }

// Paper §4: the mean maximum rate per participant. Published (read off the
// figures): N=64: 0.6 at 30 s, 1.95 at 90 s, 1.0 from 150 s on; N=128: 0.6, 1.0, 0.5.
func TestPaperAIMD(t *testing.T) {
	t.Parallel()
	for _, n := range fleetSizes(24) {
		x := experimentTwo(t, n, budgetOf(n), func() flowcontrol.Controller { return new(flowcontrol.AIMD) })
		published := map[int][3]float64{24: {0.6, 1.95, 1}, 64: {0.6, 1.95, 1}, 128: {0.6, 1, 0.5}}[n]
		got := [3]float64{x.mean[30], mean(x.mean[85:91]), mean(x.mean[150:])}
		dip := slices.Min(x.mean[91:130])
		t.Logf("N=%d: %.2f at 30 s, %.2f at 90 s, %.2f after the halving, then %.2f, settled after %d s; staleness %.1f s, at most %.1f s",
			n, got[0], got[1], dip, got[2], x.settled(), mean(x.stale[40:91]), slices.Max(x.stale[91:130]))
		for i, want := range published {
			if off(got[i], want) > 0.15 {
				t.Errorf("N=%d: rates of %.2f, published %.2f", n, got, published)
			}
		}
		if dip > 0.92*got[2] {
			t.Errorf("N=%d: after the halving the rate falls to %.2f only, then %.2f", n, dip, got[2])
		}
		if jain := slices.Min(x.jain[150:]); jain < 0.97 {
			t.Errorf("N=%d: Jain's index of the rates is %.4f", n, jain)
		}
	}
}

// Quota comes closer to the capacity law than the paper's 63 %, at equal fairness,
// and settles sooner after the budget is halved.
func TestPaperQuota(t *testing.T) {
	t.Parallel()
	for _, n := range fleetSizes(32) {
		x := experimentTwo(t, n, budgetOf(n), func() flowcontrol.Controller { return new(flowcontrol.Quota) })
		before, after := mean(x.mean[85:91])/x.law[90], mean(x.mean[150:])/x.law[180]
		settled := x.settled()
		fresh := mean(slices.Concat(x.stale[30:91], x.stale[130:]))
		limit := math.Log(float64(n)) + 4
		t.Logf("N=%d: %.1f %% of the law at 90 s, %.1f %% from 150 s on, settled %d s after the halving; staleness %.1f s, limit %.1f s, at most %.1f s after the halving",
			n, 100*before, 100*after, settled, fresh, limit, slices.Max(x.stale[91:130]))
		if before < 0.75 || after < 0.75 || before > 0.85 || after > 0.85 {
			t.Errorf("N=%d: %.3f and %.3f of what the law allows, want 0.75 to 0.85", n, before, after)
		}
		if jain := slices.Min(slices.Concat(x.jain[30:91], x.jain[130:])); jain < 0.98 {
			t.Errorf("N=%d: Jain's index of the rates is %.4f", n, jain)
		}
		if settled > 30 {
			t.Errorf("N=%d: settled %d s after the halving", n, settled)
		}
		if fresh > limit+1 {
			t.Errorf("N=%d: staleness of %.1f s, want %.1f", n, fresh, limit)
		}
	}
}

// Half of the nodes want little: they get all of it, and the others share the rest
// evenly (Paper §4).
func TestPaperModestGetAll(t *testing.T) {
	t.Parallel()
	for name, control := range map[string]func() flowcontrol.Controller{
		"AIMD":  func() flowcontrol.Controller { return new(flowcontrol.AIMD) },
		"Quota": func() flowcontrol.Controller { return new(flowcontrol.Quota) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newFleet(t, 16, 25, control)
			modest, greedy := w.nodes[:8], w.nodes[8:]
			const little = 0.5
			w.desire(little, modest...)
			w.desire(math.Inf(1), greedy...)
			w.until(100, nil)
			var rates, jain, lacking []float64
			begin := w.Now()
			w.until(150, func() {
				r, j := w.rates(greedy)
				rates, jain = append(rates, r), append(jain, j)
				for _, n := range modest {
					_, tau := n.Rates()
					lacking = append(lacking, max(0, little-tau)/little)
				}
			})
			used := w.writes(begin) / w.law() / 16
			t.Logf("greedy nodes may %.2f, Jain's index %.4f; modest ones lack %.1f %%; %.0f %% of the law is used",
				mean(rates), slices.Min(jain), 100*mean(lacking), 100*used)
			if slices.Min(jain) < 0.97 || mean(rates) < 5*little {
				t.Errorf("greedy nodes may %.2f, Jain's index %.4f", mean(rates), slices.Min(jain))
			}
			if name == "Quota" && slices.Max(lacking) > 0.001 || mean(lacking) > 0.01 {
				t.Errorf("modest nodes lack %.1f %% of what they want, at most %.1f %%", 100*mean(lacking), 100*slices.Max(lacking))
			}
			if least := map[string]float64{"AIMD": 0.5, "Quota": 0.7}[name]; used < least {
				t.Errorf("%.2f of the law is used, want %.2f", used, least)
			}
		})
	}
}

// A capacity that is not there (exchanges take longer than the controller was told,
// processors are slow) is noticed: Quota settles near what really is there.
func TestQuotaNoticesMissingCapacity(t *testing.T) {
	t.Parallel()
	w := newFleet(t, 16, 25, func() flowcontrol.Controller { return &flowcontrol.Quota{Rate: 20} })
	w.desire(math.Inf(1), w.nodes...)
	w.until(150, nil)
	begin := w.Now()
	var stale []float64
	w.until(250, func() { stale = append(stale, w.staleness()) })
	used := w.writes(begin) / w.law() / 16
	t.Logf("%.0f %% of the law is used; staleness %.1f s", 100*used, mean(stale))
	if used < 0.7 || used > 1.1 || mean(stale) > 20 {
		t.Errorf("%.2f of the law is used, staleness %.1f s", used, mean(stale))
	}
}
