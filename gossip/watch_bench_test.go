package gossip_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// BenchmarkSet is a write to one of 1,000 keys of a node that is alone, watched by
// so many; "others" watch keys with another prefix.
func BenchmarkSet(b *testing.B) {
	for _, tt := range []struct {
		watchers int
		prefix   string
		name     string
	}{{0, "", "watchers=0"}, {1, "", "watchers=1"}, {100, "", "watchers=100"}, {100, "x", "others=100"}} {
		b.Run(tt.name, func(b *testing.B) {
			ctx, cancel := context.WithCancel(context.Background())
			endpoint, err := memnet.New(memnet.Config{}).Join("a")
			if err != nil {
				b.Fatal(err)
			}
			node, err := gossip.Start(ctx, gossip.Config{Name: "a", Transport: endpoint})
			if err != nil {
				b.Fatal(err)
			}
			defer node.Close()
			var m model.Map[[]byte]
			if err := node.Attach("m", &m); err != nil {
				b.Fatal(err)
			}
			keys, value := make([]string, 1000), make([]byte, 100)
			for i := range keys {
				keys[i] = fmt.Sprintf("key-%016d", i)
			}
			var wg sync.WaitGroup
			defer wg.Wait()
			defer cancel()
			_ = m.Set(ctx, "x", value) // shows that they have begun
			_ = m.Set(ctx, "key-first", value)
			begun := make(chan struct{})
			for range tt.watchers {
				wg.Go(func() {
					first := true
					for range m.Watch(ctx, model.WatchConfig{State: true, Prefix: tt.prefix}) {
						if first {
							first = false
							begun <- struct{}{}
						}
					}
				})
			}
			for range tt.watchers {
				<-begun
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := m.Set(ctx, keys[i%len(keys)], value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
