package gossip_test

import (
	"fmt"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// BenchmarkOverwrite overwrites 1,000 keys of 20 bytes with values of 100, again and again: on a
// node alone, and on one with a link to another, which gets what it can.
func BenchmarkOverwrite(b *testing.B) {
	for _, nodes := range []int{1, 2} {
		b.Run(fmt.Sprint("nodes=", nodes), func(b *testing.B) {
			var maps []*model.Map[[]byte]
			var seeds []string
			for i := range nodes {
				n, err := gossip.Start(b.Context(), gossip.Config{Name: fmt.Sprint("n", i), Bind: "127.0.0.1:0", Join: seeds})
				if err != nil {
					b.Fatal(err)
				}
				defer n.Close()
				seeds = append(seeds, n.Status().Addr)
				maps = append(maps, new(model.Map[[]byte]))
				if err := n.Attach("map", maps[i]); err != nil {
					b.Fatal(err)
				}
			}
			var keys [1000]string
			for i := range keys {
				keys[i] = fmt.Sprintf("key-%016d", i)
			}
			value := make([]byte, 100)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := maps[0].Set(b.Context(), keys[i%len(keys)], value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
