package gossip_test

import (
	"errors"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Two processes of one name that could not see each other when they started: when
// a third connects them the later one stops by itself and says why; the earlier one
// goes on, and nobody else is disturbed.
func TestNamesakesMeetLater(t *testing.T) {
	first, firstMap := startQuick(t, "x")
	later, laterMap := startQuick(t, "x")
	ctx := t.Context()
	if err := errors.Join(firstMap.Set(ctx, "first", "v"), laterMap.Set(ctx, "later", "v")); err != nil {
		t.Fatal(err)
	}
	c, cMap := startQuick(t, "c", first.Status().Addr)
	_, dMap := startQuick(t, "d", c.Status().Addr, later.Status().Addr)

	select {
	case <-later.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("the later x goes on")
	}
	if err := later.Err(); !errors.Is(err, gossip.ErrNameTaken) || !errors.Is(err, gossip.ErrClosed) {
		t.Errorf("later.Err() = %v, want ErrNameTaken and ErrClosed", err)
	}
	if err := laterMap.Set(ctx, "k", "v"); !errors.Is(err, gossip.ErrNameTaken) {
		t.Errorf("Set on the later x: %v, want ErrNameTaken", err)
	}
	if err := first.Err(); err != nil {
		t.Errorf("the first x stopped: %v", err)
	}
	if err := firstMap.Set(ctx, "after", "v"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 20*time.Second, "c and d have what the first x writes", func() bool {
		_, one := cMap.Get("after")
		_, two := dMap.Get("after")
		return one && two
	})
	if n, err := gossip.Start(ctx, gossip.Config{
		Name: "x", Bind: "127.0.0.1:0", Join: []string{c.Status().Addr},
	}); !errors.Is(err, gossip.ErrNameTaken) {
		t.Errorf("Start of another x: %v, %v, want ErrNameTaken", n, err)
	}
}

// startQuick starts a node whose membership exchanges lists every second.
func startQuick(t *testing.T, name string, join ...string) (*gossip.Node, *model.Map[string]) {
	t.Helper()
	cfg := swimConfig(name)
	cfg.Join = join
	n, err := gossip.Start(t.Context(), gossip.Config{Name: name, Transport: startSwim(t, cfg)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() }) // it may have stopped
	m := new(model.Map[string])
	if err := n.Attach("s", m); err != nil {
		t.Fatal(err)
	}
	return n, m
}
