package clock

import (
	"fmt"
	"math"
	"time"
)

// logicalBits is how many low bits of a Timestamp count events within one
// millisecond; the other 48 are unix milliseconds, enough until the year 10889.
const logicalBits = 16

// Timestamp is hybrid logical time: unix milliseconds in the upper 48 bits, a
// counter in the lower 16. Timestamps order as the numbers they are. Zero is
// before every timestamp.
type Timestamp uint64

// TimestampOf returns the first timestamp of t's millisecond; times before
// 1970 give 0.
func TimestampOf(t time.Time) Timestamp {
	return Timestamp(max(t.UnixMilli(), 0)) << logicalBits
}

// Time returns the wall-clock part, to the millisecond.
func (t Timestamp) Time() time.Time { return time.UnixMilli(int64(t >> logicalBits)) }

// Logical returns the counter part.
func (t Timestamp) Logical() uint16 { return uint16(t) }

// Add returns the timestamp d later, to the next whole millisecond, with the same
// counter: later than t for every d above zero. It stops at the largest timestamp.
func (t Timestamp) Add(d time.Duration) Timestamp {
	if d <= 0 {
		return t
	}
	later := Timestamp((d-1)/time.Millisecond+1) << logicalBits
	if later > math.MaxUint64-t {
		return math.MaxUint64
	}
	return t + later
}

// Reached returns the first wall time, to the millisecond, that is not before t: the
// end of a wait for it.
func (t Timestamp) Reached() time.Time {
	if t.Logical() > 0 {
		return t.Time().Add(time.Millisecond)
	}
	return t.Time()
}

// String returns the time in UTC and the counter: "2026-01-02T15:04:05.678Z+3".
func (t Timestamp) String() string {
	return fmt.Sprintf("%s+%d", t.Time().UTC().Format("2006-01-02T15:04:05.000Z"), t.Logical())
}

// HLC is a hybrid logical clock: it issues timestamps that are close to wall
// time, and larger than every timestamp issued or observed before, also while
// the wall clock stands or steps back. The zero value is ready to use.
type HLC struct {
	last Timestamp
}

// Next issues a timestamp for an event at wall time now. A counter that
// overflows carries into the milliseconds: order is kept, and time runs ahead of
// the wall clock only while more than 65,536 events share a millisecond.
func (c *HLC) Next(now time.Time) Timestamp {
	c.last = max(c.last+1, TimestampOf(now))
	return c.last
}

// Observe makes every later timestamp larger than t. The caller keeps out
// timestamps that are too far ahead to believe (DESIGN §3, clock drift).
func (c *HLC) Observe(t Timestamp) { c.last = max(c.last, t) }

// Last returns the largest timestamp issued or observed.
func (c *HLC) Last() Timestamp { return c.last }
