package model

import (
	"encoding/binary"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// decodeInteger reads a msgpack integer that is all of b into v, as the msgpack package
// does; false if v does not point to an integer, or b is something else.
func decodeInteger(b []byte, v any) bool {
	switch v := v.(type) {
	case *int:
		return setInteger(v, b)
	case *int32:
		return setInteger(v, b)
	case *int64:
		return setInteger(v, b)
	case *uint:
		return setInteger(v, b)
	case *uint32:
		return setInteger(v, b)
	case *uint64:
		return setInteger(v, b)
	}
	return false
}

func setInteger[N int | int32 | int64 | uint | uint32 | uint64](v *N, b []byte) bool {
	bits, ok := integerBits(b)
	if ok {
		*v = N(bits) // what does not fit wraps around
	}
	return ok
}

// integerBits returns the 64 bits of a msgpack integer that is all of b.
func integerBits(b []byte) (bits uint64, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	c, b := b[0], b[1:]
	switch {
	case msgpcode.IsFixedNum(c) && len(b) == 0:
		return uint64(int8(c)), true
	case c == msgpcode.Uint8 && len(b) == 1:
		return uint64(b[0]), true
	case c == msgpcode.Int8 && len(b) == 1:
		return uint64(int8(b[0])), true
	case c == msgpcode.Uint16 && len(b) == 2:
		return uint64(binary.BigEndian.Uint16(b)), true
	case c == msgpcode.Int16 && len(b) == 2:
		return uint64(int16(binary.BigEndian.Uint16(b))), true
	case c == msgpcode.Uint32 && len(b) == 4:
		return uint64(binary.BigEndian.Uint32(b)), true
	case c == msgpcode.Int32 && len(b) == 4:
		return uint64(int32(binary.BigEndian.Uint32(b))), true
	case (c == msgpcode.Uint64 || c == msgpcode.Int64) && len(b) == 8:
		return binary.BigEndian.Uint64(b), true
	}
	return 0, false
}
