package engine

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// Whatever arrives when, the arrival of each version lies within its run, and
// there are at most maxArrivals runs.
func TestArrivals(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var a arrivals
		var at []clock.Timestamp // of version i+1
		now := time.UnixMilli(1_700_000_000_000)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 100_000).Draw(t, "pause")) * time.Millisecond)
			for range rapid.IntRange(0, 4).Draw(t, "updates") {
				at = append(at, clock.TimestampOf(now))
			}
			a.note(clock.Version(len(at)), now)
			if len(a) > maxArrivals {
				t.Fatalf("%d runs", len(a))
			}
			for v, want := range at {
				early, late := a.clamp(clock.Version(v+1), 0, 0), a.clamp(clock.Version(v+1), ^clock.Timestamp(0), 0)
				if early > want || want > late {
					t.Fatalf("version %d arrived at %v, noted from %v to %v in %v", v+1, want, early, late, a)
				}
			}
		}
	})
}

// With updates every second the latest arrivals are exact, and older ones known
// to about as much as they are ago.
func TestArrivalsStayFine(t *testing.T) {
	t.Parallel()
	var a arrivals
	now := time.UnixMilli(1_700_000_000_000)
	for v := range clock.Version(3600) {
		now = now.Add(time.Second)
		a.note(v+1, now)
		if v < 100 {
			continue
		}
		for _, r := range a[1:] {
			if took, ago := r.until.Time().Sub(r.since.Time()), now.Sub(r.until.Time())+time.Second; took > ago*5/4 {
				t.Fatalf("after %d s, versions up to %d took %v and arrived %v ago", v+1, r.through, took, ago)
			}
		}
	}
}

func TestArrivalsClamp(t *testing.T) {
	t.Parallel()
	start := time.UnixMilli(1_700_000_000_000)
	at := func(s float64) clock.Timestamp {
		return clock.TimestampOf(start.Add(time.Duration(s * float64(time.Second))))
	}
	var a arrivals
	if got := a.clamp(1, at(-99), believed); got != at(-99) {
		t.Errorf("nothing noted: %v", got)
	}
	a.note(0, start) // nothing is known of it
	a.note(3, start)
	a.note(3, start.Add(time.Minute))
	a.note(5, start.Add(2*time.Minute))
	for _, tt := range []struct {
		version  clock.Version
		at, want clock.Timestamp
	}{
		{1, at(-10), at(-10)},
		{3, at(-30), at(-30)},
		{3, at(-30.001), at(-30)},
		{3, at(-3600), at(-30)},
		{3, at(0.001), at(0)},
		{3, at(3600), at(0)},
		{4, at(-3600), at(90)},
		{5, at(119), at(119)},
		{5, at(3600), at(120)},
		{6, at(-3600), at(-3600)}, // not noted yet
	} {
		if got := a.clamp(tt.version, tt.at, believed); got != tt.want {
			t.Errorf("version %d of %v counts as of %v, want %v", tt.version, tt.at, got, tt.want)
		}
	}
	a.note(6, start.Add(time.Minute)) // the clock was set back
	if got, want := a.clamp(5, at(3600), believed), at(60); got != want {
		t.Errorf("after the clock was set back: %v, want %v", got, want)
	}
	a.note(2, start.Add(time.Minute)) // the replica started again
	if len(a) != 1 || a.clamp(1, 0, 0) != at(60) {
		t.Errorf("after a new start: %v", a)
	}
}
