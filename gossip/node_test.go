package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

func TestTwoNodesReplicate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		a, b := startOn(t, net, "a"), startOn(t, net, "b")
		set(t, &a.m, "k", "v")
		if !has(&a.m, "k", "v")() {
			t.Error("a write does not show at once where it was made")
		}
		eventually(t, 5*time.Second, "b has a's write", has(&b.m, "k", "v"))
		set(t, &b.m, "k", "w")
		eventually(t, 5*time.Second, "a has b's overwrite", has(&a.m, "k", "w"))
		if err := a.m.Delete(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
		eventually(t, 5*time.Second, "b has a's delete", has(&b.m, "k", ""))
		for _, n := range []*peer{a, b} {
			if err := n.check(); err != nil {
				t.Error(err)
			}
			s := n.Status()
			if !s.Clean || s.Pending != 0 || s.Vector.Len() != 2 || s.Peers != 1 || s.Self.Node != n.cfg.Name || s.Addr == "" {
				t.Errorf("status %+v", s)
			}
			if len(s.Spaces) != 1 || s.Spaces[0].Tombstones != 1 || s.Spaces[0].Updates != 1 {
				t.Errorf("spaces %+v, want one with one tombstone", s.Spaces)
			}
		}
	})
}

// A write wakes a node that has slowed down: what is fresh need not wait for
// the next round of a quiet cluster.
func TestWriteWakesTheTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		a, b := startOn(t, net, "a"), startOn(t, net, "b")
		set(t, &b.m, "first", "v")
		time.Sleep(10 * time.Minute) // virtual time
		set(t, &a.m, "k", "v")
		eventually(t, 100*time.Millisecond, "b has the write", has(&b.m, "k", "v"))
	})
}

func TestLateJoinerGetsAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		a, b := startOn(t, net, "a"), startOn(t, net, "b")
		value := strings.Repeat("v", 1000)
		for i := range 3000 { // several budgets
			set(t, &a.m, fmt.Sprint("a", i), value)
			set(t, &b.m, fmt.Sprint("b", i%100), value+fmt.Sprint(i))
		}
		time.Sleep(time.Minute) // virtual time
		c := startOn(t, net, "c")
		eventually(t, time.Minute, "c has all", func() bool { return c.m.Len() == 3100 })
		eventually(t, time.Minute, "all agree", agree(a, b, c))
	})
}

func TestSpaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		a, b, c := startBare(t, net, "a"), startBare(t, net, "b"), startBare(t, net, "c")
		var textA, textB model.Map[string]
		var numA, numC model.Map[int]
		attach(t, a, "text", &textA)
		attach(t, a, "num", &numA)
		attach(t, b, "text", &textB)
		attach(t, c, "num", &numC)
		set(t, &textA, "k", "v")
		if err := numA.Set(t.Context(), "k", 7); err != nil {
			t.Fatal(err)
		}
		eventually(t, 10*time.Second, "each space has its own", func() bool {
			n, _ := numC.Get("k")
			return has(&textB, "k", "v")() && n == 7
		})
		time.Sleep(10 * time.Second) // virtual time
		// a is gone: c attaches what it has only relayed.
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		var textC model.Map[string]
		attach(t, c, "text", &textC)
		if !has(&textC, "k", "v")() {
			t.Error("attaching late does not show what is known")
		}
		if err := c.Attach("text", new(model.Map[string])); !errors.Is(err, ErrAttached) {
			t.Errorf("second Attach: %v, want ErrAttached", err)
		}
		if err := c.Attach("other", &textC); err == nil {
			t.Error("one handle was attached twice")
		}
		for _, bad := range []string{"", strings.Repeat("s", 129), "\xff"} {
			if err := c.Attach(bad, new(model.Map[string])); err == nil {
				t.Errorf("attached a space with the name %q", bad)
			}
		}
	})
}

// A handle that was refused can be attached elsewhere.
func TestRefusedAttachDoesNotBind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startOn(t, memnet.New(memnet.Config{}), "a")
		var m model.Map[string]
		if err := a.Attach("s", &m); !errors.Is(err, ErrAttached) {
			t.Fatalf("Attach: %v, want ErrAttached", err)
		}
		attach(t, a.Node, "other", &m)
	})
}

func attach(t *testing.T, n *Node, space string, h model.Handle) {
	t.Helper()
	if err := n.Attach(space, h); err != nil {
		t.Fatal(err)
	}
}

func TestTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		small := func(c *Config) { c.MaxUpdate = 4096; c.Budget = 512 }
		a, b := startOn(t, net, "a", small), startOn(t, net, "b", small)
		set(t, &a.m, "before", "v")
		if err := a.m.Set(t.Context(), "k", strings.Repeat("v", 4096)); !errors.Is(err, ErrTooLarge) {
			t.Fatalf("Set: %v, want ErrTooLarge", err)
		}
		if a.m.Len() != 1 || a.Status().Stats.UpdatesWritten != 1 {
			t.Error("a refused write left something")
		}
		// Larger than the budget, and than a datagram: it passes all the same.
		set(t, &a.m, "large", strings.Repeat("v", 3500))
		set(t, &a.m, "after", "v")
		eventually(t, 10*time.Second, "b has all three", func() bool { return b.m.Len() == 3 })
	})
}

func TestClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		a, b := startOn(t, net, "a"), startOn(t, net, "b")
		set(t, &a.m, "k", "v")
		time.Sleep(5 * time.Second) // virtual time
		var late []MemberEvent
		done := make(chan struct{})
		go func() {
			defer close(done)
			for e := range a.MemberEvents(context.Background()) {
				late = append(late, e)
			}
		}()
		synctest.Wait()
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		<-done // events end
		for name, err := range map[string]error{
			"Close":  a.Close(),
			"Leave":  a.Leave(t.Context()),
			"Attach": a.Attach("t", new(model.Map[int])),
			"Set":    a.m.Set(t.Context(), "k", "v"),
			"Delete": a.m.Delete(t.Context(), "k"),
		} {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("%s: %v, want ErrClosed", name, err)
			}
		}
		if !has(&a.m, "k", "v")() || len(a.Members()) != 0 || a.Status().Self.Node != "a" {
			t.Error("a closed node cannot be read")
		}
		for range a.MemberEvents(t.Context()) {
			t.Error("a closed node has events")
		}
		eventually(t, 10*time.Second, "b sees a fail", func() bool { return state(b, "a") == transport.Failed })
	})
}

func TestContextOfWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startOn(t, memnet.New(memnet.Config{}), "a")
		if err := a.m.Set(canceled(), "k", "v"); !errors.Is(err, context.Canceled) {
			t.Errorf("Set: %v, want the context's error", err)
		}
		if a.m.Len() != 0 {
			t.Error("a cancelled write was made")
		}
	})
}

// Readers, writers and gossip at once; run with -race.
func TestConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{Faults: memnet.Faults{MaxDelay: 5 * time.Millisecond}})
		fast := func(c *Config) { c.Interval = 20 * time.Millisecond }
		peers := []*peer{startOn(t, net, "a", fast), startOn(t, net, "b", fast), startOn(t, net, "c", fast)}
		var wg sync.WaitGroup
		for i, p := range peers {
			for g := range 3 {
				wg.Go(func() {
					for k := range 60 {
						key := fmt.Sprint(k % 20)
						switch (k + g + i) % 5 {
						case 0:
							_ = p.m.Delete(t.Context(), key)
						case 1:
							p.m.Get(key)
						case 2:
							for range p.m.All() {
								p.m.Len()
							}
						default:
							_ = p.m.Set(t.Context(), key, fmt.Sprint(i, g, k))
						}
						p.Status()
						p.Members()
						time.Sleep(time.Millisecond) // virtual time
					}
				})
			}
		}
		wg.Wait()
		eventually(t, 20*time.Second, "all agree", agree(peers...))
	})
}

// agree returns a condition: all nodes are clean, know the same, and show the same.
func agree(peers ...*peer) func() bool {
	return func() bool {
		first := peers[0].Status()
		for _, p := range peers {
			s := p.Status()
			if !s.Clean || s.Vector.String() != first.Vector.String() || fmt.Sprint(s.Spaces) != fmt.Sprint(first.Spaces) {
				return false
			}
		}
		return true
	}
}

func state(p *peer, name string) transport.State {
	for _, m := range p.Members() {
		if m.Name == name {
			return m.State
		}
	}
	return transport.State(255)
}

// What other clusters, other versions and broken programs send changes nothing,
// is counted, and is logged once.
func TestForeignMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		var log bytes.Buffer
		a := startOn(t, net, "a", func(c *Config) {
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		other := startOn(t, net, "b", func(c *Config) { c.Cluster = "other" })
		limit := startOn(t, net, "c", func(c *Config) { c.MaxUpdate = 1 << 19 })
		set(t, &other.m, "k", "other")
		set(t, &limit.m, "k", "limit")
		broken, err := net.Join("d")
		if err != nil {
			t.Fatal(err)
		}
		defer broken.Close(t.Context())
		for range 10 {
			for _, msg := range []string{"", "junk", "\xdf\xff\xff\xff\xff", strings.Repeat("\x91", 1000)} {
				if err := broken.Send("a", transport.Stream, []byte(msg)); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(time.Minute) // virtual time
		synctest.Wait()         // nobody writes to the log
		for _, r := range []reason{otherCluster, refused, malformed} {
			if a.counters.dropped[r].Load() == 0 {
				t.Errorf("no message was dropped for reason %v", r)
			}
			if n := strings.Count(log.String(), "reason="+r.String()); n != 1 {
				t.Errorf("reason %v is logged %d times, want once", r, n)
			}
		}
		if s := a.Status(); a.m.Len() != 0 || s.Vector.Len() != 0 {
			t.Errorf("foreign messages changed the state: %v", s.Vector)
		}
		if err := a.Close(); err != nil { // before log is read again
			t.Fatal(err)
		}
	})
}
