package main

import (
	"fmt"
	"strconv"
)

// Widths of graphs, a column for each second.
const (
	minSpark = 12
	maxSpark = 30
)

// keepEvents is how many events are shown though nodes do not fit.
const keepEvents = 3

// column is a column of the table.
type column struct {
	head  string
	width int // with the space in front
	drop  int // 0: always there; of the others the lowest goes first when it is tight
	cell  func(*row) string
	bad   func(*row) bool // what it shows is not as it should be; nil: never
}

// columns are all columns between the state and the graph.
var columns = []column{
	{"keys", 7, 0, func(r *row) string { return strconv.Itoa(r.keys) }, nil},
	{"lacks", 7, 0, func(r *row) string { return strconv.FormatUint(r.lacks, 10) }, nil},
	{"in/s", 6, 6, func(r *row) string { return number(r.in) }, nil},
	{"out/s", 6, 5, func(r *row) string { return number(r.out) }, nil},
	{"kB in", 7, 3, func(r *row) string { return kilo(r.kBIn) }, nil},
	{"kB out", 7, 2, func(r *row) string { return kilo(r.kBOut) }, nil},
	{"p50", 8, 4, func(r *row) string { return r.p50 }, nil},
	{"p99", 8, 7, func(r *row) string { return r.p99 }, nil},
	{"behind", 8, 0, func(r *row) string { return seconds(r.behind.Seconds()) }, nil},
	{"clean", 6, 8, func(r *row) string {
		if r.clean {
			return "clean"
		}
		return "dirty"
	}, func(r *row) bool { return !r.clean }},
	{"seen", 5, 0, func(r *row) string { return strconv.Itoa(r.seen) }, func(r *row) bool { return r.seen != r.running }},
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', 0, 64) }

// kilo has a decimal where there is room for it.
func kilo(f float64) string {
	if f >= 999.95 {
		return number(f)
	}
	return strconv.FormatFloat(f, 'f', 1, 64)
}

// table is the columns that fit a screen.
type table struct {
	columns []column
	spark   int // width of the graph
}

// head is in front of all columns, and a space more behind them.
const head = "node  state "

// newTable leaves columns out until the graph fits, too.
func newTable(cols int) table {
	t := table{columns: columns}
	for least := 1; ; least++ {
		t.spark = cols - len(head) - 2
		tight := false
		for _, c := range t.columns {
			t.spark -= c.width
			tight = tight || c.drop > 0
		}
		if t.spark >= minSpark || !tight {
			t.spark = min(max(t.spark, minSpark), maxSpark)
			return t
		}
		var kept []column
		for _, c := range t.columns {
			if c.drop != least {
				kept = append(kept, c)
			}
		}
		t.columns = kept
	}
}

// head returns the line above all rows.
func (t table) head() line {
	s := head
	for _, c := range t.columns {
		s += fmt.Sprintf("%*s", c.width, c.head)
	}
	return text(fmt.Sprintf("%s  last %d s", s, t.spark), bold)
}

// line draws a row.
func (t table) line(r *row) line {
	look := normal
	switch {
	case !r.up:
		look = faint
	case r.state == "side A":
		look = cyan
	case r.state == "side B":
		look = yellow
	}
	l := line{{fmt.Sprintf("%-*s", len(head), fmt.Sprintf("%-4s  %s", r.name, r.state)), look}}
	for _, c := range t.columns {
		s, cellLook := "", normal
		if r.up {
			s = c.cell(r)
		}
		if r.up && c.bad != nil && c.bad(r) {
			cellLook = red
		}
		l = append(l, span{fmt.Sprintf("%*s", c.width, s), cellLook})
	}
	return append(l, span{"  " + spark(r.past, t.spark), look})
}

// frame draws a board for a screen of a size. It never fills the last column, nor
// the last row, where the cursor stays: so nothing wraps or scrolls away. What does
// not fit is left out: older events first, then the legend, then nodes.
func frame(b *board, cols, rows int) []line {
	cols, rows = max(cols-1, 1), max(rows-1, 1)
	t := newTable(cols)
	top := []line{{{fmt.Sprintf("%5.1fs", b.at.Seconds()), bold}, {"  " + b.title, normal}}}
	if b.faults != "" {
		top = append(top, text("        network: "+b.faults, normal))
	}
	top = append(top, nil, t.head())
	var nodes, events []line
	for i := range b.rows {
		nodes = append(nodes, t.line(&b.rows[i]))
	}
	for _, e := range b.events {
		events = append(events, text(e.String(), normal))
	}
	legend := []line{
		nil,
		text(sparkLegend(), faint),
		text("lacks: writes only others have; behind, graph: age of the oldest, at worst", faint),
		text("in, out, kB: per second; p50, p99: age of updates on arrival; seen: members", faint),
	}
	keep := min(min(len(events), keepEvents)+1, rows/4)
	if rows < len(top)+len(nodes)+len(legend)+keep {
		legend = nil
	}
	if fits := max(rows-len(top)-keep, 1); len(nodes) > fits {
		nodes = append(nodes[:fits-1], text(fmt.Sprintf("and %d more", len(nodes)-fits+1), faint))
	}
	if spare := rows - len(top) - len(nodes) - len(legend) - 1; spare < len(events) {
		events = events[len(events)-max(spare, 0):]
	}
	all := append(append(top, nodes...), legend...)
	if len(events) > 0 {
		all = append(append(all, nil), events...)
	}
	all = all[:min(len(all), rows)]
	for i, l := range all {
		all[i] = l.crop(cols)
	}
	return all
}
