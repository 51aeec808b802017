package gossip_test

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// These tests use real sockets and real time.

func start(t *testing.T, cfg gossip.Config) (*gossip.Node, *model.Map[string]) {
	t.Helper()
	cfg.Bind = cmp.Or(cfg.Bind, "127.0.0.1:0")
	cfg.Key = []byte("0123456789abcdef")
	n, err := gossip.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	m := new(model.Map[string])
	if err := n.Attach("s", m); err != nil {
		t.Fatal(err)
	}
	return n, m
}

func waitFor(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(5 * time.Millisecond) { // pace of polling real sockets
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

func TestSockets(t *testing.T) {
	registry := prometheus.NewRegistry()
	a, am := start(t, gossip.Config{Name: "a", Metrics: registry})
	seeds := []string{a.Status().Addr}
	b, bm := start(t, gossip.Config{Name: "b", Join: seeds, Metrics: registry})

	if _, err := gossip.Start(t.Context(), gossip.Config{
		Name: "a", Bind: "127.0.0.1:0", Join: seeds, Key: []byte("0123456789abcdef"),
	}); !errors.Is(err, gossip.ErrNameTaken) {
		t.Errorf("second node of one name: %v, want ErrNameTaken", err)
	}

	ctx := t.Context()
	large := strings.Repeat("v", 900<<10) // a stream's message
	if err := am.Set(ctx, "large", large); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if err := am.Set(ctx, fmt.Sprint(i), "v"); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, 20*time.Second, "b has all", func() bool { return bm.Len() == 101 })
	if v, _ := bm.Get("large"); v != large {
		t.Errorf("the large value has %d bytes, want %d", len(v), len(large))
	}
	if families, err := registry.Gather(); err != nil || len(families) < 20 {
		t.Errorf("%d metrics, %v", len(families), err)
	}
	if err := bm.Set(ctx, "last", "words"); err != nil {
		t.Fatal(err)
	}
	if err := b.Leave(ctx); err != nil {
		t.Error(err)
	}
	if v, _ := am.Get("last"); v != "words" {
		t.Error("Leave did not hand over the last write")
	}
	waitFor(t, 10*time.Second, "a knows that b left", func() bool {
		for _, m := range a.Members() {
			if m.Name == "b" {
				return m.State == transport.Left
			}
		}
		return true
	})
}

// Two nodes that leave at the same moment, both with something new, do not wait
// for each other: at least one of a few tries is prompt, on a busy machine, too.
func TestLeaveTogether(t *testing.T) {
	const prompt = 500 * time.Millisecond
	quickest := time.Hour
	for range 5 {
		if quickest = min(quickest, leaveTogether(t)); quickest <= prompt {
			return
		}
	}
	t.Errorf("leaving took %v at best, want at most %v", quickest, prompt)
}

// leaveTogether returns how long it takes until both of two nodes have left.
func leaveTogether(t *testing.T) time.Duration {
	t.Helper()
	a, am := start(t, gossip.Config{Name: "a"})
	b, bm := start(t, gossip.Config{Name: "b", Join: []string{a.Status().Addr}})
	waitFor(t, 10*time.Second, "they know each other", func() bool { return a.Status().Peers*b.Status().Peers == 1 })
	for _, m := range []*model.Map[string]{am, bm} {
		if err := m.Set(t.Context(), "last", "words"); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	var wg sync.WaitGroup
	for _, n := range []*gossip.Node{a, b} {
		wg.Go(func() {
			if err := n.Leave(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return time.Since(begin)
}

// A restarted node is another replica: it gets back what it wrote before.
func TestRestart(t *testing.T) {
	a, am := start(t, gossip.Config{Name: "a"})
	seeds := []string{a.Status().Addr}
	b, bm := start(t, gossip.Config{Name: "b", Join: seeds})
	if err := bm.Set(t.Context(), "k", "first life"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 10*time.Second, "a has it", func() bool { return am.Len() == 1 })
	addr := b.Status().Addr
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	_, bm = start(t, gossip.Config{Name: "b", Bind: addr, Join: seeds})
	waitFor(t, 20*time.Second, "b has it again", func() bool { return bm.Len() == 1 })
	if err := bm.Set(t.Context(), "k", "second life"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 20*time.Second, "a has the new one", func() bool {
		v, _ := am.Get("k")
		return v == "second life"
	})
}

func TestStartErrors(t *testing.T) {
	a, _ := start(t, gossip.Config{Name: "a"})
	if n, err := gossip.Start(t.Context(), gossip.Config{Name: "b", Bind: a.Status().Addr}); err == nil {
		n.Close()
		t.Error("two nodes listen at one address")
	}
	registry := prometheus.NewRegistry()
	start(t, gossip.Config{Name: "c", Metrics: registry})
	if n, err := gossip.Start(t.Context(), gossip.Config{Name: "c", Bind: "127.0.0.1:0", Metrics: registry}); err == nil {
		n.Close()
		t.Error("two nodes of one name share a registry")
	}
}
