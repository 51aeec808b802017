package stream

import "testing"

// A buffer has the size asked for, whether it was given back before or not, and a part of one
// is not taken back.
func TestSpares(t *testing.T) {
	var s spares
	for _, n := range []int{0, 1, smallBytes, smallBytes + 1, spareBytes - 1, spareBytes, trustBytes, 2 * trustBytes} {
		b := s.take(n)
		for range 2 {
			if len(b) != n {
				t.Fatalf("a buffer of %d bytes has %d", n, len(b))
			}
			s.put(b)
			b = s.take(n)
		}
	}
	if b := (*spares)(nil).take(5); len(b) != 5 {
		t.Errorf("without spares a buffer of 5 bytes has %d", len(b))
	}
	small := s.take(10)
	small[0] = 1
	if s.put(small[1:]); s.take(smallBytes)[0] == 1 {
		t.Error("a part of a buffer was given back")
	}
}
