package main

import (
	"math"
	"testing"
)

func TestControlled(t *testing.T) {
	var c controlled
	for at := range controlS + 1 {
		rates := []float64{1, 1}
		worst := 5.0
		switch {
		case at == 40: // unsettled: not looked at
			rates = []float64{1, 0}
		case at == 100:
			rates, worst = []float64{0.2, 0.2}, 20
		case at == 135:
			worst = 7
		case at >= lastFrom:
			rates = []float64{1, 2}
		}
		c.note(rates, rates, worst)
	}
	for _, tt := range []struct {
		what      string
		got, want float64
	}{
		{"rate at 90 s", c.at90(), 1},
		{"rate from 150 s on", c.last(), 1.5},
		{"lowest", c.dip(), 0.2},
		{"Jain's index", c.fairness(), 0.9},
		{"max staleness", c.stalest(), 7},
		{"typical staleness", c.typical(), 5},
		{"spike", c.spike(), 20},
	} {
		if math.Abs(tt.got-tt.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", tt.what, tt.got, tt.want)
		}
	}
}

// The capacity law of DESIGN §6 with the paper's figures.
func TestCapacity(t *testing.T) {
	sc := scale{nodes: 128, budget: 100}
	for _, tt := range []struct {
		t    int
		want float64
	}{{0, 1.575}, {89, 1.575}, {90, 0.787}, {180, 0.787}} {
		if got := sc.capacity(tt.t); math.Abs(got-tt.want) > 0.001 {
			t.Errorf("capacity at %d s: %.4f, want %.3f", tt.t, got, tt.want)
		}
	}
}

func TestWants(t *testing.T) {
	sc := scale{nodes: 4, budget: 30}
	if modest, eager := wants(sc, 0), wants(sc, 1); modest != 4 || eager != greedy {
		t.Errorf("they want %v and %v, want 4 (a fifth of 20) and %v", modest, eager, greedy)
	}
}
