package engine

import "math/rand"

// Pack packs into m what a peer with this digest lacks, breaks ties by seed, and
// returns the size of the message.
func (e *Engine) Pack(seed int64, m *Message, theirs []DigestEntry, room int) int {
	e.cfg.Rand = Ties(seed)
	return e.pack(m, e.lackedBy(theirs), theirs, room).size
}

// Ties returns what breaks the ties of a Pack with this seed.
func Ties(seed int64) *rand.Rand { return rand.New((*source)(&seed)) }

// source is a splitmix64: to seed one costs nothing, unlike those of math/rand.
type source int64

func (s *source) Seed(seed int64) { *s = source(seed) }

func (s *source) Int63() int64 { return int64(s.Uint64() >> 1) }

func (s *source) Uint64() uint64 {
	*s += -0x61c8864680b583eb
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// SetOrder changes the order.
func (e *Engine) SetOrder(o Order) { e.cfg.Order = o }
