package main

import (
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// Three participants: 0 writes keys a, b, a; 1 writes a once; 2 nothing.
func TestLag(t *testing.T) {
	l := newLedger(3)
	for _, w := range []struct {
		i   int
		at  time.Duration
		key byte
	}{{0, time.Second, 'a'}, {0, 2 * time.Second, 'b'}, {1, 3 * time.Second, 'a'}, {0, 4 * time.Second, 'a'}} {
		l.wrote(w.i, w.at, w.key)
	}
	for _, tt := range []struct {
		name  string
		known [3][3]clock.Version // by who knows, by owner
		stale int                 // mappings, of all three together
		worst [3]float64          // by owner
	}{
		{"all", [3][3]clock.Version{{3, 1, 0}, {3, 1, 0}, {3, 1, 0}}, 0, [3]float64{}},
		{"nothing", [3][3]clock.Version{{3, 0, 0}, {0, 1, 0}, {0, 0, 0}}, 1 + 2 + 3, [3]float64{9, 7, 0}},
		// After version 1 of 0 both its keys have another value; after 2 only a has.
		{"some", [3][3]clock.Version{{3, 1, 0}, {1, 1, 0}, {2, 1, 0}}, 2 + 1, [3]float64{8, 0, 0}},
		// What an owner knows of itself does not count.
		{"forgetful owner", [3][3]clock.Version{{0, 1, 0}, {3, 0, 0}, {3, 1, 0}}, 0, [3]float64{}},
		// Somebody may know more than was noted yet.
		{"ahead", [3][3]clock.Version{{3, 2, 0}, {4, 1, 0}, {3, 1, 1}}, 0, [3]float64{}},
	} {
		got := l.lag(10*time.Second, func(i, r int) clock.Version { return tt.known[i][r] })
		if want := float64(tt.stale) / 3; got.stale != want || [3]float64(got.worst) != tt.worst {
			t.Errorf("%s: # stale %v, staleness %v; want %v, %v", tt.name, got.stale, got.worst, want, tt.worst)
		}
		if want := max(tt.worst[0], tt.worst[1], tt.worst[2]); got.max() != want {
			t.Errorf("%s: max staleness %v, want %v", tt.name, got.max(), want)
		}
	}
}
