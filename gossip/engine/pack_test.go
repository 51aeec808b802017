package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// For every small budget, and every fiftieth more, an ACK carries exactly what the order puts
// first and fits, and no message is over its limit (I11).
func TestPackAgainstObvious(t *testing.T) {
	t.Parallel()
	const limit = 4000
	w := newWorld(t, 11, 1, engine.Config{Order: engine.Span, MaxUpdate: 400, MaxStream: limit})
	n := w.nodes[0]
	var all []behind
	for r := range 6 { // no two with as many versions: there are no ties
		b := behind{id: clock.Replica{Node: fmt.Sprint("writer", r), Epoch: 1}}
		var us []*model.Update
		for v := range clock.Version(10 * (r + 1)) {
			u := updateOf(b.id, v+1, fmt.Sprintf("%d-%d", r, int(v)%(7+r))) // some are overwritten
			u.Value = make([]byte, v*37%150)
			us = append(us, u)
		}
		give(t, w, n, message(engine.Push, 1, batch(b.id, us...)))
		b.version, b.updates = clock.Version(len(us)), n.e.Retained(b.id)
		all = append(all, b)
	}
	for budget := 1; budget < limit+200; budget += 1 + budget/50 {
		ask := syn(uint64(budget))
		ask.Credit = uint32(budget)
		out := give(t, w, n, ask)
		if len(out.Send) != 1 {
			t.Fatalf("budget %d: sends %v", budget, out.Send)
		}
		ack := out.Send[0].Message
		size := len(w.codec.Encode(ack))
		if size > limit || !out.Send[0].Stream && size > 1400 {
			t.Fatalf("budget %d: %d bytes, stream %t (I11)", budget, size, out.Send[0].Stream)
		}
		slow := slowly{codec: w.codec, base: *ack, max: limit}
		slow.base.Batches = nil
		if want := slow.pack(engine.Span, all, budget); !sameBatches(ack.Batches, want) {
			t.Fatalf("budget %d: packed\n%s\nwant\n%s", budget, describe(ack.Batches), describe(want))
		}
		if over := size - w.codec.Size(&slow.base); over > budget && len(ack.Batches[0].Updates) > 1 {
			t.Fatalf("budget %d: %d bytes of batches", budget, over)
		}
	}
}

// sameBatches reports whether two deltas carry the same, in the same order.
func sameBatches(a, b []engine.Batch) bool {
	return slices.EqualFunc(a, b, func(a, b engine.Batch) bool {
		return a.Replica == b.Replica && a.From == b.From && a.Through == b.Through && slices.Equal(a.Updates, b.Updates)
	})
}

func describe(batches []engine.Batch) string {
	var s strings.Builder
	for _, b := range batches {
		fmt.Fprintf(&s, "%v (%d,%d]:", b.Replica, b.From, b.Through)
		for _, u := range b.Updates {
			fmt.Fprintf(&s, " %d", u.Version)
		}
		s.WriteByte('\n')
	}
	return s.String()
}

// A sender knows that a hole is closed when what replaced the update is in the
// same message, or known to the receiver; else the hole is open (R3).
func TestClosedHoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	w.mustWrite(n, "s", "k", "1")
	w.mustWrite(n, "s", "k", "2")
	w.mustWrite(n, "s", "j", "3")
	w.mustWrite(n, "s", "k", "4")
	ask := func(exchange uint64, digest ...engine.DigestEntry) []engine.Batch {
		t.Helper()
		return ask(t, w, n, exchange, digest...).Batches
	}
	if b := ask(1); len(b) != 1 || !b[0].Closed || len(b[0].Updates) != 2 {
		t.Fatalf("own overwrites: %+v, want one batch with closed holes", b)
	}
	// Another replica overwrites j: its hole is closed by the batch that carries
	// that, or by the receiver's digest.
	other := update(1, "j")
	other.Time = clock.TimestampOf(w.now.Add(time.Second))
	if _, err := n.e.Step(w.now, message(engine.Push, 1, engine.Batch{Replica: writer, Through: 1, Updates: []*model.Update{other}})); err != nil {
		t.Fatal(err)
	}
	for _, b := range ask(2) {
		if holes := int(b.Through-b.From) - len(b.Updates); holes > 0 && !b.Closed {
			t.Errorf("%+v is open, and its heir is beside it", b)
		}
	}
	if b := ask(3, engine.DigestEntry{Entry: clock.Entry{Replica: writer, Version: 1}}); len(b) != 1 || !b[0].Closed {
		t.Errorf("%+v, want a closed batch: the receiver knows the heir", b)
	}
}
