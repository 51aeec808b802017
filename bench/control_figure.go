package main

import (
	"fmt"
	"slices"
)

// controlFigures draws experiment 2.
func (p *paper) controlFigures() []figure {
	var all []figure
	for i, sc := range p.control {
		rates := newSheet(controlS)
		worst := newSheet(controlS)
		for j := range controllers {
			rates.curves = append(rates.curves, p.controls[i][j].rate)
			worst.curves = append(worst.curves, p.controls[i][j].worst)
		}
		limit := curve{name: "capacity"}
		for t := range controlS + 1 {
			limit.values = append(limit.values, sc.capacity(t))
		}
		rates.curves = append(rates.curves, limit)
		rate := figure{
			name: fmt.Sprintf("control-rate-%d", sc.nodes), title: fmt.Sprintf("Experiment 2: max rate over time, N=%d", sc.nodes),
			x: "t (s)", y: "mean τ (updates/s)", sheet: rates, top: 1.15 * sc.capacity(0),
		}
		if pub, ok := publishedRates[sc.nodes]; ok && !p.quick {
			rate.title += ringsArePublished
			rate.marks = []mark{{"AIMD", 30, pub.t30}, {"AIMD", 60, pub.t60}, {"AIMD", 90, pub.t90}, {"AIMD", 113, pub.dip}, {"AIMD", 165, pub.last}}
		}
		all = append(all, rate, figure{
			name: fmt.Sprintf("control-staleness-%d", sc.nodes), title: fmt.Sprintf("Experiment 2: max out-of-date over time, N=%d", sc.nodes),
			x: "t (s)", y: "max staleness (s)", sheet: worst, legend: corner{left: true},
		})
	}
	return append(all, p.modestFigure())
}

// modestFigure draws the run in which half of the participants want little.
func (p *paper) modestFigure() figure {
	sc := p.control[len(p.control)-1]
	curves := []curve{{name: "greedy, mean"}, {name: "greedy, lowest"}, {name: "greedy, highest"}, {name: "modest, mean"}, {name: "modest, lowest"}}
	for t := range controlS + 1 {
		modest, greedies := p.allowed(t, t)
		for i, v := range []float64{mean(greedies), slices.Min(greedies), slices.Max(greedies), mean(modest), slices.Min(modest)} {
			curves[i].values = append(curves[i].values, v)
		}
	}
	return figure{
		name: "control-modest", title: fmt.Sprintf("Half of the writers want little, N=%d, quota", sc.nodes),
		x: "t (s)", y: "allowed rate (updates/s)", sheet: newSheet(controlS, curves...), top: 2 * sc.capacity(0),
	}
}
