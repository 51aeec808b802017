package engine_test

import (
	"fmt"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// BenchmarkPack packs one stream message of 128 KiB.
func BenchmarkPack(b *testing.B) {
	for _, backlog := range []struct{ replicas, updates int }{{128, 100}, {1, 100_000}} {
		e, _ := equalBacklogs(b, engine.Hybrid, backlog.replicas, backlog.updates)
		for _, o := range orders {
			b.Run(fmt.Sprintf("%dx%d/%v", backlog.replicas, backlog.updates, o), func(b *testing.B) {
				e.SetOrder(o)
				b.ReportAllocs()
				for seed := int64(0); b.Loop(); seed++ {
					m := message(engine.Push, 1)
					if e.Pack(seed, m, nil, 128<<10) < 127<<10 {
						b.Fatal("the message is not full")
					}
				}
			})
		}
	}
}
