package wire

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Memory stays within MaxGrowth for the shortest encodings of the largest
// things, and for arrays that claim more than there is.
func TestMemoryIsBounded(t *testing.T) {
	c := New("test")
	check := func(name string, b []byte, wantErr bool) {
		const runs = 4 // the test's own runtime allocates too now and then
		var err error
		used := allocated(func() {
			for range runs {
				_, err = c.Decode(b)
			}
		}) / runs
		t.Logf("%-22s %8d bytes in, %10d allocated: factor %.1f", name, len(b), used, float64(used)/float64(len(b)))
		if (err != nil) != wantErr {
			t.Errorf("%s: error %v", name, err)
		}
		if used > uint64(MaxGrowth*len(b)+1<<10) {
			t.Errorf("%s: decoding %d bytes allocated %d", name, len(b), used)
		}
	}
	const n = 2_400
	claim := binary.BigEndian.AppendUint32([]byte{codeArray32}, n)
	check("updates", push(messageFields-1, func(w *writer) { bareUpdates(w, n) }), false)
	check("updates with context", push(messageFields-1, func(w *writer) { contextUpdates(w, n) }), false)
	check("batches", push(messageFields-1, func(w *writer) { bareBatches(w, n) }), false)
	check("known exceptions", push(12, func(w *writer) { knownEntries(w, n) }), false)
	check("new exceptions", push(12, func(w *writer) { newEntries(w, 20_000, func(int) string { return "" }) }), false)
	check("digest", push(11, func(w *writer) {
		l := w.begin(6)
		w.bool(true)
		w.uint(0)
		w.uint(0)
		w.uint(0)
		newEntries(w, n, func(i int) string { return string([]byte{byte(i >> 16), byte(i >> 8), byte(i)}) })
		w.end(w.begin(0))
		w.end(l)
	}), false)
	check("array of 4 G", push(messageFields-1, func(w *writer) { w.b = append(w.b, codeArray32, 255, 255, 255, 255) }), true)
	check("array of what is left", push(12, func(w *writer) {
		w.b = append(w.b, claim...)
		w.b = append(w.b, make([]byte, n)...)
	}), true)
	check("65,535 updates", push(messageFields-1, func(w *writer) {
		w.b = append(append(w.b, codeFixArray|1), claim...)
		w.b = append(w.b, 1, 0, codeUint16, 0xff, 0xff, 0, codeFalse, codeUint16, 0xff, 0xff)
		w.b = append(w.b, bytes.Repeat([]byte{1}, n)...)
	}), true)
}

// push returns an empty message of cluster "test" in which f has written one
// field.
func push(field int, f func(w *writer)) []byte {
	var w writer
	l := w.begin(messageFields)
	for i := range messageFields {
		switch {
		case i == field:
			f(&w)
		case i == 0:
			w.uint(Version)
		case i == 1:
			w.str("test")
		case i == 2:
			w.uint(uint64(engine.Push))
		case i == 3:
			w.str("a")
		case i < 10, i == 13:
			w.uint(0)
		case i < 12, i >= 16 && i <= 18:
			w.null()
		case i == 14:
			w.bool(false)
		default:
			w.end(w.begin(0))
		}
	}
	w.end(l)
	return w.b
}

func bareUpdates(w *writer, n int) {
	b := engine.Batch{Replica: clock.Replica{Node: "b"}, Through: clock.Version(n)}
	for v := range b.Through {
		b.Updates = append(b.Updates, &model.Update{Dot: clock.Dot{Replica: b.Replica, Version: v + 1}})
	}
	l := w.begin(1)
	w.batch(&b)
	w.end(l)
}

func contextUpdates(w *writer, n int) {
	l := w.begin(1)
	bl := w.begin(batchElements(n))
	for _, v := range []int{1, 0, n, 0} { // replica, From, span, Floor
		w.uint(uint64(v))
	}
	w.bool(false)
	w.uint(uint64(n))
	for range n {
		w.uint(flagRefs)
		for range 2 { // context, dependencies
			rl := w.begin(2)
			w.uint(1)
			w.uint(1)
			w.end(rl)
		}
		w.bin(nil)
		w.bin(nil)
	}
	w.end(bl)
	w.end(l)
}

func bareBatches(w *writer, n int) {
	l := w.begin(n)
	for range n {
		bl := w.begin(6)
		for range 4 {
			w.uint(1)
		}
		w.bool(false)
		w.uint(0)
		w.end(bl)
	}
	w.end(l)
}

func knownEntries(w *writer, n int) {
	l := w.begin(2 * n)
	for range 2 * n {
		w.uint(1)
	}
	w.end(l)
}

func newEntries(w *writer, n int, name func(int) string) {
	l := w.begin(pairFields * n)
	for i := range n {
		w.uint(0)
		w.str(name(i))
		w.uint(1)
		w.uint(0)
	}
	w.end(l)
}
