package model

import (
	"reflect"
	"testing"
	"unsafe"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// Keys and values of all sizes have room, and take one allocation where they are small.
func TestNewRecord(t *testing.T) {
	if size := unsafe.Sizeof(Update{}); size != 136 {
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

// What an update was cloned from, or a draft that it comes of, may change afterwards.
func TestClone(t *testing.T) {
	key, value := []byte("key"), []byte("value")
	d := Draft{Key: key, Value: value, Kind: 3}
	issued := d.Update(clock.Dot{Version: 7}, 9, "space")
	clone := issued.Clone()
	key[0], value[0], issued.Key[1], issued.Value[1] = 'K', 'V', 'E', 'A'
	_ = append(clone.Key, 'x') // has no room beside the value
	if string(issued.Key) != "kEy" || string(issued.Value) != "vAlue" || string(clone.Key) != "key" || string(clone.Value) != "value" {
		t.Errorf("issued %q = %q, its clone %q = %q", issued.Key, issued.Value, clone.Key, clone.Value)
	}
	if clone.Dot != issued.Dot || clone.Time != 9 || clone.Space != "space" || clone.Kind != 3 {
		t.Errorf("the clone is %+v, of %+v", clone, issued)
	}
}

// A clone has everything that the update has, fields that are yet to be thought of included.
func TestCloneIsWhole(t *testing.T) {
	u := Update{
		Dot:  clock.Dot{Replica: clock.Replica{Node: "n", Epoch: 1}, Version: 2},
		Time: 3, Space: "s", Key: []byte("k"), Value: []byte("v"), Kind: 4,
		Context: clock.NewVector([]clock.Entry{{Replica: clock.Replica{Node: "m", Epoch: 5}, Version: 6}}),
		Deps:    clock.NewDots([]clock.Dot{{Replica: clock.Replica{Node: "o", Epoch: 7}, Version: 8}}),
		Expires: 9,
	}
	for f, v := range reflect.ValueOf(u).Fields() {
		if v.IsZero() {
			t.Fatalf("the test does not set %s", f.Name)
		}
	}
	if clone := u.Clone(); !reflect.DeepEqual(*clone, u) {
		t.Errorf("the clone of %+v is %+v", u, *clone)
	}
}

// What escapes to the heap.
var (
	kept     *Update
	keptRoom []byte
)
