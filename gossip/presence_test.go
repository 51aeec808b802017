package gossip

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

const (
	testDetect      = time.Second
	testRemoveAfter = time.Minute
)

// startRole starts a node that says what it is, with a presence of its own.
func startRole(t *testing.T, net *memnet.Network, name, role string) (*Node, *model.Presence[string]) {
	t.Helper()
	n := startBare(t, net, name, func(c *Config) {
		c.RemoveAfter, c.Metadata = testRemoveAfter, []byte(role)
	})
	m := new(model.Presence[string])
	attach(t, n, "roles", m)
	if err := m.Set(t.Context(), role); err != nil {
		t.Fatal(err)
	}
	return n, m
}

// roles is what a presence shows.
func roles(m *model.Presence[string]) string {
	var all []string
	for node, role := range m.All() {
		all = append(all, node+"="+role)
	}
	return strings.Join(all, " ")
}

// metadata is what nodes say of themselves, as a node sees it.
func metadata(n *Node) string {
	var all []string
	for _, m := range n.Members() {
		if m.Metadata != nil {
			all = append(all, fmt.Sprintf("%s=%s", m.Name, m.Metadata))
		}
	}
	return strings.Join(all, " ")
}

// retained counts what a node holds of a space: values, and withdrawals.
func (n *Node) retained(space string) (values, withdrawals int) {
	defer n.mu.RUnlock(n.mu.RLock())
	for _, s := range n.engine.Spaces() {
		if s.Space == space {
			return s.Updates - s.Tombstones, s.Tombstones
		}
	}
	return 0, 0
}

// A value is hidden when its node fails, and shown again when it returns; when it is
// gone for good nothing is kept but a withdrawal; and what returns after that sets its
// value again by itself.
func TestPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{DetectAfter: testDetect})
		a, ofA := startRole(t, net, "a", "web")
		b, ofB := startRole(t, net, "b", "db")
		c, ofC := startRole(t, net, "c", "web")
		show := func(what string, m *model.Presence[string], n *Node, want string) {
			t.Helper()
			eventually(t, 20*time.Second, fmt.Sprintf("%s: %s shows %s", what, n.cfg.Name, want), func() bool {
				return roles(m) == want && metadata(n) == want
			})
		}
		const all = "a=web b=db c=web"
		for _, n := range []struct {
			*Node
			m *model.Presence[string]
		}{{a, ofA}, {b, ofB}, {c, ofC}} {
			show("at first", n.m, n.Node, all)
		}
		net.Partition([]string{"a", "b"}, []string{"c"})
		show("cut off", ofB, b, "a=web b=db")
		show("cut off", ofC, c, "c=web")
		net.Heal()
		show("healed", ofB, b, all)
		show("healed", ofC, c, all)

		net.Partition([]string{"a", "b"}, []string{"c"})
		for _, n := range []*Node{a, b, c} {
			eventually(t, 2*testRemoveAfter, n.cfg.Name+" withdraws who is gone", func() bool {
				values, withdrawals := n.retained("roles")
				return values+withdrawals == 3 && withdrawals == map[bool]int{true: 2, false: 1}[n == c]
			})
		}
		net.Heal()
		show("back for good", ofA, a, all)
		show("back for good", ofB, b, all)
		show("back for good", ofC, c, all)
		for _, n := range []*Node{a, b, c} {
			if err := n.check(); err != nil {
				t.Error(err)
			}
		}
	})
}

// A node that starts again is not what it was; a node that leaves is withdrawn at once.
func TestPresenceOfLaterLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{DetectAfter: testDetect})
		a, ofA := startRole(t, net, "a", "web")
		b, _ := startRole(t, net, "b", "db")
		eventually(t, 20*time.Second, "b is there", func() bool { return roles(ofA) == "a=web b=db" })
		net.Crash("b")
		<-b.Done()
		eventually(t, 20*time.Second, "b is gone", func() bool { return roles(ofA) == "a=web" })
		b = startBare(t, net, "b")
		var ofB model.Presence[string]
		attach(t, b, "roles", &ofB)
		eventually(t, 20*time.Second, "b's earlier life is withdrawn", func() bool {
			values, withdrawals := a.retained("roles")
			return values == 1 && withdrawals == 1 && roles(&ofB) == "a=web" && metadata(a) == "a=web"
		})
		if err := b.SetMetadata(t.Context(), []byte("cache")); err != nil {
			t.Fatal(err)
		}
		if err := ofB.Set(t.Context(), "cache"); err != nil {
			t.Fatal(err)
		}
		eventually(t, 20*time.Second, "b says what it is", func() bool { return roles(ofA) == "a=web b=cache" && metadata(a) == roles(ofA) })
		if err := b.SetMetadata(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, 20*time.Second, "b says nothing", func() bool { return metadata(a) == "a=web" })
		if err := b.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, 20*time.Second, "b is withdrawn", func() bool {
			values, _ := a.retained("roles")
			return values == 1 && roles(ofA) == "a=web"
		})
	})
}

// A presence that is detached is left alone.
func TestDetachedPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, ofA := startRole(t, memnet.New(memnet.Config{}), "a", "web")
		if err := a.Detach("roles"); err != nil {
			t.Fatal(err)
		}
		if err := a.Detach(metadataSpace); !errors.Is(err, ErrNotAttached) {
			t.Errorf("Detach of the node's own space: %v", err)
		}
		if got := roles(ofA); got != "" || metadata(a) != "a=web" {
			t.Errorf("%q, %q, want nothing but the metadata", got, metadata(a))
		}
		if err := a.tendAll(t.Context()); err != nil {
			t.Errorf("it is tended: %v", err)
		}
	})
}

// MemberEvents says when a node says something else of itself, and a watch of a
// presence who comes and goes.
func TestPresenceEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{DetectAfter: testDetect})
		a, ofA := startRole(t, net, "a", "web")
		var last, lastChange atomic.Value
		go func() {
			for e := range a.MemberEvents(t.Context()) {
				if e.Name == "b" {
					last.Store(fmt.Sprintf("%v %s", e.State, e.Metadata))
				}
			}
		}()
		go func() {
			for c := range ofA.Watch(t.Context(), model.WatchConfig{Prefix: "b"}) {
				lastChange.Store(fmt.Sprintf("%s %t", c.Value, c.Gone))
			}
		}()
		synctest.Wait() // both have begun
		b, ofB := startRole(t, net, "b", "db")
		seen := func(what, event, change string) {
			t.Helper()
			eventually(t, 20*time.Second, what, func() bool {
				return last.Load() == event && lastChange.Load() == change
			})
		}
		seen("it comes", "alive db", "db false")
		if err := b.SetMetadata(t.Context(), []byte("cache")); err != nil {
			t.Fatal(err)
		}
		if err := ofB.Set(t.Context(), "cache"); err != nil {
			t.Fatal(err)
		}
		seen("it changes", "alive cache", "cache false")
		net.Partition([]string{"a"}, []string{"b"})
		seen("it goes", "failed ", " true")
		net.Heal()
		seen("it is back", "alive cache", "cache false")
		_ = a.Close()
		synctest.Wait()
	})
}

func TestMetadataIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		endpoint, err := net.Join("a")
		if err != nil {
			t.Fatal(err)
		}
		defer endpoint.Close(t.Context())
		_, err = Start(t.Context(), Config{Name: "a", Transport: endpoint, MaxUpdate: 1 << 10, Metadata: make([]byte, 2<<10)})
		if err == nil || !strings.Contains(err.Error(), "Config.Metadata") {
			t.Errorf("Start = %v, want an error that names Config.Metadata", err)
		}
	})
}

// The node's own spaces are not for others.
func TestReservedNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startBare(t, memnet.New(memnet.Config{}), "a", func(c *Config) { c.Metadata = []byte("x") })
		var m model.Map[string]
		if err := a.Attach("gossip:metadata", &m); err == nil || !strings.Contains(err.Error(), "gossip:") {
			t.Errorf("Attach = %v", err)
		}
		if s := a.Status().Spaces; len(s) != 0 {
			t.Errorf("spaces %v, want none that was attached by somebody else", s)
		}
	})
}
