package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
)

// sheet is the data of one figure: curves over a common axis.
type sheet struct {
	axis   string // what at is; the head of the first column
	at     []float64
	curves []curve
}

// curve is one value for each point of its sheet's axis; NaN where there is none.
type curve struct {
	name   string
	values []float64
}

// newSheet returns a sheet over the seconds 0 to last.
func newSheet(last int, curves ...curve) sheet {
	s := sheet{axis: "t", curves: curves}
	for t := range last + 1 {
		s.at = append(s.at, float64(t))
	}
	return s
}

// between returns the values of c at the seconds from first to last, last
// included; c belongs to a sheet of newSheet.
func (c curve) between(first, last int) []float64 {
	return c.values[min(first, len(c.values)):min(last+1, len(c.values))]
}

// writeCSV writes a head and a line for each point. The same sheet gives the same
// bytes.
func (s sheet) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	line := []string{s.axis}
	for _, c := range s.curves {
		if len(c.values) != len(s.at) {
			return fmt.Errorf("bench: curve %s has %d values for %d points", c.name, len(c.values), len(s.at))
		}
		line = append(line, c.name)
	}
	if err := out.Write(line); err != nil {
		return err
	}
	for i, at := range s.at {
		line = append(line[:0], decimal(at))
		for _, c := range s.curves {
			line = append(line, decimal(c.values[i]))
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// decimal formats a value for machines: at most four decimals, nothing for NaN.
func decimal(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(math.Round(v*1e4)/1e4, 'f', -1, 64)
}
