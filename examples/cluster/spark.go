package main

import (
	"strings"
	"time"
	"unicode/utf8"
)

// The marks of a graph of staleness, and the largest value of each but the last:
// a logarithmic scale.
const marks = "▁▂▃▄▅▆▇█"

var markBounds = []time.Duration{
	10 * time.Millisecond, 30 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond,
	time.Second, 3 * time.Second, 10 * time.Second,
}

// downMark stands for a second in which the node did not run.
const downMark = '·'

// mark returns the mark of a value.
func mark(d time.Duration) rune {
	if d == down {
		return downMark
	}
	i := 0
	for i < len(markBounds) && d > markBounds[i] {
		i++
	}
	return []rune(marks)[i]
}

// spark draws the newest values, one mark each, the newest on the right.
func spark(past []time.Duration, width int) string {
	var s strings.Builder
	for i := len(past) - width; i < len(past); i++ {
		if i < 0 {
			s.WriteByte(' ')
			continue
		}
		s.WriteRune(mark(past[i]))
	}
	return s.String()
}

// sparkLegend says what the marks mean.
func sparkLegend() string {
	var s strings.Builder
	for i, bound := range markBounds {
		s.WriteRune([]rune(marks)[i])
		s.WriteString(" ≤" + bound.String() + "  ")
	}
	last, _ := utf8.DecodeLastRuneInString(marks)
	s.WriteString(string(last) + " more  " + string(downMark) + " down")
	return s.String()
}
