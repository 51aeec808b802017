package model

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"sync/atomic"
	"unsafe"
)

// index finds updates by their keys, at most one for each. The keys are those in the
// updates: it keeps none itself, so an entry takes about 20 bytes. It is an extendible
// hash table: it grows and shrinks by a segment at a time, so no change takes long. The
// zero value is empty.
//
// One at a time may change it, and search, touch and get may be called by anybody, also
// while it changes. What they find was there at some time of the call. While it changes
// they may miss what is there: who finds nothing and must be sure looks again when nobody
// changes it.
//
// The table has no pointers, only the places of updates in a list: the garbage collector
// reads that one from front to back, where it finds what was written together together.
// Pointers in the table would lead it all over the memory.
type index struct {
	secret   secret
	segments atomic.Pointer[directory] // nil: none
	updates  roll
}

// directory has segments by the first bits of a hash: a power of two; neighbours may be the
// same. None is nil.
type directory []atomic.Pointer[segment]

// segment has all entries whose hashes begin with the same bits. All but the groups'
// content is for who changes it.
type segment struct {
	groups []group // an entry is in the one that the end of its hash leads to, or behind it
	count  int
	depth  int // how many bits
}

// group is one line of the processor's cache.
type group struct {
	entries [groupLen]atomic.Uint64 // see entry; 0: there is none
	passed  atomic.Uint32           // how many entries would be here, or passed here, had there been room
	_       uint32                  // that fill the line
}

// entry is what a group has of an update: its hash, then its place.
func entry(h, place uint32) uint64 { return uint64(h)<<32 | uint64(place) }

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
	_, u := x.search(key)
	return u
}

// search returns the update with a key and its place, nil if there is none.
func (x *index) search(key string) (place uint32, u *Update) {
	return x.searchHash(x.secret.hash(key), key)
}

// searchHash is search for a key whose hash is h.
func (x *index) searchHash(h uint32, key string) (place uint32, u *Update) {
	all := x.segments.Load()
	if all == nil {
		return 0, nil
	}
	s := all.at(h)
	i := s.home(h)
	for range s.groups {
		g := &s.groups[i]
		for j := range g.entries {
			e := g.entries[j].Load()
			if uint32(e>>32) != h {
				continue
			}
			if u := x.updates.at(uint32(e)); u != nil && keyOf(u) == key {
				return uint32(e), u
			}
		}
		if g.passed.Load() == 0 {
			break
		}
		i = s.next(i)
	}
	return 0, nil
}

// touch reads what search will read first, and returns something of it: where several are
// touched one after the other the processor fetches them at once.
func (x *index) touch(key string) uint32 {
	all := x.segments.Load()
	if all == nil {
		return 0
	}
	h := x.secret.hash(key)
	s := all.at(h)
	return s.groups[s.home(h)].passed.Load()
}

// add adds an update; there is none with its key.
func (x *index) add(u *Update) { x.addHash(x.secret.hash(keyOf(u)), u) }

// addHash is add for a key whose hash is h.
func (x *index) addHash(h uint32, u *Update) {
	all := x.segments.Load()
	if all == nil {
		all = alone(&segment{groups: make([]group, leastGroups)})
		x.segments.Store(all)
	}
	for {
		s := all.at(h)
		if s.count < room(len(s.groups)) {
			s.add(entry(h, x.updates.add(u)))
			return
		}
		all = x.extend(s, h)
	}
}

// replace puts an update into the place of one with its key.
func (x *index) replace(place uint32, u *Update) { x.updates.set(place, u) }

// remove takes the update with a key away, if there is one.
func (x *index) remove(key string) {
	h := x.secret.hash(key)
	place, u := x.searchHash(h, key)
	if u == nil {
		return
	}
	all := x.segments.Load()
	s := all.at(h)
	s.take(entry(h, place))
	if last, u := x.updates.last(); last != place { // what is last fills the gap
		x.updates.set(place, u)
		o := x.secret.hash(keyOf(u))
		all.at(o).move(entry(o, last), entry(o, place))
	}
	x.updates.drop()
	if s.count < len(s.groups)*groupLen/4 {
		x.reduce(s, h)
	}
}

// all iterates over all updates, in no order. The index must not change meanwhile.
func (x *index) all() iter.Seq[*Update] { return x.updates.all() }

// alone returns a directory of one segment.
func alone(s *segment) *directory {
	all := make(directory, 1)
	all[0].Store(s)
	return &all
}

// at returns the segment of a hash.
func (d *directory) at(h uint32) *segment { return (*d)[d.place(h)].Load() }

// place is where the segment of a hash is.
func (d *directory) place(h uint32) uint32 { return h >> (33 - bits.Len(uint(len(*d)))) }

// put gives a segment its places, one of which is that of hash h.
func (d *directory) put(s *segment, h uint32) {
	n := len(*d) >> s.depth
	first := int(d.place(h)) &^ (n - 1)
	for i := range n {
		(*d)[first+i].Store(s)
	}
}

// extend makes room in a full segment that has the place of hash h, and returns the
// directory then: it has twice as many groups, or a half of its entries goes to a new one.
// Hashes would have to be all but equal for segments to be split much oftener than there are
// entries to fill them.
func (x *index) extend(s *segment, h uint32) *directory {
	all := x.segments.Load()
	n := len(s.groups)
	if n < segmentGroups || 1<<s.depth == len(*all) && len(*all) > x.updates.count/64 {
		all.put(s.rebuilt(2*n), h)
		return all
	}
	if 1<<s.depth == len(*all) {
		twice := make(directory, 2*len(*all))
		for i := range twice {
			twice[i].Store((*all)[i/2].Load())
		}
		all = &twice
		x.segments.Store(all)
	}
	s.depth++
	half := &segment{groups: make([]group, n), depth: s.depth}
	bit := uint32(1) << (32 - s.depth)
	for e := range s.all() {
		if uint32(e>>32)&bit != 0 {
			half.add(e)
		}
	}
	all.put(half, h|bit) // before s lacks what it has
	for e := range half.all() {
		s.take(e)
	}
	return all
}

// reduce gives memory back of a segment with few entries that has the place of hash h: it
// takes its neighbour's, or if it is the only one has half as many groups then.
func (x *index) reduce(s *segment, h uint32) {
	all := x.segments.Load()
	n := len(s.groups)
	if s.depth == 0 {
		if n > leastGroups && s.count < n*groupLen/8 {
			all.put(s.rebuilt(n/2), h)
		}
		return
	}
	o := all.at(h ^ 1<<(32-s.depth))
	if o.depth != s.depth || s.count+o.count > room(n)/2 {
		return
	}
	for e := range o.all() {
		s.add(e)
	}
	if s.depth--; s.depth == 0 {
		x.segments.Store(alone(s))
		return
	}
	all.put(s, h)
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
func (s *segment) add(e uint64) {
	for i := s.home(uint32(e >> 32)); ; i = s.next(i) {
		g := &s.groups[i]
		if j := g.find(0); j < groupLen {
			g.entries[j].Store(e)
			s.count++
			return
		}
		g.passed.Add(1)
	}
}

// all iterates over all entries.
func (s *segment) all() iter.Seq[uint64] {
	return func(yield func(e uint64) bool) {
		for i := range s.groups {
			g := &s.groups[i]
			for j := range g.entries {
				if e := g.entries[j].Load(); e != 0 && !yield(e) {
					return
				}
			}
		}
	}
}

// move puts an entry, whose hash does not change, into the place of one that there is.
func (s *segment) move(from, to uint64) {
	for i := s.home(uint32(from >> 32)); ; i = s.next(i) {
		g := &s.groups[i]
		if j := g.find(from); j < groupLen {
			g.entries[j].Store(to)
			return
		}
	}
}

// take takes an entry away; there is one.
func (s *segment) take(e uint64) {
	for i := s.home(uint32(e >> 32)); ; i = s.next(i) {
		g := &s.groups[i]
		if j := g.find(e); j < groupLen {
			g.entries[j].Store(0)
			s.count--
			return
		}
		g.passed.Add(^uint32(0))
	}
}

// find returns which one of a group's entries is e, groupLen if none.
func (g *group) find(e uint64) int {
	for j := range g.entries {
		if g.entries[j].Load() == e {
			return j
		}
	}
	return groupLen
}

// rebuilt returns a segment with the same entries in so many groups.
func (s *segment) rebuilt(n int) *segment {
	other := &segment{groups: make([]group, n), depth: s.depth}
	for e := range s.all() {
		other.add(e)
	}
	return other
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
