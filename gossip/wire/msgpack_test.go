package wire

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"
)

// The primitives write what the library writes, of the size they say, and read
// it back.
func TestPrimitivesMatchLibrary(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	check := func(t *rapid.T, what any, got []byte, size int, err error) *reader {
		t.Helper()
		if err != nil || !bytes.Equal(got, buf.Bytes()) || size != len(got) {
			t.Fatalf("%v: %x of size %d, library %x, %v", what, got, size, buf.Bytes(), err)
		}
		buf.Reset()
		return &reader{b: got}
	}
	rapid.Check(t, func(t *rapid.T) {
		g := gen{t: t}
		u := g.number()
		err := enc.EncodeUint(u)
		if r := check(t, u, appendUint(nil, u), uintSize(u), err); r.uint("") != u || r.err != nil {
			t.Fatalf("%d was read back wrong: %v", u, r.err)
		}
		err = enc.EncodeUint32(uint32(u))
		if r := check(t, u, appendUint32(nil, uint32(u)), 5, err); r.uint("") != uint64(uint32(u)) {
			t.Fatalf("%d was read back wrong: %v", uint32(u), r.err)
		}
		i := int64(u)
		if g.bool() {
			i = -i
		}
		err = enc.EncodeInt(i)
		if r := check(t, i, appendInt(nil, i), intSize(i), err); r.int("") != i || r.err != nil {
			t.Fatalf("%d was read back wrong: %v", i, r.err)
		}
		n := rapid.SampledFrom([]int{0, 1, 31, 32, 128, 255, 256, math.MaxUint16, math.MaxUint16 + 1}).Draw(t, "n")
		v := bytes.Repeat([]byte{'x'}, n)
		err = enc.EncodeBytes(v)
		if r := check(t, n, appendBin(nil, v), binSize(n), err); !bytes.Equal(r.bin(""), v) || r.err != nil {
			t.Fatalf("%d bytes were read back wrong: %v", n, r.err)
		}
		err = enc.EncodeString(string(v))
		r := check(t, n, appendStr(nil, string(v)), strSize(n), err)
		if s := r.name(""); n <= 128 && (string(s) != string(v) || r.err != nil) || n > 128 && r.err == nil {
			t.Fatalf("string of %d bytes was read as one of %d: %v", n, len(s), r.err)
		}
		err = enc.EncodeArrayLen(n)
		head := make([]byte, arraySize(n))
		putArray(head, n)
		r = check(t, n, head, len(head), err)
		r.b = append(r.b, v...)
		if s := r.open(""); s.want != n || r.err != nil {
			t.Fatalf("array of %d was read as one of %d: %v", n, s.want, r.err)
		}
	})
}

// Numbers and lengths may be wider than needed: other writers do that.
func TestWideNumbers(t *testing.T) {
	t.Parallel()
	for _, b := range [][]byte{
		{5}, {codeUint8, 5}, {codeUint16, 0, 5}, {codeUint32, 0, 0, 0, 5}, {codeUint64, 0, 0, 0, 0, 0, 0, 0, 5},
	} {
		r := &reader{b: b}
		if v := r.uint(""); v != 5 || r.err != nil {
			t.Errorf("uint of %x = %d, %v", b, v, r.err)
		}
		r = &reader{b: b}
		if v := r.int(""); v != 5 || r.err != nil {
			t.Errorf("int of %x = %d, %v", b, v, r.err)
		}
	}
	for _, b := range [][]byte{
		{0xe0}, {codeInt8, 0xe0}, {codeInt16, 0xff, 0xe0}, {codeInt32, 0xff, 0xff, 0xff, 0xe0},
		{codeInt64, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xe0},
	} {
		r := &reader{b: b}
		if v := r.int(""); v != -32 || r.err != nil {
			t.Errorf("int of %x = %d, %v", b, v, r.err)
		}
	}
	for _, b := range [][]byte{{0xa1, 'x'}, {codeStr8, 1, 'x'}, {codeStr16, 0, 1, 'x'}, {codeStr32, 0, 0, 0, 1, 'x'}} {
		r := &reader{b: b}
		if v := r.name(""); string(v) != "x" || r.err != nil {
			t.Errorf("name of %x = %q, %v", b, v, r.err)
		}
	}
}

// A reader refuses types that do not fit, and numbers cut off.
func TestWrongTypes(t *testing.T) {
	t.Parallel()
	reads := map[string]func(*reader){
		"uint":  func(r *reader) { r.uint("x") },
		"int":   func(r *reader) { r.int("x") },
		"bool":  func(r *reader) { r.bool("x") },
		"rate":  func(r *reader) { r.rate("x") },
		"bin":   func(r *reader) { r.bin("x") },
		"name":  func(r *reader) { r.name("x") },
		"hash":  func(r *reader) { r.hash("x") },
		"array": func(r *reader) { r.open("x") },
	}
	for name, read := range reads {
		for _, b := range [][]byte{
			nil, {codeNil}, {0x81, 1, 1}, {codeUint64, 1}, {codeInt32, 1}, {codeBin32, 1}, {codeStr32, 1},
			{codeArray32, 0xff, 0xff, 0xff, 0xff}, {codeFloat64, 1}, {codeBin8, 3, 1}, {0xa3, 1},
		} {
			r := &reader{b: b}
			read(r)
			if r.err == nil || !strings.HasPrefix(r.err.Error(), "wire: malformed message: x, at byte") {
				t.Errorf("%s of %x: error %v", name, b, r.err)
			}
			if read(r); r.off != len(b) {
				t.Errorf("%s of %x: reads on after an error", name, b)
			}
		}
	}
}
