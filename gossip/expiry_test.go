package gossip

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// journal is a watch that writes down when it was shown what.
type journal struct {
	mu    sync.Mutex
	lines []string
	ended chan struct{}
}

func keep(ctx context.Context, m *model.Map[string], cfg model.WatchConfig) *journal {
	j := &journal{ended: make(chan struct{})}
	begin := time.Now()
	go func() {
		defer close(j.ended)
		for c := range m.Watch(ctx, cfg) {
			line := fmt.Sprintf("%v %s=%s", time.Since(begin).Round(time.Millisecond), c.Key, c.Value)
			if c.Deleted {
				line = fmt.Sprintf("%v %s gone, was %q, by %q", time.Since(begin).Round(time.Millisecond), c.Key, c.Old, c.Replica.Node)
			}
			j.mu.Lock()
			j.lines = append(j.lines, line)
			j.mu.Unlock()
		}
	}()
	synctest.Wait() // it has begun
	return j
}

// take returns what was written down since the last call.
func (j *journal) take() string {
	synctest.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	s := strings.Join(j.lines, "; ")
	j.lines = nil
	return s
}

// A value is gone on all nodes in the millisecond in which it is due, connected or
// not, for readers and watches alike; nothing else happens then.
func TestExpiryEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		a, b := startOn(t, net, "a"), startOn(t, net, "b")
		if err := a.m.SetTTL(t.Context(), "k", "v", 10*time.Second); err != nil { // it may wait until a is a member
			t.Fatal(err)
		}
		_, due, _ := a.m.GetWithExpiry("k")
		begin := due.Add(-10 * time.Second)
		if off := time.Until(begin).Abs(); off > time.Millisecond { // of several updates in a millisecond the second is due in the next
			t.Errorf("what is written now for 10 s is due %v off", off)
		}
		set(t, &a.m, "stays", "v")
		eventually(t, 5*time.Second, "b has both", func() bool { return b.m.Len() == 2 })
		if v, at, ok := b.m.GetWithExpiry("k"); v != "v" || !ok || !at.Equal(begin.Add(10*time.Second)) {
			t.Errorf("b has %q, %v until %v, want until %v", v, ok, at.Sub(begin), 10*time.Second)
		}
		if _, at, ok := b.m.GetWithExpiry("stays"); !ok || !at.IsZero() {
			t.Errorf("what stays: %v, until %v", ok, at)
		}
		net.SetFaults(memnet.Faults{Loss: 1, Streams: true})
		time.Sleep(time.Until(begin.Add(5 * time.Second))) // virtual time
		watches := []*journal{keep(t.Context(), &a.m, model.WatchConfig{}), keep(t.Context(), &b.m, model.WatchConfig{})}
		time.Sleep(4999 * time.Millisecond) // virtual time
		for i, p := range []*peer{a, b} {
			if got := watches[i].take(); got != "" || p.m.Len() != 2 {
				t.Errorf("%s, a millisecond before: %d keys, %s", p.cfg.Name, p.m.Len(), got)
			}
		}
		time.Sleep(time.Millisecond) // virtual time
		for i, p := range []*peer{a, b} {
			if got, want := watches[i].take(), `5s k gone, was "v", by ""`; got != want {
				t.Errorf("%s has shown %s, want %s", p.cfg.Name, got, want)
			}
			if _, ok := p.m.Get("k"); ok || p.m.Len() != 1 {
				t.Errorf("%s: k is there: %v; %d keys, want 1", p.cfg.Name, ok, p.m.Len())
			}
			for key := range p.m.All() {
				if key != "stays" {
					t.Errorf("%s: All has %q", p.cfg.Name, key)
				}
			}
			if err := p.check(); err != nil {
				t.Error(err)
			}
			if s := p.Status().Spaces[0]; s.Expired != 1 || s.Keys() != 1 {
				t.Errorf("%s: %d expired, %d keys, want 1 and 1", p.cfg.Name, s.Expired, s.Keys())
			}
		}
		time.Sleep(time.Minute) // virtual time
		for _, w := range watches {
			if got := w.take(); got != "" {
				t.Errorf("later: %s", got)
			}
		}
	})
}

// What comes late does not show that it was there; what is written anew does. A watch
// that begins, and a model that is attached, begin without it.
func TestExpiredBeforeItCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		a, b := startOn(t, net, "a"), startOn(t, net, "b")
		relay := startBare(t, net, "relay")
		set(t, &a.m, "k", "old")
		eventually(t, 5*time.Second, "b has it", has(&b.m, "k", "old"))
		net.Partition([]string{"b"})
		if err := a.m.SetTTL(t.Context(), "k", "short", time.Second); err != nil {
			t.Fatal(err)
		}
		_ = a.m.SetTTL(t.Context(), "l", "short", time.Second)
		time.Sleep(2 * time.Second) // virtual time
		w := keep(t.Context(), &b.m, withState)
		net.Heal()
		eventually(t, time.Minute, "b knows what has expired", func() bool { return b.m.Len() == 0 })
		time.Sleep(10 * time.Second) // virtual time
		if got := w.take(); !strings.HasPrefix(got, "0s k=old; ") || !strings.HasSuffix(got, `k gone, was "old", by ""`) || strings.Count(got, ";") != 1 {
			t.Errorf("b has shown %s, want that the old value went", got)
		}
		var late model.Map[string]
		if err := relay.Attach("s", &late); err != nil {
			t.Fatal(err)
		}
		if late.Len() != 0 {
			t.Errorf("attached later: %d keys", late.Len())
		}
		if got := keep(t.Context(), &late, withState).take(); got != "" {
			t.Errorf("attached later, the watch begins with %s", got)
		}
		set(t, &late, "k", "new")
		eventually(t, 5*time.Second, "it is there again", has(&b.m, "k", "new"))
		if err := b.m.Update(t.Context(), "l", func(old string, ok bool) string { return fmt.Sprint(old, ok) }); err != nil {
			t.Fatal(err)
		}
		eventually(t, 5*time.Second, "an update found nothing", has(&a.m, "l", "false"))
	})
}

func TestSetTTLErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startOn(t, memnet.New(memnet.Config{}), "a")
		for _, ttl := range []time.Duration{0, -time.Second} {
			if err := a.m.SetTTL(t.Context(), "k", "v", ttl); err == nil || !strings.Contains(err.Error(), "TTL") || a.m.Len() > 0 {
				t.Errorf("TTL %v: %v, %d keys", ttl, err, a.m.Len())
			}
		}
		if err := a.m.SetTTL(t.Context(), "k", "v", 1<<63-1); err != nil || !has(&a.m, "k", "v")() {
			t.Errorf("the longest TTL: %v", err)
		}
		_ = a.Close()
		if err := a.m.SetTTL(t.Context(), "k", "v", time.Second); !errors.Is(err, ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}
