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
type index struct {
	secret   secret
	segments []*segment // by the first bits of a hash: a power of two; neighbours may be the same
	count    int
}

// segment has all entries whose hashes begin with the same bits.
type segment struct {
	groups []group // a power of two; an entry is in the one that its hash ends with, or behind it
	count  int
	depth  int // how many bits
}

// group is one or two lines of the processor's cache.
type group struct {
	hashes  [groupLen]uint32 // 0: there is none
	passed  uint32           // how many entries would be here, or passed here, had there been room
	updates [groupLen]*Update
}

const (
	groupLen = 5
	// segmentGroups is how many groups a segment has at most: it is split then, which
	// takes some 10 microseconds. So many groups are a whole number of pages.
	segmentGroups = 512
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
	if x.count == 0 {
		return nil
	}
	s := x.at(h)
	mask := uint32(len(s.groups) - 1)
	for i := range uint32(len(s.groups)) {
		g := &s.groups[(h+i)&mask]
		for j := range g.hashes {
			if g.hashes[j] == h && keyOf(g.updates[j]) == key {
				return &g.updates[j]
			}
		}
		if g.passed == 0 {
			break
		}
	}
	return nil
}

// touch reads what find will read first, and returns something of it: where several are
// touched one after the other the processor fetches them at once.
func (x *index) touch(key string) uint32 {
	if x.count == 0 {
		return 0
	}
	h := x.secret.hash(key)
	groups := x.at(h).groups
	return groups[h&uint32(len(groups)-1)].passed
}

// add adds an update; there is none with its key, whose hash is h.
func (x *index) add(h uint32, u *Update) {
	if len(x.segments) == 0 {
		x.segments = []*segment{{groups: make([]group, 1)}}
	}
	for {
		s := x.at(h)
		if s.count < room(len(s.groups)) {
			s.add(h, u)
			x.count++
			return
		}
		x.extend(s, h)
	}
}

// remove takes the update with a key away, if there is one.
func (x *index) remove(key string) {
	h := x.secret.hash(key)
	at := x.find(h, key)
	if at == nil {
		return
	}
	s := x.at(h)
	s.take(h, at)
	x.count--
	if s.count < len(s.groups)*groupLen/4 {
		x.reduce(s, h)
	}
}

// all iterates over all updates, in no order. The index must not change meanwhile.
func (x *index) all() iter.Seq[*Update] {
	return func(yield func(*Update) bool) {
		for i := 0; i < len(x.segments); {
			s := x.segments[i]
			i += len(x.segments) >> s.depth
			for j := range s.groups {
				for _, u := range s.groups[j].updates {
					if u != nil && !yield(u) {
						return
					}
				}
			}
		}
	}
}

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
	if n < segmentGroups || 1<<s.depth == len(x.segments) && len(x.segments) > x.count/64 {
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
	for i := range s.groups {
		g := &s.groups[i]
		for j, o := range g.hashes {
			if o&bit != 0 {
				half.add(o, g.updates[j])
				s.take(o, &g.updates[j])
			}
		}
	}
	x.put(half, h|bit)
}

// reduce gives memory back of a segment with few entries that has the place of hash h: it
// takes its neighbour's, or if it is the only one has half as many groups then.
func (x *index) reduce(s *segment, h uint32) {
	n := len(s.groups)
	if s.depth == 0 {
		if n > 1 && s.count < n*groupLen/8 {
			s.rebuild(n / 2)
		}
		return
	}
	o := x.at(h ^ 1<<(32-s.depth))
	if o.depth != s.depth || s.count+o.count > room(n)/2 {
		return
	}
	for i := range o.groups {
		g := &o.groups[i]
		for j, u := range g.updates {
			if u != nil {
				s.add(g.hashes[j], u)
			}
		}
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

// add puts an update where there is room, which there must be.
func (s *segment) add(h uint32, u *Update) {
	mask := uint32(len(s.groups) - 1)
	for i := h; ; i++ {
		g := &s.groups[i&mask]
		for j := range g.hashes {
			if g.hashes[j] == 0 {
				g.hashes[j], g.updates[j] = h, u
				s.count++
				return
			}
		}
		g.passed++
	}
}

// take takes an update away.
func (s *segment) take(h uint32, at **Update) {
	mask := uint32(len(s.groups) - 1)
	for i := h; ; i++ {
		g := &s.groups[i&mask]
		for j := range g.updates {
			if &g.updates[j] == at {
				g.hashes[j], g.updates[j] = 0, nil
				s.count--
				return
			}
		}
		g.passed--
	}
}

// rebuild moves all entries to so many groups.
func (s *segment) rebuild(n int) {
	old := s.groups
	s.groups, s.count = make([]group, n), 0
	for i := range old {
		for j, u := range old[i].updates {
			if u != nil {
				s.add(old[i].hashes[j], u)
			}
		}
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
