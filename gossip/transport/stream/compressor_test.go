package stream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// noise is what cannot be compressed.
func noise(n int) []byte {
	b := make([]byte, n)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func TestCompressor(t *testing.T) {
	c, err := newCompressor(1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		msg  []byte
		want bool
	}{
		{"empty", nil, false},
		{"small", make([]byte, 1000), false},
		{"large", bytes.Repeat([]byte("key and value "), 10_000), true},
		{"noise", noise(10_000), false},
	} {
		before := []byte("before")
		b, ok := c.compress(before, tt.msg)
		if ok != tt.want {
			t.Errorf("%s: compressed %v, want %v", tt.name, ok, tt.want)
		}
		if !ok {
			continue
		}
		if !bytes.HasPrefix(b, before) || len(b) > len(tt.msg)/10 {
			t.Errorf("%s: %d bytes made of %d, %q in front", tt.name, len(b), len(tt.msg), b[:len(before)])
		}
		got, err := new(compressor).expand(b[len(before):], len(tt.msg), nil)
		if err != nil || !bytes.Equal(got, tt.msg) {
			t.Errorf("%s: expanded to %d bytes, %v", tt.name, len(got), err)
		}
		if _, err := new(compressor).expand(b[len(before):], len(tt.msg)-1, nil); err == nil {
			t.Errorf("%s: expanded over the limit", tt.name)
		}
	}
	if b, ok := new(compressor).compress(nil, make([]byte, 1<<20)); ok || len(b) > 0 {
		t.Error("the zero value compresses")
	}
}

// What claims to be longer than it may, or is, or is nonsense, is refused, and takes no
// more memory than the limit, whatever is in it.
func TestExpandHostile(t *testing.T) {
	const limit = 1 << 16
	writer, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	said := func(size uint32, b ...[]byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, size), bytes.Join(b, nil)...)
	}
	zeros := func(n int) []byte { return writer.EncodeAll(make([]byte, n), nil) }
	bomb := zeros(16 << 20)
	var stream bytes.Buffer // one that does not say how long it is
	w, err := zstd.NewWriter(&stream)
	if err != nil {
		t.Fatal(err)
	}
	for range 16 {
		_, _ = w.Write(make([]byte, 1<<20))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c := new(compressor)
	if _, err := c.expand(said(100, zeros(100)), limit, nil); err != nil { // and the reader is there
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		body []byte
	}{
		{"nothing", nil},
		{"no size", []byte{0, 0, 1}},
		{"nothing more", said(100)},
		{"no zstd", said(100, []byte("no zstd"))},
		{"too large, and says so", said(16<<20, bomb)},
		{"the largest size", said(1<<32-1, bomb)},
		{"too large, and hides it", said(100, bomb)},
		{"too large, as a stream", said(limit, stream.Bytes())},
		{"many in a row", said(100, zeros(60), zeros(60))},
		{"many large ones in a row", said(limit, bytes.Repeat(zeros(limit), 1000))},
		{"less than it says", said(100, zeros(99))},
		{"cut off", said(limit, zeros(limit)[:10])},
		{"something behind it", said(100, zeros(100), []byte("more"))},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b, err := c.expand(tt.body, limit, nil)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, errMalformed) {
			t.Errorf("%s: %d bytes, %v", tt.name, len(b), err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > limit+1<<20 {
			t.Errorf("%s: took %d bytes of memory", tt.name, used)
		}
	}
}

// A frame says that it is compressed only once the two ends know each other.
func TestCompressedHello(t *testing.T) {
	c := silent(t, nil).greet(newSaying([]byte{0x80, 0, 0, 1, 7}), false).conn
	if msg, err := c.readFrame(100); !errors.Is(err, errMalformed) {
		t.Errorf("%q, %v", msg, err)
	}
}

// FuzzExpand expands anything: the result is within the limit, and what it says.
func FuzzExpand(f *testing.F) {
	c, err := newCompressor(1)
	if err != nil {
		f.Fatal(err)
	}
	for _, n := range []int{2, 100, 5000} {
		b, _ := c.compress(nil, make([]byte, n))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1000
		switch msg, err := c.expand(b, limit, nil); {
		case err != nil:
		case len(msg) > limit || uint32(len(msg)) != binary.BigEndian.Uint32(b):
			t.Errorf("%d bytes of %x", len(msg), b)
		}
	})
}
