package engine_test

import (
	"encoding/binary"
	"fmt"
	"math/rand"
	"runtime"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/wire"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// bare is an engine with one map, and nothing that checks it.
type bare struct {
	*engine.Engine
	m *model.Map[[]byte]
}

// noHost is a host for one goroutine that only reads.
type noHost struct{ model.Host }

func (noHost) RLock() int  { return 0 }
func (noHost) RUnlock(int) {}

func newBare(b testing.TB, name string, codec *wire.Codec) bare {
	now := time.UnixMilli(1_700_000_000_000)
	e, err := engine.New(now, engine.Config{
		Self: clock.Replica{Node: name, Epoch: uint64(now.UnixMilli())}, Cluster: "bench", Codec: codec,
		Rand: rand.New(rand.NewSource(1)), Budget: 1 << 30,
	})
	if err != nil {
		b.Fatal(err)
	}
	m := &model.Map[[]byte]{}
	if err := m.Bind(noHost{}); err != nil {
		b.Fatal(err)
	}
	if err := e.Attach("map", m); err != nil {
		b.Fatal(err)
	}
	return bare{e, m}
}

// fill writes n keys of 20 bytes with values of 100.
func (e bare) fill(b testing.TB, now time.Time, n int) {
	for i := range n {
		d := model.Draft{Key: fmt.Appendf(nil, "key-%016d", i), Value: make([]byte, 100)}
		binary.LittleEndian.PutUint64(d.Value, uint64(i))
		if _, err := e.Write(now.Add(time.Duration(i)*10*time.Microsecond), "map", []model.Draft{d}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPipeline brings 100,000 updates from one engine to an empty one over
// the codec: delta, encode, decode, apply, on one core. Buffers are used again, as a node
// does.
func BenchmarkPipeline(b *testing.B) {
	const n = 100_000
	codec := wire.New("bench")
	now := time.UnixMilli(1_700_000_000_000)
	from := newBare(b, "from", codec)
	from.fill(b, now, n)
	now = now.Add(time.Minute)
	bytes := 0
	var encoded []byte
	decoder := codec.Decoder()
	b.ReportAllocs()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		to := newBare(b, "to", codec)
		to.SetPeer(now, "from", engine.PeerAlive)
		from.SetPeer(now, "to", engine.PeerRemoved)
		now = now.Add(10 * time.Second)
		queue := to.Tick(now).Send
		for len(queue) > 0 {
			env := queue[0]
			queue = queue[1:]
			encoded = codec.Append(encoded[:0], env.Message)
			bytes += len(encoded)
			m, err := decoder.Decode(encoded)
			if err != nil {
				b.Fatal(err)
			}
			dst := from
			if env.To == "to" {
				dst = to
			}
			out, err := dst.Step(now, m)
			if err != nil {
				b.Fatal(err)
			}
			queue = append(queue, out.Send...)
		}
		if got := to.m.Len(); got != n {
			b.Fatalf("%d keys, want %d", got, n)
		}
	}
	runtime.ReadMemStats(&after)
	updates := float64(b.N) * n
	b.ReportMetric(updates/b.Elapsed().Seconds(), "updates/s")
	b.ReportMetric(float64(bytes)/updates, "wire-B/update")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/updates, "allocs/update")
}

// BenchmarkWrite is a local write of a new key.
func BenchmarkWrite(b *testing.B) {
	e := newBare(b, "n", wire.New("bench"))
	b.ReportAllocs()
	now := time.UnixMilli(1_700_000_000_000)
	value := make([]byte, 100)
	i := 0
	for b.Loop() {
		d := model.Draft{Key: fmt.Appendf(nil, "key-%016d", i), Value: value}
		if _, err := e.Write(now, "map", []model.Draft{d}); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkHeapPerKey tells what a key costs beyond its key and value when there
// are a million of them.
func BenchmarkHeapPerKey(b *testing.B) {
	const n = 1_000_000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		e := newBare(b, "n", wire.New("bench"))
		e.fill(b, time.UnixMilli(1_700_000_000_000), n)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n-120, "heap-B/key")
		runtime.KeepAlive(e)
	}
}

// BenchmarkCollect collects a million tombstones. ms/call is how long one call takes,
// during which readers wait; ns/tombstone is without the waiting between calls.
func BenchmarkCollect(b *testing.B) {
	const n = 1_000_000
	now := time.UnixMilli(1_700_000_000_000)
	var calls int
	var took, longest time.Duration
	for b.Loop() {
		b.StopTimer()
		e := newBare(b, "n", wire.New("bench"))
		for i := range n {
			d := model.Draft{Key: fmt.Appendf(nil, "key-%016d", i), Kind: model.Tombstone}
			if _, err := e.Write(now.Add(time.Duration(i)*10*time.Microsecond), "map", []model.Draft{d}); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
		for more := true; more; calls++ {
			begin := time.Now()
			more = e.CollectSome(^clock.Timestamp(0))
			d := time.Since(begin)
			took, longest = took+d, max(longest, d)
		}
		if left := e.Spaces()[0].Tombstones; left > 0 {
			b.Fatalf("%d tombstones are left", left)
		}
	}
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N)/n, "ns/tombstone")
	b.ReportMetric(took.Seconds()*1e3/float64(calls), "ms/call")
	b.ReportMetric(longest.Seconds()*1e3, "ms/longest-call")
}

// BenchmarkScrub is what a node with so many keys looks at again in each exchange that
// finds equal vectors.
func BenchmarkScrub(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint("keys=", n), func(b *testing.B) {
			e := newBare(b, "n", wire.New("bench"))
			e.fill(b, time.UnixMilli(1_700_000_000_000), n)
			b.ReportAllocs()
			for b.Loop() {
				e.Scrub()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*min(n, engine.ScrubUpdates)), "ns/update")
			if e.Stats().Damaged > 0 {
				b.Fatal("something is damaged")
			}
		})
	}
}
