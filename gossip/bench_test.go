package gossip_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// BenchmarkCatchUp is an empty node that gets 100,000 keys of 20 bytes with
// values of 100 over loopback sockets: from the moment at which it may be used
// until it has everything, membership established by Start.
func BenchmarkCatchUp(b *testing.B) {
	const keys = 100_000
	ctx := context.Background()
	seed, err := gossip.Start(ctx, gossip.Config{Name: "seed", Bind: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	defer seed.Close()
	var from model.Map[[]byte]
	if err := seed.Attach("map", &from); err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 100)
	for i := range keys {
		if err := from.Set(ctx, fmt.Sprintf("key-%016d", i), value); err != nil {
			b.Fatal(err)
		}
	}
	var took time.Duration
	for i := 0; b.Loop(); i++ {
		var to model.Map[[]byte]
		n, err := gossip.Start(ctx, gossip.Config{Name: fmt.Sprint("newcomer", i), Bind: "127.0.0.1:0", Join: []string{seed.Status().Addr}})
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		if err := n.Attach("map", &to); err != nil {
			b.Fatal(err)
		}
		for to.Len() < keys {
			time.Sleep(time.Millisecond) // polling a benchmark's end, not ordering events
		}
		took += time.Since(start)
		if err := n.Leave(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(took.Seconds()/float64(b.N), "s/catch-up")
	b.ReportMetric(keys*float64(b.N)/took.Seconds(), "keys/s")
}
