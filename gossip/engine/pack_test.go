package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/wire"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// backlog returns an engine with updates of several replicas, some overwritten.
func backlog(t testing.TB, cfg engine.Config) (*world, *node) {
	w := newWorld(t, 11, 1, cfg)
	n := w.nodes[0]
	for r := range 6 {
		id := clock.Replica{Node: fmt.Sprint("writer", r), Epoch: 1}
		var us []*model.Update
		for v := range 10 * (r + 1) {
			u := update(clock.Version(v+1), fmt.Sprintf("%d-%d", r, v%(7+r)))
			u.Replica = id
			u.Value = []byte(strings.Repeat("x", (v*37)%150))
			us = append(us, u)
		}
		m := message(engine.Push, 1, engine.Batch{Replica: id, Through: us[len(us)-1].Version, Updates: us})
		m.MaxUpdate = uint32(cfg.MaxUpdate)
		if _, err := n.e.Step(w.now, m); err != nil {
			t.Fatal(err)
		}
	}
	return w, n
}

// obvious is the slow version of packing in span order: it tries one more update
// at a time and encodes the whole message each time.
func obvious(codec *wire.Codec, base engine.Message, n *node, budget, limit int) []engine.Batch {
	type want struct {
		id   clock.Replica
		span clock.Version
	}
	var all []want
	for r, v := range n.e.Vector().All() {
		all = append(all, want{r, v})
	}
	slices.SortStableFunc(all, func(a, b want) int { return int(b.span) - int(a.span) })
	room := min(codec.Size(&base)+budget, limit)
	var done []engine.Batch
	fits := func(b engine.Batch, first bool) bool {
		m := base
		m.Batches = append(slices.Clone(done), b)
		size := len(codec.Encode(&m))
		return size <= room || first && size <= limit
	}
	count := 0
	for _, w := range all {
		b := engine.Batch{Replica: w.id, Through: w.span}
		for _, u := range n.e.Retained(w.id) {
			longer := b
			longer.Updates = append(slices.Clone(b.Updates), u)
			longer.Through = u.Version
			if !fits(longer, count == 0) {
				if len(b.Updates) > 0 {
					b.Through = b.Updates[len(b.Updates)-1].Version
					done = append(done, b)
				}
				return done
			}
			b.Updates = longer.Updates
			count++
		}
		b.Through = w.span
		done = append(done, b)
	}
	return done
}

// For every budget from one byte up, a delta carries exactly what the order
// puts first and fits, and no message is over its limit (I11).
func TestPackAgainstObvious(t *testing.T) {
	codec := wire.New("test")
	for budget := 1; budget < 14_000; budget += 13 {
		cfg := engine.Config{Order: engine.Span, Budget: budget, MaxUpdate: 400, MaxStream: 4000}
		w, n := backlog(t, cfg)
		syn := message(engine.Syn, 2)
		syn.Digest.Full, syn.MaxUpdate = true, 400
		out, err := n.e.Step(w.now, syn)
		if err != nil || len(out.Send) != 1 {
			t.Fatalf("%v, sends %v", err, out.Send)
		}
		ack := out.Send[0].Message
		size := len(codec.Encode(ack))
		if size > 4000 || !out.Send[0].Stream && size > 1400 {
			t.Fatalf("budget %d: %d bytes, stream %t (I11)", budget, size, out.Send[0].Stream)
		}
		base := *ack
		base.Batches = nil
		want := obvious(codec, base, n, budget, 4000)
		if got := describe(ack.Batches); got != describe(want) {
			t.Fatalf("budget %d: packed\n%s\nwant\n%s", budget, got, describe(want))
		}
		if over := size - codec.Size(&base); over > budget && len(ack.Batches[0].Updates) > 1 {
			t.Fatalf("budget %d: %d bytes of batches", budget, over)
		}
	}
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
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	w.mustWrite(n, "s", "k", "1")
	w.mustWrite(n, "s", "k", "2")
	w.mustWrite(n, "s", "j", "3")
	w.mustWrite(n, "s", "k", "4")
	ask := func(exchange uint64, digest ...engine.DigestEntry) []engine.Batch {
		t.Helper()
		syn := message(engine.Syn, exchange)
		syn.Digest = engine.Digest{Full: true, Entries: digest}
		out, err := n.e.Step(w.now, syn)
		if err != nil {
			t.Fatal(err)
		}
		return out.Send[0].Message.Batches
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
