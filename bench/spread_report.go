package main

import (
	"context"
	"io"
	"math"
)

// spreads returns the times of some runs, in seconds.
func spreads(ctx context.Context, n, runs int, seed int64) ([]float64, error) {
	var times []float64
	for i := range runs {
		d, err := spread(ctx, n, seed+int64(i))
		if err != nil {
			return nil, err
		}
		times = append(times, d.Seconds())
	}
	return times, nil
}

// writeSpread prints how long one update takes, and returns its targets.
func (p *paper) writeSpread(w io.Writer) []target {
	t := text{
		title: "Spread of one update to all nodes, no budget (rounds)",
		head:  []string{"nodes", spreadLawName, "lower quartile", "median", "upper quartile", "deviation"},
	}
	worst := 0.0
	for i, n := range p.spread {
		times := p.times[i]
		median, law := quantile(times, 0.5), spreadLaw(n)
		worst = math.Max(worst, math.Abs(median-law))
		t.add(fixed(float64(n), 0), fixed(law, 2), fixed(quantile(times, 0.25), 2), fixed(median, 2), fixed(quantile(times, 0.75), 2), percent(median, law))
	}
	t.write(w)
	return []target{atMost("spread: median's distance from "+spreadLawName, worst, 0.5, 2, " rounds")}
}

// spreadFigure draws it.
func (p *paper) spreadFigure() figure {
	s := sheet{axis: "nodes", curves: []curve{{name: "median"}, {name: "lower quartile"}, {name: "upper quartile"}, {name: spreadLawName}}}
	for i, n := range p.spread {
		s.at = append(s.at, float64(n))
		for j, v := range []float64{quantile(p.times[i], 0.5), quantile(p.times[i], 0.25), quantile(p.times[i], 0.75), spreadLaw(n)} {
			s.curves[j].values = append(s.curves[j].values, v)
		}
	}
	return figure{name: "spread", title: "Spread of one update to all nodes", x: "nodes", y: "time (rounds)", sheet: s, log: true, legend: corner{left: true}}
}
