package stream

import "sync"

// spares are buffers of messages that were given back. The zero value has none.
type spares struct{ pool sync.Pool }

// spareBytes is the least size of a message that takes a spare buffer, and trustBytes the
// largest: catching up makes many of these, and they would be most of the garbage.
const spareBytes = 16 << 10

// take returns a buffer of n bytes, whatever is in it.
func (s *spares) take(n int) []byte {
	if s != nil && n >= spareBytes {
		if b, ok := s.pool.Get().(*[]byte); ok && cap(*b) >= n {
			return (*b)[:n]
		}
	}
	return make([]byte, n)
}

// put takes a buffer back.
func (s *spares) put(b []byte) {
	if cap(b) >= spareBytes && cap(b) <= trustBytes {
		s.pool.Put(&b)
	}
}

// Free gives back the bytes of a message that Config.Deliver was given, to be used again.
// Whoever needs them no more may call it, once.
func (l *Links) Free(msg []byte) { l.spares.put(msg) }
