package stream

import "sync"

// spares are buffers of messages that were given back. The zero value has none.
type spares struct{ small, large sync.Pool }

// A message takes a spare buffer if it is small: of those there are many, live messages
// most of all; or of spareBytes to trustBytes: catching up makes many of these. They would
// be most of the garbage.
const (
	smallBytes = 2 << 10
	spareBytes = 16 << 10
)

// take returns a buffer of n bytes, whatever is in it.
func (s *spares) take(n int) []byte {
	switch {
	case s == nil:
	case n <= smallBytes:
		if b, ok := s.small.Get().(*[smallBytes]byte); ok {
			return b[:n]
		}
		return new([smallBytes]byte)[:n]
	case n >= spareBytes:
		if b, ok := s.large.Get().(*[]byte); ok && cap(*b) >= n {
			return (*b)[:n]
		}
	}
	return make([]byte, n)
}

// put takes a buffer back.
func (s *spares) put(b []byte) {
	switch {
	case cap(b) == smallBytes:
		s.small.Put((*[smallBytes]byte)(b[:smallBytes]))
	case cap(b) >= spareBytes && cap(b) <= trustBytes:
		large := b // else b would be on the heap, whatever its size
		s.large.Put(&large)
	}
}

// Free gives back the bytes of a message that Config.Deliver was given, to be used again.
// Whoever needs them no more may call it, once.
func (l *Links) Free(msg []byte) { l.spares.put(msg) }
