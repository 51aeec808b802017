package model

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"unsafe"
)

// index finds updates by their keys, at most one for each. The keys are those in the
// updates: it keeps none itself, so an entry takes about 20 bytes. It is an extendible
// hash table: it grows and shrinks by a segment at a time, so no change takes long. The
// zero value is empty. Like a map, it may be read by many while nobody changes it.
//
// The table has no pointers, only the places of updates in a list: the garbage collector
// reads that one from front to back, where it finds what was written together together.
// Pointers in the table would lead it all over the memory.
type index struct {
	secret   secret
	segments []*segment // by the first bits of a hash: a power of two; neighbours may be the same
	updates  roll
}

// segment has all entries whose hashes begin with the same bits.
type segment struct {
	groups []group // an entry is in the one that the end of its hash leads to, or behind it
	count  int
	depth  int // how many bits
}

// group is one line of the processor's cache.
type group struct {
	hashes [groupLen]uint32 // 0: there is none
	passed uint32           // how many entries would be here, or passed here, had there been room
	places [groupLen]uint32 // of the updates
	_      uint32           // that fill the line
}

const (
	groupLen = 7
	// leastGroups is how many groups the first segment has at first, segmentGroups how many
	// a segment has at most, 24 KiB: it is split then, which takes some 10 microseconds.
	leastGroups   = 3
	segmentGroups = 128 * leastGroups
)

// room is how many entries a segment may have with so many groups.
func room(groups int) int { return (groups*groupLen*7 + 7) / 8 }

// get returns the update with a key, nil if there is none.
func (x *index) get(key string) *Update {
	if at := x.find(x.secret.hash(key), key); at != nil {
		return *at
	}
	return nil
}

// find returns where the update with a key is, nil if there is none. What is there may
// be replaced by another one with this key, until the index changes.
func (x *index) find(h uint32, key string) **Update {
	if place, ok := x.search(h, key); ok {
		return x.updates.at(place)
	}
	return nil
}

// search returns the place of the update with a key.
func (x *index) search(h uint32, key string) (place uint32, ok bool) {
	if x.updates.count == 0 {
		return 0, false
	}
	s := x.at(h)
	i := s.home(h)
	for range s.groups {
		g := &s.groups[i]
		for j := range g.hashes {
			if g.hashes[j] == h && keyOf(*x.updates.at(g.places[j])) == key {
				return g.places[j], true
			}
		}
		if g.passed == 0 {
			break
		}
		i = s.next(i)
	}
	return 0, false
}

// touch reads what find will read first, and returns something of it: where several are
// touched one after the other the processor fetches them at once.
func (x *index) touch(key string) uint32 {
	if x.updates.count == 0 {
		return 0
	}
	h := x.secret.hash(key)
	s := x.at(h)
	return s.groups[s.home(h)].passed
}

// add adds an update; there is none with its key, whose hash is h.
func (x *index) add(h uint32, u *Update) {
	if len(x.segments) == 0 {
		x.segments = []*segment{{groups: make([]group, leastGroups)}}
	}
	for {
		s := x.at(h)
		if s.count < room(len(s.groups)) {
			s.add(h, x.updates.add(u))
			return
		}
		x.extend(s, h)
	}
}

// remove takes the update with a key away, if there is one.
func (x *index) remove(key string) {
	h := x.secret.hash(key)
	place, ok := x.search(h, key)
	if !ok {
		return
	}
	s := x.at(h)
	s.take(h, place)
	if last, u := x.updates.take(); last != place { // what was last fills the gap
		*x.updates.at(place) = u
		o := x.secret.hash(keyOf(u))
		x.at(o).move(o, last, place)
	}
	if s.count < len(s.groups)*groupLen/4 {
		x.reduce(s, h)
	}
}

// all iterates over all updates, in no order. The index must not change meanwhile.
func (x *index) all() iter.Seq[*Update] { return x.updates.all() }

// at returns the segment of a hash.
func (x *index) at(h uint32) *segment { return x.segments[x.place(h)] }

// place is where the segment of a hash is.
func (x *index) place(h uint32) uint32 {
	return h >> (33 - bits.Len(uint(len(x.segments))))
}

// extend makes room in a full segment that has the place of hash h: it has twice as many
// groups then, or a half of its entries goes to a new one. Hashes would have to be all
// but equal for segments to be split much oftener than there are entries to fill them.
func (x *index) extend(s *segment, h uint32) {
	n := len(s.groups)
	if n < segmentGroups || 1<<s.depth == len(x.segments) && len(x.segments) > x.updates.count/64 {
		s.rebuild(2 * n)
		return
	}
	if 1<<s.depth == len(x.segments) {
		twice := make([]*segment, 0, 2*len(x.segments))
		for _, o := range x.segments {
			twice = append(twice, o, o)
		}
		x.segments = twice
	}
	s.depth++
	half := &segment{groups: make([]group, n), depth: s.depth}
	bit := uint32(1) << (32 - s.depth)
	for o, place := range s.all() {
		if o&bit != 0 {
			half.add(o, place)
			s.take(o, place)
		}
	}
	x.put(half, h|bit)
}

// reduce gives memory back of a segment with few entries that has the place of hash h: it
// takes its neighbour's, or if it is the only one has half as many groups then.
func (x *index) reduce(s *segment, h uint32) {
	n := len(s.groups)
	if s.depth == 0 {
		if n > leastGroups && s.count < n*groupLen/8 {
			s.rebuild(n / 2)
		}
		return
	}
	o := x.at(h ^ 1<<(32-s.depth))
	if o.depth != s.depth || s.count+o.count > room(n)/2 {
		return
	}
	for h, place := range o.all() {
		s.add(h, place)
	}
	if s.depth--; s.depth == 0 {
		x.segments = []*segment{s}
		return
	}
	x.put(s, h)
}

// put gives a segment its places, one of which is that of hash h.
func (x *index) put(s *segment, h uint32) {
	n := len(x.segments) >> s.depth
	first := int(x.place(h)) &^ (n - 1)
	for i := range n {
		x.segments[first+i] = s
	}
}

// home returns the group where the search for a hash begins; its first bits, which all
// hashes of a segment have in common, do not matter.
func (s *segment) home(h uint32) int { return int(uint64(h&0xffff) * uint64(len(s.groups)) >> 16) }

// next returns the group after the i-th.
func (s *segment) next(i int) int {
	if i++; i < len(s.groups) {
		return i
	}
	return 0
}

// add adds an entry where there is room, which there must be.
func (s *segment) add(h, place uint32) {
	for i := s.home(h); ; i = s.next(i) {
		g := &s.groups[i]
		for j := range g.hashes {
			if g.hashes[j] == 0 {
				g.hashes[j], g.places[j] = h, place
				s.count++
				return
			}
		}
		g.passed++
	}
}

// all iterates over the hashes and places of all entries.
func (s *segment) all() iter.Seq2[uint32, uint32] {
	return func(yield func(h, place uint32) bool) {
		for i := range s.groups {
			g := &s.groups[i]
			for j, h := range g.hashes {
				if h != 0 && !yield(h, g.places[j]) {
					return
				}
			}
		}
	}
}

// move gives an entry another place; there is one.
func (s *segment) move(h, from, to uint32) {
	for i := s.home(h); ; i = s.next(i) {
		g := &s.groups[i]
		if j := g.find(h, from); j < groupLen {
			g.places[j] = to
			return
		}
	}
}

// take takes an entry away; there is one.
func (s *segment) take(h, place uint32) {
	for i := s.home(h); ; i = s.next(i) {
		g := &s.groups[i]
		if j := g.find(h, place); j < groupLen {
			g.hashes[j] = 0
			s.count--
			return
		}
		g.passed--
	}
}

// find returns which entry of a group has a hash and a place, groupLen if none.
func (g *group) find(h, place uint32) int {
	for j := range g.hashes {
		if g.hashes[j] == h && g.places[j] == place {
			return j
		}
	}
	return groupLen
}

// rebuild moves all entries to so many groups.
func (s *segment) rebuild(n int) {
	old := *s
	s.groups, s.count = make([]group, n), 0
	for h, place := range old.all() {
		s.add(h, place)
	}
}

// secret is what hashes of keys depend on, so that who chooses keys cannot choose many
// with one hash. The zero value is one that everybody knows.
type secret struct{ a, b uint64 }

// Any numbers with bits everywhere would do.
const (
	mixA = 0x9e3779b97f4a7c15
	mixB = 0xc2b2ae3d27d4eb4f
)

// secretOf returns the secret that comes of a seed.
func secretOf(seed uint64) secret { return secret{fold(seed^mixA, mixB), fold(seed^mixB, mixA)} }

// hash returns the hash of a key, which is not 0.
func (c *secret) hash(key string) uint32 {
	b := unsafe.Slice(unsafe.StringData(key), len(key))
	h, k := c.a^mixA^uint64(len(b)), c.b^mixB
	for ; len(b) > 16; b = b[16:] {
		h = fold(binary.LittleEndian.Uint64(b)^k, binary.LittleEndian.Uint64(b[8:])^h)
	}
	var first, last uint64
	switch n := len(b); {
	case n >= 8:
		first, last = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	case n >= 4:
		first, last = uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[n-4:]))
	case n > 0:
		first, last = uint64(b[0]), uint64(b[n/2])<<8|uint64(b[n-1])
	}
	h = fold(fold(first^k, last^h)^mixA, k)
	return max(uint32(h>>32), 1)
}

// fold multiplies two numbers and lays the halves of the product over each other.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
