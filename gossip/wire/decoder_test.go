package wire

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// What a decoder made of the messages before does not show.
func TestDecoderDecodesAsCodecDoes(t *testing.T) {
	t.Parallel()
	c := New("test")
	d := c.Decoder()
	rapid.Check(t, func(t *rapid.T) {
		b := c.Encode(gen{t: t}.anyMessage())
		if rapid.IntRange(0, 9).Draw(t, "cut") == 0 {
			b = b[:rapid.IntRange(0, len(b)-1).Draw(t, "length")]
		}
		got, err := d.Decode(b)
		want, wantErr := c.Decode(b)
		if wantErr == nil && want.Kind == engine.Push && want.CatchUp {
			keep(want)
		}
		if fmt.Sprint(err) != fmt.Sprint(wantErr) || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v, want %+v, %v", got, err, want, wantErr)
		}
	})
}

// keep makes the updates of a message copies of what they are.
func keep(m *engine.Message) {
	for i := range m.Batches {
		for j, u := range m.Batches[i].Updates {
			m.Batches[i].Updates[j] = u.Clone()
		}
	}
}

// What comes after a message of a catch-up, even into the same buffer, does not change the
// updates of that.
func TestDecoderLeavesUpdatesOfCatchUps(t *testing.T) {
	c := New("test")
	d := c.Decoder()
	r := clock.Replica{Node: "r", Epoch: 1}
	message := func(word string) []byte {
		b := engine.Batch{Replica: r, Through: 100}
		for v := range b.Through {
			b.Updates = append(b.Updates, &model.Update{Dot: clock.Dot{Replica: r, Version: v + 1}, Space: "s", Key: fmt.Append(nil, "key ", v), Value: []byte(word)})
		}
		return c.Encode(&engine.Message{Kind: engine.Push, CatchUp: true, From: r, Batches: []engine.Batch{b}})
	}
	b := message("first")
	m, err := d.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	updates := slices.Clone(m.Batches[0].Updates)
	copy(b, message("other"))
	if _, err := d.Decode(b); err != nil {
		t.Fatal(err)
	}
	for i, u := range updates {
		if u.Version != clock.Version(i+1) || string(u.Key) != fmt.Sprint("key ", i) || string(u.Value) != "first" {
			t.Fatalf("update %d: %v %q = %q", i, u.Dot, u.Key, u.Value)
		}
	}
}

// Updates take no memory after the first message; but those of a part of a digest, which
// is kept, are not used again.
func TestDecoderUsesMemoryAgain(t *testing.T) {
	c := New("test")
	d := c.Decoder()
	b := push(messageFields-1, func(w *writer) { bareUpdates(w, 1000) })
	for range 2 {
		if _, err := d.Decode(b); err != nil {
			t.Fatal(err)
		}
	}
	const pointers = 1000 * 8 // updates of their own would take twenty times as much
	if used := allocated(func() { _, _ = d.Decode(b) }); used > 4*pointers {
		t.Errorf("1000 updates took %d bytes", used)
	}
	part := &engine.Message{Kind: engine.Ack, Digest: engine.Digest{Full: true, Part: 1, Parts: 2}}
	for _, m := range samples() {
		if len(m.Batches) > 0 && len(m.Batches[0].Updates) > 0 {
			part.Batches = m.Batches
		}
	}
	first, err := d.Decode(c.Encode(part))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Decode(b); err != nil {
		t.Fatal(err)
	}
	if want, _ := c.Decode(c.Encode(part)); !reflect.DeepEqual(first, want) {
		t.Errorf("a part of a digest was overwritten: %+v, want %+v", first, want)
	}
}
