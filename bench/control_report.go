package main

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/flowcontrol"
)

// controllers are those of experiment 2, and with whom their participants exchange; the
// indices below are theirs.
var controllers = []struct {
	name     string
	make     func() flowcontrol.Controller
	partners partners
}{
	aimdAt:   {"AIMD", func() flowcontrol.Controller { return new(flowcontrol.AIMD) }, random},
	randomAt: {"quota, random partners", func() flowcontrol.Controller { return new(flowcontrol.Quota) }, random},
	quotaAt:  {"quota", func() flowcontrol.Controller { return new(flowcontrol.Quota) }, scheduled},
}

const (
	aimdAt = iota
	randomAt
	quotaAt
)

// publishedRates is the mean τ that the paper shows for AIMD; the fields are
// seconds, last the mean of 150 to 180 s.
var publishedRates = map[int]struct{ t30, t60, t90, dip, last float64 }{
	128: {0.6, 1.0, 1.0, 0.30, 0.5},
	64:  {0.6, 1.95, 1.95, 0.65, 1.0},
}

// At second 90 the budget is halved: what is said of that moment is the mean of
// the seconds before it.
const (
	before90 = 85
	lastFrom = 150
	settled  = 130 // so long after the halving staleness is bounded again
)

func (c *controlled) at90() float64 { return mean(c.rate.between(before90, halveAt)) }
func (c *controlled) last() float64 { return mean(c.rate.between(lastFrom, controlS)) }
func (c *controlled) dip() float64  { return slices.Min(c.rate.between(halveAt, lastFrom)) }

// fairness is the smallest of Jain's indices over the participants' τ in the
// seconds in which rates should be settled.
func (c *controlled) fairness() float64 {
	least := 1.0
	for t, rates := range c.rates {
		if t >= before90 && t <= halveAt || t >= lastFrom {
			least = min(least, jain(rates))
		}
	}
	return least
}

// stalest is the largest staleness of all seconds but those around the halving.
func (c *controlled) stalest() float64 {
	return max(slices.Max(c.worst.between(0, halveAt)), slices.Max(c.worst.between(settled, controlS)))
}

// writeControl prints experiment 2 and returns its targets.
func (p *paper) writeControl(w io.Writer) []target {
	var targets []target
	for i, sc := range p.control {
		t := text{
			title: fmt.Sprintf("Experiment 2: flow control, mean τ (N=%d, %d updates per direction, half from %d s)", sc.nodes, sc.budget, halveAt),
			head:  []string{"", "published", "AIMD", "deviation", "quota, random partners", "of capacity", "quota", "of capacity"},
		}
		aimd, drawn, quota := &p.controls[i][aimdAt], &p.controls[i][randomAt], &p.controls[i][quotaAt]
		pub, ok := publishedRates[sc.nodes]
		if !ok || p.quick {
			pub.t30, pub.t60, pub.t90, pub.dip, pub.last = math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN()
		}
		row := func(what string, published float64, capacity float64, figure func(*controlled) float64) {
			a, r, q := figure(aimd), figure(drawn), figure(quota)
			deviation := "–"
			if !math.IsNaN(published) {
				deviation = percent(a, published)
			}
			part := func(rate float64) string { return fixed(100*rate/capacity, 0) + " %" }
			t.add(what, fixed(published, 2), fixed(a, 2), deviation, fixed(r, 2), part(r), fixed(q, 2), part(q))
		}
		rateAt := func(t int) func(*controlled) float64 {
			return func(c *controlled) float64 { return c.rate.values[t] }
		}
		row("t = 30 s", pub.t30, sc.capacity(30), rateAt(30))
		row("t = 60 s", pub.t60, sc.capacity(60), rateAt(60))
		row("t = 90 s", pub.t90, sc.capacity(60), (*controlled).at90)
		row("lowest after the halving", pub.dip, sc.capacity(halveAt), (*controlled).dip)
		row("t = 150–180 s", pub.last, sc.capacity(lastFrom), (*controlled).last)
		plain := func(what, published string, decimals int, unit string, figure func(*controlled) float64) {
			show := func(c *controlled) string { return fixed(figure(c), decimals) + unit }
			t.add(what, published, show(aimd), "–", show(drawn), "–", show(quota), "–")
		}
		plain("Jain's index, smallest", "–", 3, "", (*controlled).fairness)
		plain("max staleness, typical", "–", 1, " s", (*controlled).typical)
		plain("max staleness, largest", "–", 1, " s", (*controlled).stalest)
		plain("the same after the halving", "13–22 s", 1, " s", (*controlled).spike)
		t.write(w)
		targets = append(targets, p.controlTargets(sc, aimd, quota)...)
	}
	return targets
}

// typical is the median, over seconds, of the largest staleness.
func (c *controlled) typical() float64 {
	return quantile(slices.Concat(c.worst.between(controlFrom+10, halveAt), c.worst.between(settled, controlS)), 0.5)
}

// spike is the largest staleness after the halving.
func (c *controlled) spike() float64 { return slices.Max(c.worst.between(halveAt, settled)) }

func (p *paper) controlTargets(sc scale, aimd, quota *controlled) []target {
	n := func(what string) string { return fmt.Sprintf("N=%d, %s", sc.nodes, what) }
	all := []target{atLeast(n("quota: Jain's index"), quota.fairness(), 0.98, 3, "")}
	if p.quick {
		return all
	}
	pub := publishedRates[sc.nodes]
	return append(all,
		near(n("AIMD: rate at 90 s"), aimd.at90(), pub.t90, 0.15, 2, ""),
		near(n("AIMD: rate from 150 s on"), aimd.last(), pub.last, 0.15, 2, ""),
		atLeast(n("quota: rate at 90 s"), quota.at90(), 0.75*sc.capacity(60), 2, ""),
		atLeast(n("quota: rate from 150 s on"), quota.last(), 0.75*sc.capacity(lastFrom), 2, ""),
		atMost(n("quota: max staleness"), quota.stalest(), math.Log(float64(sc.nodes))+4, 1, " s"))
}

// modestWant is what every other participant wants in the run with modest writers,
// as a part of what all could have: less than the rest even with half the budget.
const modestWant = 0.2

// isModest reports whether a participant wants little.
func isModest(i int) bool { return i%2 == 0 }

// wants is the desired rate of a participant in the run with modest writers.
func wants(sc scale, i int) float64 {
	if isModest(i) {
		return modestWant * sc.capacity(0)
	}
	return greedy
}

// writeModest prints the run in which half of the participants want little, and
// returns its targets.
func (p *paper) writeModest(w io.Writer) []target {
	sc := p.control[len(p.control)-1]
	t := text{
		title: fmt.Sprintf("Half of the participants want %.2f updates per second, the others more than they get (N=%d, quota)", wants(sc, 0), sc.nodes),
		head:  []string{"seconds", "modest: mean", "lowest", "greedy: mean", "lowest", "highest", "Jain's index", "of capacity"},
	}
	var targets []target
	for _, at := range [][2]int{{60, halveAt - 1}, {lastFrom, controlS}} {
		modest, greedies := p.allowed(at[0], at[1])
		used := (mean(modest) + mean(greedies)) / 2 / sc.capacity(at[0])
		when := fmt.Sprintf("%d–%d s", at[0], at[1])
		t.add(when, fixed(mean(modest), 2), fixed(slices.Min(modest), 2), fixed(mean(greedies), 2), fixed(slices.Min(greedies), 2),
			fixed(slices.Max(greedies), 2), fixed(jain(greedies), 3), fixed(100*used, 0)+" %")
		targets = append(targets,
			atLeast("modest writers, "+when+": lowest rate", slices.Min(modest), 0.98*wants(sc, 0), 3, ""),
			atLeast("greedy writers, "+when+": Jain's index", jain(greedies), 0.98, 3, ""))
	}
	t.write(w)
	return targets
}

// allowed returns for modest and for greedy participants what each could write,
// the lower one of what it wanted and τ, on average over some seconds.
func (p *paper) allowed(first, last int) (modest, greedies []float64) {
	sc := p.control[len(p.control)-1]
	for i := range sc.nodes {
		var rates []float64
		for t := first; t <= last; t++ {
			rates = append(rates, min(p.modest.rates[t][i], wants(sc, i)))
		}
		if isModest(i) {
			modest = append(modest, mean(rates))
		} else {
			greedies = append(greedies, mean(rates))
		}
	}
	return modest, greedies
}
