package wire

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

const start = clock.Timestamp(1_767_225_600_000 << logicalBits) // 2026-01-01

// bulk is a push of one batch of n updates with keys of 20 and values of size
// bytes. next gives the time of an update after that of the one before.
func bulk(n, size int, next func(clock.Timestamp) clock.Timestamp) *engine.Message {
	r := clock.Replica{Node: "node-b", Epoch: 1_767_200_000_000}
	b := engine.Batch{Replica: r, From: 1000, Through: 1000 + clock.Version(n), Floor: 17, Closed: true}
	t := start
	values := bytes.Repeat([]byte{'v'}, size+n) // each value is a part of it: long ones take no memory
	for i := range n {
		t = next(t)
		b.Updates = append(b.Updates, &model.Update{
			Dot:   clock.Dot{Replica: r, Version: b.From + clock.Version(i) + 1},
			Time:  t,
			Space: "settings",
			Key:   fmt.Appendf(nil, "key-%016d", i),
			Value: values[i : i+size],
		})
	}
	return &engine.Message{
		Kind: engine.Push, From: clock.Replica{Node: "node-a", Epoch: 1_767_210_000_000},
		Exchange: 1 << 60, HLC: t + 5, MaxUpdate: 1 << 20, Credit: 1 << 20,
		Batches: []engine.Batch{b},
	}
}

func burst(t clock.Timestamp) clock.Timestamp { return t + 1 }

const benchUpdates = 1000

func perSecond(b *testing.B) {
	b.ReportMetric(float64(b.N)*benchUpdates/b.Elapsed().Seconds(), "updates/s")
}

func BenchmarkEncode(b *testing.B) {
	c, m := New("bench"), bulk(benchUpdates, 100, burst)
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.Encode(m)
		}
		perSecond(b)
	})
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = c.Append(buf[:0], m)
		}
		perSecond(b)
	})
}

func BenchmarkDecode(b *testing.B) {
	c := New("bench")
	buf := c.Encode(bulk(benchUpdates, 100, burst))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Decode(buf); err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b)
}

func BenchmarkSize(b *testing.B) {
	c, m := New("bench"), bulk(benchUpdates, 100, burst)
	b.ReportAllocs()
	for b.Loop() {
		c.Size(m)
	}
	perSecond(b)
}

func BenchmarkSizer(b *testing.B) {
	c, m := New("bench"), bulk(benchUpdates, 100, burst)
	batch := m.Batches[0]
	m.Batches = nil
	b.ReportAllocs()
	for b.Loop() {
		s := c.Sizer(m)
		s.Begin(&batch)
		for _, u := range batch.Updates {
			s.Add(u)
		}
	}
	perSecond(b)
}

// BenchmarkDigest encodes and decodes the full vector of a cluster of 1,000.
func BenchmarkDigest(b *testing.B) {
	c, m := New("bench"), &engine.Message{Kind: engine.Syn, Digest: engine.Digest{Full: true}}
	for i := range 1000 {
		m.Digest.Entries = append(m.Digest.Entries, engine.DigestEntry{Entry: clock.Entry{
			Replica: clock.Replica{Node: fmt.Sprintf("node-%04d", i), Epoch: uint64(start >> logicalBits)},
			Version: clock.Version(1000 * i),
		}})
	}
	buf := c.Encode(m)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.Encode(m)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Decode(buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkLibrary is what the same elements of an update cost with
// vmihailenco/msgpack: flags, key and value. It is why the primitives are
// written here.
func BenchmarkLibrary(b *testing.B) {
	updates := bulk(benchUpdates, 100, burst).Batches[0].Updates
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	encode := func() {
		buf.Reset()
		for _, u := range updates {
			if enc.EncodeUint(1<<flagBits) != nil || enc.EncodeBytes(u.Key) != nil || enc.EncodeBytes(u.Value) != nil {
				b.Fatal("encoding failed")
			}
		}
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			encode()
		}
		perSecond(b)
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		encode()
		for b.Loop() {
			dec := msgpack.NewDecoder(bytes.NewReader(buf.Bytes()))
			slab := make([]model.Update, benchUpdates)
			for i := range slab {
				_, err1 := dec.DecodeUint64()
				key, err2 := dec.DecodeBytes()
				value, err3 := dec.DecodeBytes()
				if err1 != nil || err2 != nil || err3 != nil {
					b.Fatal(err1, err2, err3)
				}
				slab[i].Key, slab[i].Value = key, value
			}
		}
		perSecond(b)
	})
}
