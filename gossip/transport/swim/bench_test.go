package swim_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
)

// BenchmarkSend has one node send to another as fast as its queue takes it, with
// encryption.
func BenchmarkSend(b *testing.B) {
	for _, size := range []int{100, 1000, 100_000, 1 << 20} {
		b.Run(fmt.Sprintf("stream/%d", size), func(b *testing.B) {
			cfg := swim.Config{Name: "a", Bind: "127.0.0.1:0", Key: make([]byte, 16)}
			from, err := swim.Start(context.Background(), cfg)
			if err != nil {
				b.Fatal(err)
			}
			defer kill(from)
			cfg.Name, cfg.Join = "b", []string{from.Addr()}
			to, err := swim.Start(context.Background(), cfg)
			if err != nil {
				b.Fatal(err)
			}
			defer kill(to)
			awaitMember(from, "b")
			b.SetBytes(int64(size))
			b.ResetTimer()
			const window = 64 // messages on their way
			sent := 0
			for got := 0; got < b.N; got++ {
				for ; sent < b.N && sent-got < window; sent++ {
					if err := from.Send("b", transport.Stream, make([]byte, size)); errors.Is(err, transport.ErrQueueFull) {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
				<-to.Receive()
			}
			b.ReportMetric(float64(from.Counters()["tcp_bytes_out"])/float64(b.N*size), "wire/payload")
		})
	}
}

func awaitMember(tr transport.Transport, name string) {
	for {
		list, changed := tr.Members()
		for _, m := range list {
			if m.Name == name {
				return
			}
		}
		<-changed
	}
}
