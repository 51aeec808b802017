package wire

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// checkDecode is what holds for any input: no panic, and what decodes is a
// message that can be sent on. It returns nil when b is no message.
func checkDecode(t *testing.T, c *Codec, b []byte) *engine.Message {
	t.Helper()
	m, err := c.Decode(b)
	if err != nil {
		if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) && !errors.Is(err, ErrCluster) {
			t.Fatalf("Decode(%x): error of no kind: %v", b, err)
		}
		return nil
	}
	again := c.Encode(m)
	if size := c.Size(m); size != len(again) {
		t.Fatalf("Size = %d, encoded to %d bytes: %x", size, len(again), b)
	}
	got, err := c.Decode(again)
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Fatalf("%x decoded to\n%+v\nthen, by %x, to\n%+v, %v", b, m, again, got, err)
	}
	return m
}

// samples are messages of all kinds with every field in use.
func samples() []*engine.Message {
	a, b := clock.Replica{Node: "a", Epoch: 1000}, clock.Replica{Node: "b", Epoch: 999}
	entry := func(r clock.Replica, v clock.Version) clock.Entry { return clock.Entry{Replica: r, Version: v} }
	update := func(r clock.Replica, v clock.Version) *model.Update {
		return &model.Update{Dot: clock.Dot{Replica: r, Version: v}, Time: start + clock.Timestamp(v), Space: "carts",
			Key: []byte("key"), Value: []byte("value")}
	}
	rich := update(b, 9)
	rich.Kind, rich.Expires, rich.Space = model.Tombstone|3, rich.Time+60_000<<logicalBits, "settings"
	rich.Context = clock.NewVector([]clock.Entry{entry(a, 4), entry(b, 8)})
	rich.Deps = clock.NewDots([]clock.Dot{{Replica: b, Version: 7}, {Replica: clock.Replica{Node: "c"}, Version: 300}})
	head := engine.Message{From: a, To: 1_700, Exchange: 77, HLC: start + 1000<<logicalBits, MaxUpdate: 1 << 20, Credit: 65536}
	message := func(k engine.Kind, f func(m *engine.Message)) *engine.Message {
		m := head
		m.Kind = k
		f(&m)
		return &m
	}
	digest := engine.Digest{Full: true, Part: 1, Parts: 2, Base: 5, Entries: []engine.DigestEntry{
		{Entry: entry(a, 12)}, {Entry: entry(b, 70_000), Held: true},
	}}
	batches := []engine.Batch{
		{Replica: b, From: 5, Through: 12, Floor: 2, Closed: true, Updates: []*model.Update{update(b, 6), rich, update(b, 10)}},
		{Replica: a, From: 5, Through: 6},
	}
	return []*engine.Message{
		message(engine.Syn, func(m *engine.Message) {
			m.Digest, m.Rates = digest, engine.Rates{Desired: 10, Maximum: 20.5, Capacity: 100, Pending: 7}
			m.Exceptions, m.Cleaning = []clock.Entry{entry(b, 80_000)}, true
		}),
		message(engine.Ack, func(m *engine.Message) {
			m.Same, m.Hashes = true, []engine.SpaceHash{{Space: "carts", Hash: engine.Hash{Hi: 1, Lo: 2}, Relayed: true}, {Space: "settings", Type: "map"}}
			m.Reports = []engine.Report{{Member: b, Head: 3, HLC: start, Safe: 5, View: engine.Hash{Hi: 3}, Outside: engine.Hash{Lo: 4}, Waits: true}}
			m.ReportSum, m.Admits, m.Joining, m.Relays, m.Unsure, m.CatchUp = 9, true, true, true, true, true
			m.RetiredSum = 5
			m.Retired = []engine.Retirement{{Node: "z", Gone: 7, Final: 8, Vanished: []uint64{6, 9}, Before: 5, Kept: []uint64{2, 4}, Proof: 3}}
		}),
		message(engine.Fin, func(m *engine.Message) { m.Batches, m.Digest.Entries = batches, digest.Entries[:1] }),
		message(engine.Pull, func(m *engine.Message) { m.Digest.Entries = digest.Entries[1:] }),
		message(engine.Push, func(m *engine.Message) { m.Batches = batches }),
		message(engine.Repair, func(m *engine.Message) {
			m.Repair = &engine.RepairStep{Phase: engine.RepairUpdates, Space: "carts",
				Hashes:  []engine.ReplicaHash{{Replica: b, Through: 12, Floor: 1, Hash: engine.Hash{Hi: 9, Lo: 9}}},
				Range:   engine.Range{Replica: a, From: 3, Through: 9},
				Dots:    []engine.RepairDot{{Version: 4, Content: 1 << 60}, {Version: 6, Content: 3}},
				Updates: []*model.Update{update(a, 4), update(b, 6), rich}}
		}),
		message(engine.Live, func(m *engine.Message) {
			m.To, m.Credit = 0, 0
			m.Digest.Entries, m.Batches = digest.Entries[:1], batches[:1]
		}),
		message(engine.Receipt, func(m *engine.Message) { m.Digest.Entries = digest.Entries[:1] }),
	}
}

// Every byte of every sample is replaced by codes of all types.
func TestMutations(t *testing.T) {
	t.Parallel()
	c := New("test")
	for _, m := range samples() {
		t.Run(m.Kind.String(), func(t *testing.T) {
			t.Parallel()
			good := c.Encode(m)
			if checkDecode(t, c, good) == nil {
				t.Fatal("the sample does not decode")
			}
			b := bytes.Clone(good)
			for i := range good {
				for _, v := range []byte{0, 6, 0x7f, 0x80, 0x93, 0xa3, 0xc0, 0xc6, 0xcf, 0xdd, 0xff} {
					b[i] = v
					checkDecode(t, c, b)
				}
				b[i] = good[i]
			}
		})
	}
}

// What Encode writes as it is, Decode refuses where it breaks the protocol.
func TestInvalidMessages(t *testing.T) {
	t.Parallel()
	c := New("test")
	long := strings.Repeat("x", engine.MaxName+1)
	update := func(r clock.Replica, v clock.Version) *model.Update {
		return &model.Update{Dot: clock.Dot{Replica: r, Version: v}}
	}
	for name, spoil := range map[string]func(m *engine.Message){
		"kind 0":           func(m *engine.Message) { m.Kind = 0 },
		"kind 11":          func(m *engine.Message) { m.Kind = 11 },
		"long sender":      func(m *engine.Message) { m.From.Node = long },
		"long node":        func(m *engine.Message) { m.Exceptions = []clock.Entry{{Replica: clock.Replica{Node: long}}} },
		"long space":       func(m *engine.Message) { m.Repair.Space = long },
		"NaN rate":         func(m *engine.Message) { m.Rates.Desired = math.NaN() },
		"infinite rate":    func(m *engine.Message) { m.Rates.Maximum = math.Inf(1) },
		"negative rate":    func(m *engine.Message) { m.Rates.Capacity = -1 },
		"part":             func(m *engine.Message) { m.Digest.Part = 1 },
		"part of parts":    func(m *engine.Message) { m.Digest.Part, m.Digest.Parts = 3, 3 },
		"digest order":     func(m *engine.Message) { m.Digest.Entries = make([]engine.DigestEntry, 2) },
		"no repair":        func(m *engine.Message) { m.Repair = nil },
		"repair in a push": func(m *engine.Message) { m.Kind = engine.Push },
		"phase 0":          func(m *engine.Message) { m.Repair.Phase = 0 },
		"phase 6":          func(m *engine.Message) { m.Repair.Phase = 6 },
		"dot 0":            func(m *engine.Message) { m.Repair.Dots = make([]engine.RepairDot, 1) },
		"dot order":        func(m *engine.Message) { m.Repair.Dots = []engine.RepairDot{{Version: 3}, {Version: 3}} },
		"update 0":         func(m *engine.Message) { m.Repair.Updates = []*model.Update{update(m.From, 0)} },
		"update order": func(m *engine.Message) {
			m.Repair.Updates = []*model.Update{update(m.From, 2), update(m.From, 1)}
		},
		"run order": func(m *engine.Message) {
			m.Repair.Updates = []*model.Update{update(clock.Replica{Node: "b"}, 1), update(clock.Replica{Node: "a"}, 1)}
		},
		"overflow": func(m *engine.Message) {
			m.Batches = []engine.Batch{{From: math.MaxUint64, Through: math.MaxUint64}}
			m.Repair.Updates = []*model.Update{update(m.From, math.MaxUint64), update(m.From, math.MaxUint64)}
		},
	} {
		m := &engine.Message{Kind: engine.Repair, Repair: &engine.RepairStep{Phase: engine.RepairAsk}}
		if _, err := c.Decode(c.Encode(m)); err != nil {
			t.Fatalf("the message is refused before %s: %v", name, err)
		}
		spoil(m)
		if got, err := c.Decode(c.Encode(m)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: decoded to %+v, %v", name, got, err)
		}
	}
}
