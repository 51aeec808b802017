package wire

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// The Sizer says what Encode gives, after every step and every Undo, whatever
// Through and Closed become.
func TestSizerIsExact(t *testing.T) {
	t.Parallel()
	c := New("test")
	rapid.Check(t, func(t *rapid.T) {
		m := gen{t: t}.anyMessage()
		want := m.Batches
		m.Batches = nil
		if rapid.Bool().Draw(t, "start with batches") && len(want) > 1 {
			m.Batches, want = slices.Clip(want[:1]), want[1:]
		}
		s := c.Sizer(m)
		check := func(what string, got int) {
			t.Helper()
			if n := len(c.Encode(m)); got != n {
				t.Fatalf("%s: Sizer says %d bytes, encoded to %d", what, got, n)
			}
		}
		g := gen{t: t, hlc: m.HLC, wide: true}
		for _, b := range want {
			if g.bool() {
				other := g.batch(0)
				s.Begin(&other)
				s.Undo()
			}
			updates, through := b.Updates, b.Through
			begin := engine.Batch{Replica: b.Replica, From: b.From, Floor: b.Floor}
			size := s.Begin(&begin)
			b.Updates, b.Through = nil, b.From
			m.Batches = append(m.Batches, b)
			check("Begin", size)
			last := &m.Batches[len(m.Batches)-1]
			for i, u := range updates {
				if g.bool() {
					other := g.update(clock.Dot{Replica: b.Replica, Version: u.Version}, g.hlc)
					s.Add(other)
					s.Undo()
				}
				size = s.Add(u)
				last.Updates = updates[:i+1]
				last.Through = u.Version
				check("Add", size)
			}
			last.Through = through
			last.Closed = !last.Closed
			check("final fields", size)
		}
		s.Undo()
		s.Undo() // allowed, and does nothing
	})
}

// Headers become wider with the number of updates and batches.
func TestSizerWidths(t *testing.T) {
	t.Parallel()
	c := New("test")
	m := &engine.Message{Kind: engine.Push}
	s := c.Sizer(m)
	var last int
	for i := range 20 {
		b := engine.Batch{Replica: clock.Replica{Epoch: uint64(i)}, Through: 6000}
		last = s.Begin(&b)
		m.Batches = append(m.Batches, b)
		if n := c.Size(m); n != last {
			t.Fatalf("batch %d: Sizer says %d, Size %d", i, last, n)
		}
	}
	b := &m.Batches[19]
	for v := range clock.Version(6000) {
		u := &model.Update{Dot: clock.Dot{Replica: b.Replica, Version: v + 1}}
		b.Updates = append(b.Updates, u)
		last = s.Add(u)
		if v%127 == 0 || v > 5030 && v < 5050 {
			if n := c.Size(m); n != last {
				t.Fatalf("update %d: Sizer says %d, Size %d", v, last, n)
			}
		}
	}
	if n := len(c.Encode(m)); n != last {
		t.Fatalf("Sizer says %d, encoded to %d", last, n)
	}
}

func TestSizerDoesNotAllocate(t *testing.T) {
	m := bulk(1000, 100, burst)
	batch := m.Batches[0]
	m.Batches = nil
	s := New("test").Sizer(m)
	s.Begin(&batch)
	i := 0
	if n := testing.AllocsPerRun(900, func() { s.Add(batch.Updates[i]); s.Undo(); i++ }); n != 0 {
		t.Errorf("%v allocations in each Add and Undo", n)
	}
}

func TestUpdateSizeIsBound(t *testing.T) {
	t.Parallel()
	c := New("test")
	rapid.Check(t, func(t *rapid.T) {
		m := gen{t: t}.anyMessage()
		m.Batches = nil
		envelope := c.Size(m)
		g := gen{t: t, hlc: m.HLC, wide: true}
		b := g.batch(1)
		if len(b.Updates) == 0 {
			t.Skip() // a draw without an update has nothing to measure
		}
		m.Batches = []engine.Batch{b}
		took, bound := c.Size(m)-envelope, c.UpdateSize(b.Updates[0])
		if took > bound {
			t.Fatalf("update takes %d bytes, UpdateSize says %d", took, bound)
		}
	})
}

// The bound is reached up to the few bytes that no update can need at once.
func TestUpdateSizeIsTight(t *testing.T) {
	t.Parallel()
	c := New("")
	u := &model.Update{Dot: clock.Dot{Replica: clock.Replica{Node: "n", Epoch: 1 << 63}, Version: 1<<63 + 1<<32},
		Time: 1 << 63, Space: "s", Kind: 1, Expires: 1, Deps: clock.NewDots([]clock.Dot{{Replica: clock.Replica{Node: "o", Epoch: 1 << 63}, Version: 1 << 63}})}
	m := &engine.Message{Kind: engine.Push}
	envelope := c.Size(m)
	m.Batches = []engine.Batch{{Replica: u.Replica, From: 1<<63 + 1, Through: u.Version, Floor: 1 << 63, Updates: []*model.Update{u}}}
	if took, bound := c.Size(m)-envelope, c.UpdateSize(u); took > bound || took+20 < bound {
		t.Errorf("update takes %d bytes, UpdateSize says %d", took, bound)
	}
}
