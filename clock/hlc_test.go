package clock_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// A timeline of one clock: events at wall times, some of which step back.
func TestHLCTimeline(t *testing.T) {
	at := func(ms int64, logical uint16) clock.Timestamp {
		return clock.TimestampOf(time.UnixMilli(ms)) + clock.Timestamp(logical)
	}
	var c clock.HLC
	for i, e := range []struct {
		name    string
		observe clock.Timestamp
		now     int64
		want    clock.Timestamp
	}{
		{name: "first", now: 100, want: at(100, 0)},
		{name: "same millisecond", now: 100, want: at(100, 1)},
		{name: "later", now: 105, want: at(105, 0)},
		{name: "wall clock steps back", now: 50, want: at(105, 1)},
		{name: "before 1970", now: -50, want: at(105, 2)},
		{name: "saw a later one", observe: at(200, 7), now: 106, want: at(200, 8)},
		{name: "saw an earlier one", observe: at(3, 3), now: 106, want: at(200, 9)},
		{name: "caught up", now: 201, want: at(201, 0)},
		{name: "counter is full", observe: at(201, 65535), now: 201, want: at(202, 0)},
	} {
		if e.observe != 0 {
			c.Observe(e.observe)
		}
		if got := c.Next(time.UnixMilli(e.now)); got != e.want || c.Last() != got {
			t.Errorf("event %d, %s: %v, last %v, want %v", i, e.name, got, c.Last(), e.want)
		}
	}
}

func TestHLCIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c clock.HLC
		var last clock.Timestamp
		for range rapid.IntRange(1, 50).Draw(t, "events") {
			if rapid.Bool().Draw(t, "observe") {
				o := clock.Timestamp(rapid.Uint64Range(0, 1<<40).Draw(t, "timestamp"))
				c.Observe(o)
				last = max(last, o)
			}
			now := time.UnixMilli(rapid.Int64Range(-10, 1<<25).Draw(t, "now"))
			got := c.Next(now)
			if got <= last || got < clock.TimestampOf(now) {
				t.Fatalf("issued %v after %v at %v", got, last, now)
			}
			last = got
		}
	})
}

func TestTimestamp(t *testing.T) {
	wall := time.Date(2026, 1, 2, 15, 4, 5, 678_900_000, time.UTC)
	ts := clock.TimestampOf(wall) + 3
	if got, want := ts.String(), "2026-01-02T15:04:05.678Z+3"; got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
	if got, want := ts.Time(), wall.Truncate(time.Millisecond); !got.Equal(want) || ts.Logical() != 3 {
		t.Errorf("Time, Logical = %v, %d, want %v, 3", got, ts.Logical(), want)
	}
	if got := clock.TimestampOf(time.Time{}); got != 0 {
		t.Errorf("TimestampOf(year 1) = %d, want 0", got)
	}
}
