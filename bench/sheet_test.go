package main

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestCSV(t *testing.T) {
	s := newSheet(2,
		curve{"depth", []float64{0, 1.5, 1234567.89012}},
		curve{"with, comma", []float64{math.NaN(), 1.0 / 3, -2}})
	var b strings.Builder
	if err := s.writeCSV(&b); err != nil {
		t.Fatal(err)
	}
	want := "t,depth,\"with, comma\"\n0,0,\n1,1.5,0.3333\n2,1234567.8901,-2\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
	s.curves[0].values = s.curves[0].values[:2]
	if err := s.writeCSV(&b); err == nil || !strings.Contains(err.Error(), "depth") {
		t.Errorf("a curve that is too short: %v", err)
	}
}

func TestBetween(t *testing.T) {
	c := curve{"c", []float64{0, 10, 20, 30}}
	for _, tt := range []struct {
		first, last int
		want        []float64
	}{{0, 0, []float64{0}}, {1, 2, []float64{10, 20}}, {3, 9, []float64{30}}, {7, 9, nil}} {
		if got := c.between(tt.first, tt.last); !slices.Equal(got, tt.want) {
			t.Errorf("between(%d, %d) = %v, want %v", tt.first, tt.last, got, tt.want)
		}
	}
}
