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

// isPrompt fails the test when no try of something takes less than prompt: on a
// busy machine some do not, whatever the code does.
func isPrompt(t *testing.T, try func() time.Duration) {
	t.Helper()
	quickest := time.Hour
	for range 5 {
		if quickest = min(quickest, try()); quickest <= prompt {
			return
		}
	}
	t.Errorf("leaving took %v at best, want at most %v", quickest, prompt)
}

// TestLeaveTogether: nodes that leave at the same moment, some or all of them, do
// not wait for each other, and who stays hears of all.
func TestLeaveTogether(t *testing.T) {
	for _, tt := range []struct{ nodes, leave int }{{2, 1}, {2, 2}, {3, 2}, {5, 5}, {8, 4}} {
		t.Run(fmt.Sprintf("%d of %d", tt.leave, tt.nodes), func(t *testing.T) {
			t.Parallel()
			isPrompt(t, func() time.Duration { return leaveTogether(t, tt.nodes, tt.leave) })
		})
	}
}

// leaveTogether starts nodes, has some leave, and returns how long the slowest
// takes.
func leaveTogether(t *testing.T, size, leave int) time.Duration {
	t.Helper()
	var nodes []*swim.Transport
	for i := range size {
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
	begin := time.Now()
	for _, tr := range nodes[:leave] {
		wg.Go(func() { _ = tr.Close(context.Background()) })
	}
	wg.Wait()
	took := time.Since(begin)
	for _, tr := range nodes[leave:] {
		for i := range leave {
			await(t, tr, fmt.Sprint("n", i), transport.Left)
		}
	}
	return took
}

// TestLeaveWithSilentPeer: who does not answer holds up nobody who leaves, once
// somebody else has.
func TestLeaveWithSilentPeer(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	isPrompt(t, func() time.Duration {
		a := start(t, fast("a"))
		b := start(t, fast("b", a.Addr()))
		c := start(t, fast("c", a.Addr()))
		await(t, c, "a", transport.Alive)
		await(t, c, "b", transport.Alive)
		await(t, b, "c", transport.Alive)
		c.Route(func(addr string) string {
			if addr == b.Addr() {
				return silent.Addr().String()
			}
			return addr
		})
		begin := time.Now()
		_ = c.Close(context.Background())
		took := time.Since(begin)
		await(t, a, "c", transport.Left)
		await(t, b, "c", transport.Left)
		return took
	})
}
