package wire

import (
	"encoding/binary"
	"math"
)

// The codes of the msgpack types that the format uses. The primitives are
// written here because a decoder on io.Reader has to copy every key and value;
// they are tested against vmihailenco/msgpack.
const (
	codeFixArray = 0x90
	codeFixStr   = 0xa0
	codeNil      = 0xc0
	codeFalse    = 0xc2
	codeTrue     = 0xc3
	codeBin8     = 0xc4
	codeBin16    = 0xc5
	codeBin32    = 0xc6
	codeFloat64  = 0xcb
	codeUint8    = 0xcc
	codeUint16   = 0xcd
	codeUint32   = 0xce
	codeUint64   = 0xcf
	codeInt8     = 0xd0
	codeInt16    = 0xd1
	codeInt32    = 0xd2
	codeInt64    = 0xd3
	codeStr8     = 0xd9
	codeStr16    = 0xda
	codeStr32    = 0xdb
	codeArray16  = 0xdc
	codeArray32  = 0xdd
	codeNegative = 0xe0 // and above: -32 … -1
)

const (
	maxFixInt   = math.MaxInt8
	maxFixStr   = 31
	maxFixArray = 15
	maxUint     = 9 // bytes of the longest integer
)

// uintSize is the length of v as appendUint writes it.
func uintSize(v uint64) int {
	switch {
	case v <= maxFixInt:
		return 1
	case v <= math.MaxUint8:
		return 2
	case v <= math.MaxUint16:
		return 3
	case v <= math.MaxUint32:
		return 5
	default:
		return maxUint
	}
}

func appendUint(b []byte, v uint64) []byte {
	switch {
	case v <= maxFixInt:
		return append(b, byte(v))
	case v <= math.MaxUint8:
		return append(b, codeUint8, byte(v))
	case v <= math.MaxUint16:
		return append(b, codeUint16, byte(v>>8), byte(v))
	case v <= math.MaxUint32:
		return appendUint32(b, uint32(v))
	default:
		return binary.BigEndian.AppendUint64(append(b, codeUint64), v)
	}
}

// appendUint32 writes v in 5 bytes, whatever it is.
func appendUint32(b []byte, v uint32) []byte {
	return append(b, codeUint32, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
}

// intSize is the length of v as appendInt writes it.
func intSize(v int64) int {
	switch {
	case v >= 0:
		return uintSize(uint64(v))
	case v >= -32:
		return 1
	case v >= math.MinInt8:
		return 2
	case v >= math.MinInt16:
		return 3
	case v >= math.MinInt32:
		return 5
	default:
		return maxUint
	}
}

func appendInt(b []byte, v int64) []byte {
	switch {
	case v >= 0:
		return appendUint(b, uint64(v))
	case v >= -32:
		return append(b, byte(v))
	case v >= math.MinInt8:
		return append(b, codeInt8, byte(v))
	case v >= math.MinInt16:
		return append(b, codeInt16, byte(v>>8), byte(v))
	case v >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(b, codeInt32), uint32(v))
	default:
		return binary.BigEndian.AppendUint64(append(b, codeInt64), uint64(v))
	}
}

// strSize is the length of a string of n bytes with its header.
func strSize(n int) int {
	if n <= maxFixStr {
		return 1 + n
	}
	return binSize(n)
}

func appendStr(b []byte, s string) []byte {
	switch n := len(s); {
	case n <= maxFixStr:
		b = append(b, codeFixStr|byte(n))
	default:
		b = appendLen(b, codeStr8, n)
	}
	return append(b, s...)
}

// binSize is the length of n raw bytes with their header.
func binSize(n int) int {
	switch {
	case n <= math.MaxUint8:
		return 2 + n
	case n <= math.MaxUint16:
		return 3 + n
	default:
		return 5 + n
	}
}

func appendBin(b, v []byte) []byte { return append(appendLen(b, codeBin8, len(v)), v...) }

// appendLen writes the header of a string or of raw bytes: code is the one for
// lengths of 8 bits, those for 16 and 32 bits follow it.
func appendLen(b []byte, code byte, n int) []byte {
	switch {
	case n <= math.MaxUint8:
		return append(b, code, byte(n))
	case n <= math.MaxUint16:
		return append(b, code+1, byte(n>>8), byte(n))
	default:
		return append(b, code+2, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
}

// arraySize is the length of the header of an array of up to n elements.
func arraySize(n int) int {
	switch {
	case n <= maxFixArray:
		return 1
	case n <= math.MaxUint16:
		return 3
	default:
		return 5
	}
}

// putArray fills in an array's header, which takes the whole of b, once the
// number of elements is known. Headers wider than needed are legal.
func putArray(b []byte, n int) {
	switch len(b) {
	case 1:
		b[0] = codeFixArray | byte(n)
	case 3:
		b[0] = codeArray16
		binary.BigEndian.PutUint16(b[1:], uint16(n))
	default:
		b[0] = codeArray32
		binary.BigEndian.PutUint32(b[1:], uint32(n))
	}
}
