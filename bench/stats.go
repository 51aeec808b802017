package main

import (
	"math"
	"slices"
)

// jain is Jain's index of fairness of rates: (Σx)² / (n·Σx²). It is 1 when all
// are equal and 1/n when one has everything; of nothing at all, and of nobody,
// it is 1.
func jain(rates []float64) float64 {
	var sum, squares float64
	for _, x := range rates {
		sum += x
		squares += x * x
	}
	if squares == 0 {
		return 1
	}
	return sum * sum / (float64(len(rates)) * squares)
}

// mean is the arithmetic mean, NaN of nothing.
func mean(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// quantile returns the value below which the fraction q of values lies, between
// two of them by proportion; NaN of nothing. It leaves values as they are.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}
