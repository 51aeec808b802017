package main

import "testing"

func TestQuantile(t *testing.T) {
	h := histogram{bounds: []float64{0.01, 0.1, 1}, counts: []float64{50, 90, 100}}
	for q, want := range map[float64]string{0.25: "5ms", 0.5: "10ms", 0.9: "100ms", 0.95: "550ms"} {
		if got := h.quantile(q); got != want {
			t.Errorf("quantile(%v) = %s, want %s", q, got, want)
		}
	}
	if got := h.minus(h).quantile(0.5); got != "-" {
		t.Errorf("quantile of nothing = %s", got)
	}
}
