package model

import (
	"encoding/binary"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// maxDepth is how deep arrays and maps may nest in a value.
const maxDepth = 100

// wellFormed reports whether b is exactly one msgpack value that does not nest
// too deep and has all the elements it announces. The msgpack package allocates
// what a header announces and recurses as deep as the bytes say: five bytes from
// the network could take all memory.
func wellFormed(b []byte) bool {
	rest, ok := skipValue(b, 0)
	return ok && len(rest) == 0
}

// skipValue returns what follows the first value of b.
func skipValue(b []byte, depth int) ([]byte, bool) {
	if len(b) == 0 || depth > maxDepth {
		return nil, false
	}
	c, b := b[0], b[1:]
	switch {
	case msgpcode.IsFixedNum(c):
		return b, true
	case msgpcode.IsFixedString(c):
		return skipBytes(b, int(c&msgpcode.FixedStrMask))
	case msgpcode.IsFixedArray(c):
		return skipValues(b, int(c&msgpcode.FixedArrayMask), depth)
	case msgpcode.IsFixedMap(c):
		return skipValues(b, 2*int(c&msgpcode.FixedMapMask), depth)
	}
	switch c {
	case msgpcode.Nil, msgpcode.False, msgpcode.True:
		return b, true
	case msgpcode.Uint8, msgpcode.Int8:
		return skipBytes(b, 1)
	case msgpcode.Uint16, msgpcode.Int16, msgpcode.FixExt1:
		return skipBytes(b, 2)
	case msgpcode.FixExt2:
		return skipBytes(b, 3)
	case msgpcode.Uint32, msgpcode.Int32, msgpcode.Float:
		return skipBytes(b, 4)
	case msgpcode.FixExt4:
		return skipBytes(b, 5)
	case msgpcode.Uint64, msgpcode.Int64, msgpcode.Double:
		return skipBytes(b, 8)
	case msgpcode.FixExt8:
		return skipBytes(b, 9)
	case msgpcode.FixExt16:
		return skipBytes(b, 17)
	}
	n, b, ok := length(c, b)
	if !ok {
		return nil, false
	}
	switch c {
	case msgpcode.Str8, msgpcode.Str16, msgpcode.Str32, msgpcode.Bin8, msgpcode.Bin16, msgpcode.Bin32:
		return skipBytes(b, n)
	case msgpcode.Ext8, msgpcode.Ext16, msgpcode.Ext32:
		return skipBytes(b, n+1)
	case msgpcode.Array16, msgpcode.Array32:
		return skipValues(b, n, depth)
	default: // length knows no others than Map16 and Map32
		return skipValues(b, 2*n, depth)
	}
}

// length reads the length that follows c, the code of a value of variable size.
func length(c byte, b []byte) (n int, rest []byte, ok bool) {
	size := 0
	switch c {
	case msgpcode.Str8, msgpcode.Bin8, msgpcode.Ext8:
		size = 1
	case msgpcode.Str16, msgpcode.Bin16, msgpcode.Ext16, msgpcode.Array16, msgpcode.Map16:
		size = 2
	case msgpcode.Str32, msgpcode.Bin32, msgpcode.Ext32, msgpcode.Array32, msgpcode.Map32:
		size = 4
	}
	if size == 0 || len(b) < size {
		return 0, nil, false
	}
	var be [4]byte
	copy(be[4-size:], b)
	return int(min(binary.BigEndian.Uint32(be[:]), 1<<30)), b[size:], true
}

func skipBytes(b []byte, n int) ([]byte, bool) {
	if n > len(b) {
		return nil, false
	}
	return b[n:], true
}

func skipValues(b []byte, n, depth int) ([]byte, bool) {
	if n > len(b) { // each takes a byte at least
		return nil, false
	}
	ok := true
	for ; n > 0 && ok; n-- {
		b, ok = skipValue(b, depth+1)
	}
	return b, ok
}
