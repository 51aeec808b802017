package engine_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// However many batches of a message leave something out, one pull asks for it, of
// 256 replicas at most, in order, and none more until that one timed out (R3).
func TestManyGaps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	n.e.SetPeer(w.now, "peer", engine.PeerFailed) // or it is forgotten, and its pulls with it
	gaps := func() *engine.Message {
		m := message(engine.Push, 1)
		for i := range 300 {
			r := clock.Replica{Node: fmt.Sprintf("r%03d", 299-i), Epoch: 1}
			m.Batches = append(m.Batches, engine.Batch{Replica: r, From: 5, Through: 6, Updates: []*model.Update{updateOf(r, 6, "k")}})
		}
		return m
	}
	for i, want := range []int{1, 0} {
		out := give(t, w, n, gaps())
		if len(out.Send) != want {
			t.Fatalf("the %d. time: %d answers, want %d", i+1, len(out.Send), want)
		}
		if want == 0 {
			continue
		}
		m := out.Send[0].Message
		sorted := slices.IsSortedFunc(m.Digest.Entries, func(a, b engine.DigestEntry) int { return a.Replica.Compare(b.Replica) })
		if m.Kind != engine.Pull || len(m.Digest.Entries) != 256 || !sorted {
			t.Errorf("the answer is %v of %d replicas, in order %t", m.Kind, len(m.Digest.Entries), sorted)
		}
	}
	w.now = w.now.Add(5 * time.Second)
	if out := give(t, w, n, gaps()); len(out.Send) != 1 {
		t.Errorf("after the time-out: %d answers, want another pull", len(out.Send))
	}
	if got := n.e.Vector().Len(); got != 0 {
		t.Errorf("%d replicas are kept of which nothing is known", got)
	}
}

// Updates farther apart than a batch may span go in two batches, also those of a
// snapshot.
func TestVersionsFarApart(t *testing.T) {
	t.Parallel()
	for _, cleaning := range []bool{false, true} {
		w := newWorld(t, 1, 1, engine.Config{})
		n := w.nodes[0]
		const far = engine.MaxSpan + 5
		near, last := update(1, "j"), update(far, "k")
		give(t, w, n, syn(1, known(writer, far)))
		give(t, w, n, fin(1,
			engine.Batch{Replica: writer, Through: engine.MaxSpan, Updates: []*model.Update{near}},
			engine.Batch{Replica: writer, From: engine.MaxSpan, Through: far, Updates: []*model.Update{last}}))
		for i, want := range []struct {
			from, through clock.Version
			update        *model.Update
		}{{0, engine.MaxSpan, near}, {engine.MaxSpan, far, last}} {
			asked := syn(uint64(2+i), known(writer, want.from))
			asked.Cleaning = cleaning
			ack := give(t, w, n, asked).Send[0].Message
			if len(ack.Batches) != 1 || ack.Cleaning != cleaning {
				t.Fatalf("the ACK has batches %+v, cleaning %t, want one, %t", ack.Batches, ack.Cleaning, cleaning)
			}
			w.codec.Encode(ack) // panics if the batch spans too much
			b := ack.Batches[0]
			if b.From != want.from || b.Through != want.through || len(b.Updates) != 1 || b.Updates[0].Dot != want.update.Dot {
				t.Errorf("%+v, want (%d, %d] with %v", b, want.from, want.through, want.update.Dot)
			}
		}
	}
}
