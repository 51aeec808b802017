package model

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

const (
	// maxDepth is how deep arrays and maps may nest in a value.
	maxDepth = 100
	// extensionDepth is how much of it an extension takes.
	extensionDepth = maxDepth / 4
)

// unmarshal decodes what is well-formed, and nothing else. The msgpack package allocates
// what a header announces and recurses as deep as the bytes say: five bytes from the
// network could take all memory.
func unmarshal(b []byte, v any) error {
	s := scan{b: b}
	if end, ok := s.value(0, len(b), 0); !ok || end != len(b) {
		return errMalformed
	}
	if len(s.opaque) == 0 {
		return msgpack.Unmarshal(b, v)
	}
	d := msgpack.GetDecoder()
	defer msgpack.PutDecoder(d)
	d.Reset(&guarded{Reader: bytes.NewReader(b), opaque: s.opaque})
	return d.Decode(v)
}

// guarded reads a value, but no code of a value where an extension's data begin that are
// no values. Where it expects a map, the msgpack package takes an extension's data for one.
type guarded struct {
	*bytes.Reader
	opaque []int
}

func (g *guarded) ReadByte() (byte, error) {
	if _, isOpaque := slices.BinarySearch(g.opaque, int(g.Size())-g.Len()); isOpaque {
		return 0, errMalformed
	}
	return g.Reader.ReadByte()
}

// scan finds where values end that do not nest too deep and have all the elements they
// announce.
type scan struct {
	b      []byte
	opaque []int // where the data of extensions begin that are not values one after the other; ascending
}

// value returns where the value at at ends, which is not after end.
func (s *scan) value(at, end, depth int) (int, bool) {
	if at >= end || depth > maxDepth {
		return 0, false
	}
	c := s.b[at]
	at++
	switch {
	case msgpcode.IsFixedNum(c):
		return at, true
	case msgpcode.IsFixedString(c):
		return skip(at, end, int(c&msgpcode.FixedStrMask))
	case msgpcode.IsFixedArray(c):
		return s.values(at, end, int(c&msgpcode.FixedArrayMask), depth)
	case msgpcode.IsFixedMap(c):
		return s.values(at, end, 2*int(c&msgpcode.FixedMapMask), depth)
	}
	switch c {
	case msgpcode.Nil, msgpcode.False, msgpcode.True:
		return at, true
	case msgpcode.Uint8, msgpcode.Int8:
		return skip(at, end, 1)
	case msgpcode.Uint16, msgpcode.Int16:
		return skip(at, end, 2)
	case msgpcode.Uint32, msgpcode.Int32, msgpcode.Float:
		return skip(at, end, 4)
	case msgpcode.Uint64, msgpcode.Int64, msgpcode.Double:
		return skip(at, end, 8)
	case msgpcode.FixExt1, msgpcode.FixExt2, msgpcode.FixExt4, msgpcode.FixExt8, msgpcode.FixExt16:
		return s.extension(at, end, 1<<(c-msgpcode.FixExt1), depth)
	}
	n, at, ok := s.length(c, at, end)
	if !ok {
		return 0, false
	}
	switch c {
	case msgpcode.Str8, msgpcode.Str16, msgpcode.Str32, msgpcode.Bin8, msgpcode.Bin16, msgpcode.Bin32:
		return skip(at, end, n)
	case msgpcode.Ext8, msgpcode.Ext16, msgpcode.Ext32:
		return s.extension(at, end, n, depth)
	case msgpcode.Array16, msgpcode.Array32:
		return s.values(at, end, n, depth)
	default: // length knows no others than Map16 and Map32
		return s.values(at, end, 2*n, depth)
	}
}

// length reads the length at at, that of a value of variable size whose code is c.
func (s *scan) length(c byte, at, end int) (n, rest int, ok bool) {
	size := 0
	switch c {
	case msgpcode.Str8, msgpcode.Bin8, msgpcode.Ext8:
		size = 1
	case msgpcode.Str16, msgpcode.Bin16, msgpcode.Ext16, msgpcode.Array16, msgpcode.Map16:
		size = 2
	case msgpcode.Str32, msgpcode.Bin32, msgpcode.Ext32, msgpcode.Array32, msgpcode.Map32:
		size = 4
	}
	if size == 0 || end-at < size {
		return 0, 0, false
	}
	var be [4]byte
	copy(be[4-size:], s.b[at:at+size])
	return int(min(binary.BigEndian.Uint32(be[:]), 1<<30)), at + size, true
}

// values returns where n values end that begin at at.
func (s *scan) values(at, end, n, depth int) (int, bool) {
	if n > end-at { // each takes a byte at least
		return 0, false
	}
	ok := true
	for ; n > 0 && ok; n-- {
		at, ok = s.value(at, end, depth+1)
	}
	return at, ok
}

// extension returns where an extension ends whose type is at at, and n bytes of data after
// it. Data that are values one after the other can be read as such without harm.
func (s *scan) extension(at, end, n, depth int) (int, bool) {
	at++
	end, ok := skip(at, end, n)
	if !ok {
		return 0, false
	}
	known := len(s.opaque)
	for next := at; ok && next < end; {
		next, ok = s.value(next, end, depth+extensionDepth)
	}
	if !ok {
		s.opaque = append(s.opaque[:known], at)
	}
	return end, true
}

// skip returns where n bytes end that begin at at.
func skip(at, end, n int) (int, bool) { return at + n, n <= end-at }
