package swim_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
)

// pen fails a test with what is logged as a warning or worse.
type pen struct {
	mu sync.Mutex
	t  *testing.T // nil: the test is over
}

func (p *pen) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.t != nil {
		p.t.Errorf("logged: %s", b)
	}
	return len(b), nil
}

// TestQuiet: what happens in the life of every cluster is nothing to warn of.
func TestQuiet(t *testing.T) {
	t.Parallel()
	p := &pen{t: t}
	t.Cleanup(func() { // after all nodes are stopped
		p.mu.Lock()
		defer p.mu.Unlock()
		p.t = nil
	})
	log := slog.New(slog.NewTextHandler(p, &slog.HandlerOptions{Level: slog.LevelWarn}))
	config := func(name string, join ...string) swim.Config {
		cfg := fast(name, join...)
		// Probes have the time that they need on a busy machine.
		cfg.ProbeInterval, cfg.ProbeTimeout, cfg.SuspicionMult = 500*time.Millisecond, 450*time.Millisecond, 2
		cfg.Logger = log.With("node", name)
		return cfg
	}
	a := start(t, config("a"))
	c := start(t, config("c", a.Addr()))
	cfg := config("b", a.Addr())
	b := start(t, cfg)
	back := func() {
		t.Helper()
		b = start(t, cfg)
		for _, tr := range []*swim.Transport{a, c} {
			eventually(t, "b is back", func() bool { return has(tr, "b", b.Addr()) })
		}
		await(t, b, "a", transport.Alive)
		await(t, b, "c", transport.Alive)
		reaches(t, a, b, "b")
		reaches(t, b, a, "a")
	}
	await(t, c, "b", transport.Alive)
	cfg.Bind = b.Addr()

	_ = b.Close(context.Background()) // leaves, and comes back
	await(t, a, "b", transport.Left)
	await(t, c, "b", transport.Left)
	back()
	kill(b) // and is back before anybody misses it
	back()
	kill(b)
	await(t, a, "b", transport.Failed)
	await(t, c, "b", transport.Failed)
	back()
	kill(b) // and comes back elsewhere, while the others believe the old one
	cfg.Bind = "127.0.0.1:0"
	back()

	for _, seed := range []string{a.Addr(), c.Addr()} {
		if _, err := swim.Start(context.Background(), config("c", seed)); !errors.Is(err, swim.ErrNameTaken) {
			t.Errorf("Start of a second c: %v, want %v", err, swim.ErrNameTaken)
		}
	}
	for range 10 { // somebody looks whether the port is open, or stops just then
		c, err := net.Dial("tcp", a.Addr())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	}
	reaches(t, b, a, "a")
	if n := a.Counters()["reject_label"]; n != 0 {
		t.Errorf("%d connections without a word count as of another cluster", n)
	}
	var wg sync.WaitGroup
	for _, tr := range []*swim.Transport{a, b, c} {
		wg.Go(func() { _ = tr.Close(context.Background()) })
	}
	wg.Wait()
}
