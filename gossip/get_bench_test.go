package gossip_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// BenchmarkGet reads a map of 10,000 keys on all processors while another node writes
// 10,000 times a second. Bytes are the caller's own: each read makes garbage of their
// size.
func BenchmarkGet(b *testing.B) {
	b.Run("string", func(b *testing.B) { benchmarkGet(b, strings.Repeat("v", 100)) })
	b.Run("bytes", func(b *testing.B) { benchmarkGet(b, make([]byte, 100)) })
	b.Run("int", func(b *testing.B) { benchmarkGet(b, 1<<40) })
}

func benchmarkGet[V any](b *testing.B, value V) {
	const (
		keys = 10_000
		rate = 10_000
	)
	net := memnet.New(memnet.Config{Queue: 64})
	var maps [2]model.Map[V]
	for i := range maps {
		endpoint, err := net.Join(fmt.Sprint("node-", i))
		if err != nil {
			b.Fatal(err)
		}
		n, err := gossip.Start(b.Context(), gossip.Config{Name: fmt.Sprint("node-", i), Transport: endpoint, Flow: gossip.FlowOff})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { n.Close() })
		if err := n.Attach("map", &maps[i]); err != nil {
			b.Fatal(err)
		}
	}
	names := make([]string, keys)
	for i := range names {
		names[i] = key("get", i)
		if err := maps[0].Set(b.Context(), names[i], value); err != nil {
			b.Fatal(err)
		}
	}
	for maps[1].Len() < keys {
		time.Sleep(time.Millisecond) // polling a benchmark's start, not ordering events
	}
	ctx, stop := context.WithCancel(b.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			if i%(rate/1000) == 0 {
				select {
				case <-tick.C:
				case <-ctx.Done():
					return
				}
			}
			if err := maps[0].Set(ctx, names[i%keys], value); err != nil && ctx.Err() == nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if i == keys {
				i = 0
			}
			if _, ok := maps[1].Get(names[i]); !ok {
				b.Error("a key is missing")
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
	b.StopTimer()
	stop()
	writer.Wait()
}
