package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// text is a table for people: a head and rows of the same length.
type text struct {
	title string
	head  []string
	rows  [][]string
	words int // columns beyond the first that are aligned to the left
}

func (t *text) add(cells ...string) { t.rows = append(t.rows, cells) }

// write prints the table with columns aligned, words to the left and figures to the
// right, and an empty line after it.
func (t *text) write(w io.Writer) {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	line := func(cells []string) {
		var b strings.Builder
		for i, cell := range cells {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i > 0 {
				b.WriteString("  ")
			}
			if i <= t.words {
				b.WriteString(cell + pad)
			} else {
				b.WriteString(pad + cell)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
	fmt.Fprintln(w, t.title)
	line(t.head)
	rule := make([]string, len(widths))
	for i, n := range widths {
		rule[i] = strings.Repeat("─", n)
	}
	line(rule)
	for _, row := range t.rows {
		line(row)
	}
	fmt.Fprintln(w)
}

// fixed formats a value for people: thousands separated, "–" for NaN.
func fixed(v float64, decimals int) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case math.IsInf(v, 0):
		return "∞"
	}
	s := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if v < 0 && strings.Trim(s, "0.") != "" {
		whole = "−" + whole
	}
	return whole
}

// quantity is fixed with a unit behind, unless there is no value.
func quantity(v float64, decimals int, unit string) string {
	if math.IsNaN(v) {
		return fixed(v, decimals)
	}
	return fixed(v, decimals) + unit
}

// percent formats how far ours is from published, with its sign.
func percent(ours, published float64) string {
	d := 100 * (ours/published - 1)
	if d >= 0 {
		return "+" + fixed(d, 0) + " %"
	}
	return fixed(d, 0) + " %"
}
