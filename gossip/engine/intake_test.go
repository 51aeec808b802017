package engine_test

import (
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// What an intake has prepared is retained as what comes without one, also what somebody
// changes in the message afterwards, and nothing of its buffer.
func TestIntake(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2, engine.Config{})
	r, o := clock.Replica{Node: "r"}, clock.Replica{Node: "o"}
	dead := updateOf(r, 2, "dead")
	dead.Kind, dead.Value = model.Tombstone, nil
	first := fin(1, batch(r, updateOf(r, 1, "a"), dead), batch(o, updateOf(o, 1, "b"), updateOf(o, 2, "c")))
	second := fin(2, engine.Batch{Replica: r, From: 2, Through: 4, Updates: []*model.Update{updateOf(r, 3, "d"), updateOf(r, 4, "e")}})
	for _, m := range []*engine.Message{first, second} {
		m.Kind, m.CatchUp = engine.Push, true
		for i := range m.Batches {
			for _, u := range m.Batches[i].Updates {
				w.know(u)
			}
		}
	}
	plain, prepared := w.nodes[0], w.nodes[1]
	intake, decoder := prepared.e.Intake(), w.codec.Decoder()
	for i, m := range []*engine.Message{first, second} {
		give(t, w, plain, syn(m.Exchange))
		give(t, w, plain, m)
		encoded := w.codec.Encode(m)
		got, err := decoder.Decode(encoded)
		if err != nil {
			t.Fatal(err)
		}
		intake.Own(got)
		clear(encoded)
		if i == 1 {
			other := *got.Batches[0].Updates[1]
			other.Key = []byte("e")
			got.Batches[0].Updates[1] = &other
		}
		give(t, w, prepared, syn(m.Exchange))
		give(t, w, prepared, got)
	}
	if _, err := decoder.Decode(w.codec.Encode(fin(3))); err != nil { // it uses its memory again
		t.Fatal(err)
	}
	prepared.e.Scrub()
	a, b := plain.e.Spaces()[0], prepared.e.Spaces()[0]
	if s := prepared.e.Stats(); s.Damaged != 0 || s.UpdatesApplied != 6 {
		t.Errorf("%d damaged of %d updates, want 0 of 6", s.Damaged, s.UpdatesApplied)
	}
	if a != b || a.Updates != 6 || a.Tombstones != 1 {
		t.Errorf("with an intake %+v\nwithout     %+v", b, a)
	}
}
