package wire

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// Sums of numbers in a batch that a version or a time cannot hold are refused;
// Encode cannot write them.
func TestOverflow(t *testing.T) {
	t.Parallel()
	c := New("test")
	for _, tt := range []struct {
		what       string
		from, span uint64
		update     uint64 // its first number
		want       string // "": it decodes
	}{
		{"the last version", math.MaxUint64 - 1, 1, timeTicks, ""},
		{"a version after the last", math.MaxUint64 - 1, 2, timeTicks, "span of a batch"},
		{"the longest difference of times", 0, 1, maxMillis<<flagBits | timeMillis, ""},
		{"a longer one", 0, 1, (maxMillis+1)<<flagBits | timeMillis, "time of an update"},
		{"a longer one with a counter", 0, 1, (maxMillis+1)<<flagBits | timeLogical, "time of an update"},
	} {
		m, err := c.Decode(push(messageFields-1, func(w *writer) {
			bl := w.begin(1)
			l := w.begin(batchElements(1))
			w.uint(1) // the sender is the replica
			w.uint(tt.from)
			w.uint(tt.span)
			w.uint(0)
			w.bool(false)
			w.uint(1)
			w.uint(tt.update)
			if tt.update&timeMask == timeLogical {
				w.uint(0)
			}
			w.bin(nil)
			w.bin(nil)
			w.end(l)
			w.end(bl)
		}))
		switch {
		case tt.want == "" && (err != nil || uint64(m.Batches[0].Through) != tt.from+tt.span):
			t.Errorf("%s: decoded to %+v, %v", tt.what, m, err)
		case tt.want != "" && (!errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: decoded to %+v, %v; want an error that names the %s", tt.what, m, err, tt.want)
		}
	}
}
