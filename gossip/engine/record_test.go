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
	}
	for _, tt := range []struct {
		above, most int
		want        float64 // allocations of each
	}{{-1, 248, 1}, {248, 400, 2}} {
		got := testing.AllocsPerRun(5, func() { // each takes as many at least
			for n := tt.above + 1; n <= tt.most; n++ {
				kept, keptRoom = newRecord(n)
			}
		})
		if n := tt.most - tt.above; got != tt.want*float64(n) {
			t.Errorf("%d records of up to %d bytes: %v allocations, want %v for each", n, tt.most, got, tt.want)
		}
	}
}

// What escapes to the heap.
var (
	kept     *model.Update
	keptRoom []byte
)
