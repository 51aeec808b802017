package wire

import (
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// An update of a long run takes at most 12 bytes beyond its key and value, and
// fewer in the usual cases.
func TestBytesPerUpdate(t *testing.T) {
	t.Parallel()
	const n = 1000
	c := New("test")
	wall := time.UnixMilli(int64(start >> logicalBits))
	// apart is a writer whose clock follows the wall.
	apart := func(d time.Duration) func(clock.Timestamp) clock.Timestamp {
		now := wall
		var hlc clock.HLC
		return func(clock.Timestamp) clock.Timestamp {
			now = now.Add(d)
			return hlc.Next(now)
		}
	}
	// slow is one whose clock lags, so that it counts on from times it hears.
	slow := func(d time.Duration) func(clock.Timestamp) clock.Timestamp {
		now, i := wall, 0
		var hlc clock.HLC
		return func(clock.Timestamp) clock.Timestamp {
			now = now.Add(d)
			i++
			hlc.Observe(clock.TimestampOf(now.Add(time.Second)) + clock.Timestamp(i%100))
			return hlc.Next(now)
		}
	}
	for _, tt := range []struct {
		name string
		next func(clock.Timestamp) clock.Timestamp
		size int
		want int // bytes beyond key and value, at most
	}{
		{"burst, values of 100 B", burst, 100, 6},
		{"burst, values of 64 KiB - 1", burst, 1<<16 - 1, 7},
		{"burst, values of 64 KiB", burst, 1 << 16, 9},
		{"1 ms apart, values of 100 B", apart(time.Millisecond), 100, 6},
		{"0.1 s apart, values of 100 B", apart(100 * time.Millisecond), 100, 7},
		{"5 min apart, values of 100 B", apart(5 * time.Minute), 100, 9},
		{"5 min apart, values of 64 KiB", apart(5 * time.Minute), 1 << 16, 12},
		{"9 h apart, values of 64 KiB", apart(9 * time.Hour), 1 << 16, 12},
		{"24 h apart, values of 100 B", apart(24 * time.Hour), 100, 11},
		{"5 min apart, clock lags, values of 100 B", slow(5 * time.Minute), 100, 10},
		{"5 min apart, clock lags, values of 64 KiB - 1", slow(5 * time.Minute), 1<<16 - 1, 11},
	} {
		long, short := bulk(n, tt.size, tt.next), bulk(n/2, tt.size, tt.next)
		extra := float64(c.Size(long)-c.Size(short))/(n/2) - 20 - float64(tt.size)
		t.Logf("%-46s %5.2f bytes", tt.name, extra)
		if extra > float64(tt.want)+0.01 {
			t.Errorf("%s: %.2f bytes beyond key and value, want at most %d", tt.name, extra, tt.want)
		}
	}
}
