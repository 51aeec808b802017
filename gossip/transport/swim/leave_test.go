package swim_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
)

// prompt is how long leaving may take over loopback.
const prompt = 500 * time.Millisecond

// TestLeaveTogether: nodes that leave at the same moment, some or all of them, do
// not wait for each other, and who stays hears of all.
func TestLeaveTogether(t *testing.T) {
	for _, tt := range []struct{ nodes, leave int }{{2, 1}, {2, 2}, {3, 2}, {5, 5}, {8, 4}} {
		t.Run(fmt.Sprintf("%d of %d", tt.leave, tt.nodes), func(t *testing.T) {
			t.Parallel()
			var nodes []*swim.Transport
			for i := range tt.nodes {
				cfg := swim.Config{Name: fmt.Sprint("n", i), Bind: "127.0.0.1:0", PushPullInterval: time.Second}
				if i > 0 {
					cfg.Join = []string{nodes[0].Addr()}
				}
				nodes = append(nodes, start(t, cfg))
			}
			for _, tr := range nodes {
				for i := range nodes {
					await(t, tr, fmt.Sprint("n", i), transport.Alive)
				}
			}
			var wg sync.WaitGroup
			for i, tr := range nodes[:tt.leave] {
				wg.Go(func() {
					begin := time.Now()
					_ = tr.Close(context.Background())
					if took := time.Since(begin); took > prompt {
						t.Errorf("n%d took %v to leave, want at most %v", i, took, prompt)
					}
				})
			}
			wg.Wait()
			for _, tr := range nodes[tt.leave:] {
				for i := range tt.leave {
					await(t, tr, fmt.Sprint("n", i), transport.Left)
				}
			}
		})
	}
}

// TestLeaveWithSilentPeer: who does not answer holds up nobody who leaves, once
// somebody else has.
func TestLeaveWithSilentPeer(t *testing.T) {
	a := start(t, fast("a"))
	b := start(t, fast("b", a.Addr()))
	c := start(t, fast("c", a.Addr()))
	await(t, c, "a", transport.Alive)
	await(t, c, "b", transport.Alive)
	await(t, b, "c", transport.Alive)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c.Route(func(addr string) string {
		if addr == b.Addr() {
			return silent.Addr().String()
		}
		return addr
	})
	begin := time.Now()
	_ = c.Close(context.Background())
	if took := time.Since(begin); took > prompt {
		t.Errorf("leaving took %v, want at most %v", took, prompt)
	}
	await(t, a, "c", transport.Left)
	await(t, b, "c", transport.Left)
}
