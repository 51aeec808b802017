package sim

import "math/rand"

// source is a random source of eight bytes (splitmix64): a cluster has thousands.
type source uint64

var _ rand.Source64 = (*source)(nil)

// stream returns an independent source: the i-th of a seed.
func stream(seed int64, i uint64) source {
	s := source(seed)
	a := s.Uint64()
	s = source(i)
	return source(a ^ s.Uint64()*3)
}

// rand returns a generator that starts here.
func (s source) rand() *rand.Rand { return rand.New(&s) }

// Uint64 implements rand.Source64.
func (s *source) Uint64() uint64 {
	*s += 0x9e3779b97f4a7c15
	return mix(uint64(*s))
}

// Int63 implements rand.Source.
func (s *source) Int63() int64 { return int64(s.Uint64() >> 1) }

// Seed implements rand.Source.
func (s *source) Seed(seed int64) { *s = source(seed) }

// mix spreads the bits of x over all of the result, one to one.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
