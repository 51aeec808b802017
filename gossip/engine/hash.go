package engine

import (
	"encoding/binary"
	"math/bits"

	"github.com/zeebo/xxh3"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Hash is a 128-bit homomorphic hash of a set: the sum, modulo 2^128, of the
// hashes of its members. Adding and removing a member is O(1), order does not
// matter. The zero value is the hash of the empty set.
type Hash struct{ Hi, Lo uint64 }

// Plus returns the hash of the union of two disjoint sets.
func (h Hash) Plus(o Hash) Hash {
	lo, carry := bits.Add64(h.Lo, o.Lo, 0)
	hi, _ := bits.Add64(h.Hi, o.Hi, carry)
	return Hash{hi, lo}
}

// Minus takes the members of o out of h.
func (h Hash) Minus(o Hash) Hash {
	lo, borrow := bits.Sub64(h.Lo, o.Lo, 0)
	hi, _ := bits.Sub64(h.Hi, o.Hi, borrow)
	return Hash{hi, lo}
}

// Bytes returns the hash as 16 bytes, big-endian.
func (h Hash) Bytes() [16]byte {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], h.Hi)
	binary.BigEndian.PutUint64(b[8:], h.Lo)
	return b
}

// hasher hashes updates with the cluster id as seed, so that equal content in
// different clusters does not hash alike. It reuses its buffers, and remembers what it
// hashed last of what updates have in common.
type hasher struct {
	seed  uint64
	buf   []byte
	fixed [24]byte

	space   string        // of the last content …
	inSpace uint64        // … and the seed of its space; 0: none
	replica clock.Replica // of the last member …
	writes  uint64        // … and the seed of what it writes; 0: none
}

func newHasher(cluster string) *hasher {
	return &hasher{seed: xxh3.HashString(cluster)}
}

// content is the hash of everything in u but its dot: two updates of one dot
// with different content are a fork (R1). The hash of each part is the seed of the next.
func (h *hasher) content(u *model.Update) uint64 {
	if h.inSpace == 0 || h.space != u.Space {
		h.space, h.inSpace = u.Space, xxh3.HashStringSeed(u.Space, h.seed)
	}
	b := h.fixed[:]
	binary.LittleEndian.PutUint64(b, uint64(u.Time))
	binary.LittleEndian.PutUint64(b[8:], uint64(u.Expires))
	binary.LittleEndian.PutUint64(b[16:], uint64(u.Kind))
	sum := xxh3.HashSeed(b, h.inSpace)
	sum = xxh3.HashSeed(u.Key, sum)
	sum = xxh3.HashSeed(u.Value, sum)
	if u.Context.Len() == 0 && u.Deps.Len() == 0 {
		return sum
	}
	b = binary.AppendUvarint(h.buf[:0], uint64(u.Context.Len()))
	for r, n := range u.Context.All() {
		b = appendDot(b, clock.Dot{Replica: r, Version: n})
	}
	for _, d := range u.Deps.All() {
		b = appendDot(b, d)
	}
	h.buf = b
	return xxh3.HashSeed(b, sum)
}

// member is the hash of one retained update: of replica, version and content.
func (h *hasher) member(d clock.Dot, content uint64) Hash {
	if h.writes == 0 || h.replica != d.Replica {
		h.buf = appendDot(h.buf[:0], clock.Dot{Replica: d.Replica})
		h.replica, h.writes = d.Replica, xxh3.HashSeed(h.buf, h.seed)
	}
	b := h.fixed[:16]
	binary.LittleEndian.PutUint64(b, uint64(d.Version))
	binary.LittleEndian.PutUint64(b[8:], content)
	sum := xxh3.Hash128Seed(b, h.writes)
	return Hash{sum.Hi, sum.Lo}
}

// report identifies a report: of one member no two have the same time.
func (h *hasher) report(r *Report) uint64 {
	return h.member(clock.Dot{Replica: r.Member}, uint64(r.HLC)).Lo
}

// retirement identifies what is over of a node.
func (h *hasher) retirement(t *Retirement) uint64 {
	b := appendDot(h.buf[:0], clock.Dot{Replica: clock.Replica{Node: t.Node, Epoch: t.Gone}, Version: t.Final})
	b = binary.LittleEndian.AppendUint64(b, t.Before)
	b = binary.LittleEndian.AppendUint64(b, t.Proof)
	for _, epochs := range [...][]uint64{t.Vanished, t.Kept} {
		b = binary.AppendUvarint(b, uint64(len(epochs)))
		for _, epoch := range epochs {
			b = binary.LittleEndian.AppendUint64(b, epoch)
		}
	}
	h.buf = b
	return xxh3.HashSeed(b, h.seed)
}

// gone identifies the last life of a node that is gone; nothing if none is.
func (h *hasher) gone(t *Retirement) Hash {
	if t.Gone == 0 {
		return Hash{}
	}
	return h.member(clock.Dot{Replica: clock.Replica{Node: t.Node, Epoch: t.Gone}, Version: t.Final}, 0)
}

// names hashes two names.
func (h *hasher) names(a, b string) uint64 {
	h.buf = appendSized(appendSized(h.buf[:0], a), b)
	return xxh3.HashSeed(h.buf, h.seed)
}

// proof names what members agree on.
func (h *hasher) proof(view, outside Hash) uint64 {
	a, b := view.Bytes(), outside.Bytes()
	h.buf = append(append(h.buf[:0], a[:]...), b[:]...)
	return xxh3.HashSeed(h.buf, h.seed)
}

func appendDot(b []byte, d clock.Dot) []byte {
	b = appendSized(b, d.Replica.Node)
	b = binary.LittleEndian.AppendUint64(b, d.Replica.Epoch)
	return binary.LittleEndian.AppendUint64(b, uint64(d.Version))
}

func appendSized[T string | []byte](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}
