package engine

import (
	"testing"
	"unsafe"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Keys and values of all sizes have room, and take one allocation where they are small.
func TestNewRecord(t *testing.T) {
	if size := unsafe.Sizeof(model.Update{}); size != 136 {
		t.Fatalf("an update has %d bytes: the rooms are for 136", size)
	}
	for n := range 400 {
		u, room := newRecord(n)
		if len(room) != n || cap(room) != n || u == nil {
			t.Fatalf("%d bytes: got %d of %d", n, len(room), cap(room))
		}
		want := 1.0
		if n > 248 {
			want = 2
		}
		if got := testing.AllocsPerRun(5, func() { kept, keptRoom = newRecord(n) }); got != want {
			t.Errorf("%d bytes: %v allocations, want %v", n, got, want)
		}
	}
}

// What escapes to the heap.
var (
	kept     *model.Update
	keptRoom []byte
)
