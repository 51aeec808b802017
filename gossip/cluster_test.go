package gossip

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// peer is a node with one map, on a network in memory.
type peer struct {
	*Node
	m model.Map[string]
}

// startOn starts a node on net, with a map in space "s", closed when the test
// ends. It must run inside a synctest bubble.
func startOn(t *testing.T, net *memnet.Network, name string, change ...func(*Config)) *peer {
	t.Helper()
	p := &peer{Node: startBare(t, net, name, change...)}
	if err := p.Attach("s", &p.m); err != nil {
		t.Fatal(err)
	}
	return p
}

func startBare(t *testing.T, net *memnet.Network, name string, change ...func(*Config)) *Node {
	t.Helper()
	endpoint, err := net.Join(name)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Name: name, Transport: endpoint, Seed: int64(len(name)) + int64(name[len(name)-1])}
	for _, f := range change {
		f(&cfg)
	}
	n, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() }) // the test may have closed it
	return n
}

// eventually waits, in the bubble's time, until ok; the test fails after limit.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) { // virtual time
		synctest.Wait()
		if ok() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// check reports broken invariants of a node's engine.
func (n *Node) check() error {
	n.order.Lock()
	defer n.order.Unlock()
	defer n.mu.RUnlock(n.mu.RLock())
	if err := n.engine.Check(); err != nil {
		return fmt.Errorf("%s: %w", n.cfg.Name, err)
	}
	return nil
}

func set(t *testing.T, m *model.Map[string], key, value string) {
	t.Helper()
	if err := m.Set(context.Background(), key, value); err != nil {
		t.Fatalf("Set(%q): %v", key, err)
	}
}

// has returns a condition: the map shows value for key; an empty value means
// that the key is absent.
func has(m *model.Map[string], key, value string) func() bool {
	return func() bool {
		v, ok := m.Get(key)
		return v == value && ok == (value != "")
	}
}
