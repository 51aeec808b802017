package model_test

import (
	"math"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Integers of all types read as the msgpack package reads them, whoever wrote them in
// whatever form; what it does not take, or is no integer alone, is no value.
func TestIntegersReadAsMsgpackDoes(t *testing.T) {
	t.Parallel()
	like[int](t)
	like[int32](t)
	like[int64](t)
	like[uint](t)
	like[uint32](t)
	like[uint64](t)
}

func like[V comparable](t *testing.T) {
	var m model.Map[V]
	h := attach(&m)
	n := clock.Version(0)
	check := func(t interface{ Errorf(string, ...any) }, b []byte) {
		n++
		h.receive(update("b", n, 1<<60+clock.Timestamp(n), "k", string(b)))
		var want V
		err := msgpack.Unmarshal(b, &want)
		if got, ok := m.Get("k"); ok != (err == nil) || ok && got != want {
			t.Errorf("%x as %T reads as %v, %v, msgpack says %v, %v", b, want, got, ok, want, err)
		}
	}
	for _, v := range []any{
		0, -1, 127, 128, -32, -33, -128, -129, 1 << 15, 1 << 16, math.MaxInt32, math.MinInt32, math.MaxUint32, math.MaxInt64, math.MinInt64,
		uint64(math.MaxUint64), int8(-1), int16(-1), int32(-1), int64(-1), uint8(255), uint16(255), uint32(255), uint64(255), "text", nil, 1.5, true,
	} {
		b, err := msgpack.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		check(t, b)
	}
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.OneOf(rapid.ByteRange(0xcc, 0xd3), rapid.Byte().Filter(func(c byte) bool { return c < 0x80 || c >= 0xe0 })).Draw(t, "code")
		size := map[bool]int{true: 1 << ((code - 0xcc) & 3)}[code >= 0xcc && code <= 0xd3]
		check(t, append([]byte{code}, rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "bytes")...))
	})
}
