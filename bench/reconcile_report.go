package main

import (
	"fmt"
	"io"
	"math"
	"slices"
)

// published is what the paper shows of an order in experiment 1, read off its
// figures.
type published struct {
	order                          string
	steady, peak, worst, recovered float64
	late                           bool // recovered only after that
}

// publishedOrders are in the order of their peaks.
var publishedOrders = []published{
	{order: "precise-newest", steady: 400, peak: 2050, worst: 73, recovered: 100},
	{order: "depth", steady: 400, peak: 2200, worst: 9, recovered: 100},
	{order: "breadth", steady: 400, peak: 3000, worst: 60, recovered: 120, late: true},
	{order: "precise-oldest", steady: 400, peak: 3200, worst: 43, recovered: 120, late: true},
}

// publishedOf returns the published figures of an order; NaN for those that the
// paper does not have.
func publishedOf(order string) published {
	for _, p := range publishedOrders {
		if p.order == order {
			return p
		}
	}
	nan := math.NaN()
	return published{order, nan, nan, nan, nan, false}
}

// worstAt is the largest staleness around second 99, when the paper reads it off.
func (r *reconciled) worstAt() float64 { return mean(r.worst.between(98, 100)) }

// overload is the mean of # stale from the limit to the end.
func (r *reconciled) overload() float64 { return mean(r.stale.between(limitFrom, reconcileS)) }

// of returns the run of an order.
func of(runs []reconciled, order string) *reconciled {
	return &runs[slices.IndexFunc(runs, func(r reconciled) bool { return r.stale.name == order })]
}

// beside adds a row: what was published, what came out, and the difference.
func (t *text) beside(order, what string, published, ours float64, decimals int, unit string) {
	deviation := "–"
	if !math.IsNaN(published) {
		deviation = percent(ours, published)
	}
	t.add(order, what, quantity(published, decimals, unit), quantity(ours, decimals, unit), deviation)
}

// writeReconcile prints experiment 1 and returns its targets.
func (p *paper) writeReconcile(w io.Writer) []target {
	t := text{
		title: fmt.Sprintf("Experiment 1: reconciliation under a load peak (%d participants, %d updates per direction)", p.reconcile.nodes, p.reconcile.budget),
		head:  []string{"order", "", "published", "ours", "deviation"}, words: 1,
	}
	for i := range p.even {
		r := &p.even[i]
		pub := publishedOf(r.stale.name)
		if p.quick {
			pub = publishedOf("")
		}
		peak, at := r.peak()
		t.beside(r.stale.name, "# stale, steady", pub.steady, r.steady(), 0, "")
		t.beside("", fmt.Sprintf("# stale, peak (ours at %d s)", at), pub.peak, peak, 0, "")
		t.beside("", "max staleness at 98–100 s", pub.worst, r.worstAt(), 0, " s")
		t.beside("", "max staleness, largest", math.NaN(), slices.Max(r.worst.values[limitFrom:]), 0, " s")
		if pub.late {
			t.add("", "back to steady # stale at", "> "+fixed(pub.recovered, 0)+" s", fixed(r.recovered(), 0)+" s", "–")
		} else {
			t.beside("", "back to steady # stale at", pub.recovered, r.recovered(), 0, " s")
		}
		t.beside("", "within a tenth of steady at", math.NaN(), r.settled(), 0, " s")
	}
	t.write(w)
	return p.reconcileTargets()
}

func (p *paper) reconcileTargets() []target {
	var all []target
	for _, pub := range publishedOrders {
		if p.quick {
			break
		}
		r := of(p.even, pub.order)
		peak, _ := r.peak()
		all = append(all,
			near(pub.order+": steady # stale", r.steady(), pub.steady, 0.10, 0, ""),
			near(pub.order+": peak of # stale", peak, pub.peak, 0.15, 0, ""))
		if pub.late {
			all = append(all, from(pub.order+": back to steady", r.recovered(), 120, 126, 0, " s"))
		} else {
			all = append(all, from(pub.order+": back to steady", r.recovered(), pub.recovered-6, pub.recovered+6, 0, " s"))
		}
	}
	var peaks []float64
	for _, pub := range publishedOrders {
		peak, _ := of(p.even, pub.order).peak()
		peaks = append(peaks, peak)
	}
	depth, hybrid := of(p.even, "depth"), of(p.even, "hybrid")
	all = append(all, target{"peaks rank", fmt.Sprintf("%.0f", peaks), "newest < depth < breadth < oldest", slices.IsSorted(peaks)})
	if p.quick {
		return all
	}
	return append(all,
		atMost("depth: max staleness at 100 s", depth.worst.values[100], 30, 0, " s"),
		atMost("hybrid: mean # stale", hybrid.overload(), 1.03*depth.overload(), 0, ""))
}

// writeSkewed prints experiment 1 under a skewed load and returns its targets.
func (p *paper) writeSkewed(w io.Writer) []target {
	t := text{
		title: fmt.Sprintf("Experiment 1 with a skewed load (Zipf, exponent 1): from %d to %d s", limitFrom, reconcileS),
		head:  []string{"order", "# stale, mean", "# stale, peak", "light writers' worst staleness"},
	}
	for i := range p.skewed {
		r := &p.skewed[i]
		peak, _ := r.peak()
		t.add(r.stale.name, fixed(r.overload(), 0), fixed(peak, 0), fixed(r.lightWorst(), 1)+" s")
	}
	t.write(w)
	return p.skewedTargets()
}

func (p *paper) skewedTargets() []target {
	depth, hybrid := of(p.skewed, "depth"), of(p.skewed, "hybrid")
	light := func(part float64) target {
		return atMost("hybrid, skewed: light writers' worst staleness", hybrid.lightWorst(), part*depth.lightWorst(), 1, " s")
	}
	if p.quick {
		return []target{light(0.5)}
	}
	return []target{light(0.25), atMost("hybrid, skewed: mean # stale", hybrid.overload(), 0.75*depth.overload(), 0, "")}
}

// lightWorst is the largest staleness of the half of participants that writes
// least, with the limit.
func (r *reconciled) lightWorst() float64 { return slices.Max(r.light.values[limitFrom:]) }

// ringsArePublished is behind the title of a figure with marks.
const ringsArePublished = " (rings: published)"

// reconcileFigures draws experiment 1.
func (p *paper) reconcileFigures() []figure {
	pick := func(runs []reconciled, c func(r *reconciled) curve) sheet {
		var curves []curve
		for i := range runs {
			curves = append(curves, c(&runs[i]))
		}
		return newSheet(reconcileS, curves...)
	}
	stale := func(r *reconciled) curve { return r.stale }
	worst := func(r *reconciled) curve { return r.worst }
	light := func(r *reconciled) curve { return r.light }
	rings := ""
	if !p.quick {
		rings = ringsArePublished
	}
	const seconds, mappings, oldest = "t (s)", "stale mappings per participant", "max staleness (s)"
	all := []figure{
		{name: "reconcile-stale", title: "Experiment 1: # stale over time" + rings, x: seconds, y: mappings, sheet: pick(p.even, stale)},
		{name: "reconcile-staleness", title: "Experiment 1: max staleness over time" + rings, x: seconds, y: oldest, sheet: pick(p.even, worst), legend: corner{left: true}},
		{name: "skewed-stale", title: "Skewed load: # stale over time", x: seconds, y: mappings, sheet: pick(p.skewed, stale)},
		{name: "skewed-staleness", title: "Skewed load: max staleness of light writers over time", x: seconds, y: oldest, sheet: pick(p.skewed, light), legend: corner{left: true}},
	}
	if !p.quick {
		for _, pub := range publishedOrders {
			all[0].marks = append(all[0].marks, mark{pub.order, 73, pub.peak})
			all[1].marks = append(all[1].marks, mark{pub.order, 99, pub.worst})
		}
	}
	return all
}
