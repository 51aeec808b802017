package gossip

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
)

// drift is how far ahead an update may be (DESIGN §3).
const drift = 10 * time.Minute

// wiretap looks at what nodes say of a replica, and when they say that updates
// were written.
type wiretap struct {
	replica clock.Replica

	mu      sync.Mutex
	marked  map[string]bool          // nodes whose digest marks the replica as held
	carried map[string]int           // updates of the replica that nodes sent
	ahead   map[string]time.Duration // by writer: the most that one of its updates was ahead
}

func tap(net *memnet.Network, r clock.Replica) *wiretap {
	w := &wiretap{replica: r, marked: map[string]bool{}, carried: map[string]int{}, ahead: map[string]time.Duration{}}
	net.Tap(func(from, _ string, _ transport.Channel, msg []byte) {
		if m, err := codec.Decode(msg); err == nil {
			w.hear(from, m)
		}
	})
	return w
}

func (w *wiretap) hear(from string, m *engine.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range m.Digest.Entries {
		if d.Replica == w.replica && m.Kind != engine.Pull {
			w.marked[from] = d.Held
		}
	}
	for _, b := range m.Batches {
		for _, u := range b.Updates {
			if b.Replica == w.replica {
				w.carried[from]++
			}
			w.ahead[b.Replica.Node] = max(w.ahead[b.Replica.Node], time.Until(u.Time.Time()))
		}
	}
}

// A node whose clock is 25 minutes ahead: what it writes is held where it arrives
// and nowhere refused, all else goes on, nobody's clock follows, and after 15
// minutes all show it.
func TestFastClockIsHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const skew = 25 * time.Minute
		net := memnet.New(memnet.Config{Faults: memnet.Faults{Loss: 0.1, MaxDelay: 20 * time.Millisecond}})
		registry := prometheus.NewPedanticRegistry()
		metrics := func(c *Config) { c.Metrics = registry }
		peers := []*peer{startOn(t, net, "a", metrics), startOn(t, net, "b", metrics), startOn(t, net, "c", metrics)}
		a, b, c := peers[0], peers[1], peers[2]
		fast := startPuppet(t, net, "fast", skew, "a", "b", "c")
		self := fast.engine.Self()
		heard := tap(net, self)
		set(t, &a.m, "shared", "before")
		if err := fast.set("shared", "future"); err != nil { // it has heard nobody yet
			t.Fatal(err)
		}
		if err := fast.set("k", "future"); err != nil {
			t.Fatal(err)
		}
		started := time.Now()

		time.Sleep(time.Minute) // virtual time
		if err := fast.set("k", "no"); !errors.Is(err, ErrClock) {
			t.Errorf("a write under a clock %v ahead of all peers: %v, want ErrClock", skew, err)
		}
		for i := range 12 { // up to 13 minutes
			p := peers[i%3]
			set(t, &p.m, fmt.Sprint("other", i), "v")
			time.Sleep(time.Minute) // virtual time
			for _, q := range peers {
				if !has(&q.m, fmt.Sprint("other", i), "v")() || !has(&q.m, "shared", "before")() {
					t.Errorf("%s after %v: other%d missing, or shared not as before", q.cfg.Name, time.Since(started), i)
				}
				if v := q.version(self); v != 0 {
					t.Errorf("%s after %v: version %d of a held replica, want 0", q.cfg.Name, time.Since(started), v)
				}
			}
		}
		metered := scrape(t, registry)
		heard.mu.Lock()
		for _, p := range peers {
			if !heard.marked[p.cfg.Name] {
				t.Errorf("%s does not say that it holds %v back", p.cfg.Name, self)
			}
			if s := p.Status().Stats; s.Held == 0 || s.Held > 3 || s.Forks+s.Mismatches+s.Epochs > 0 {
				t.Errorf("%s held %d batches, want 1 to 3, nothing else: %+v", p.cfg.Name, s.Held, s)
			}
			if n := metered[fmt.Sprintf("scuttlebutt_held_total{node=%q}", p.cfg.Name)]; n == 0 {
				t.Errorf("%s: scuttlebutt_held_total is 0", p.cfg.Name)
			}
			if d := heard.ahead[p.cfg.Name]; d > 2*time.Second {
				t.Errorf("%s wrote %v ahead: it believed the fast clock", p.cfg.Name, d)
			}
		}
		if n := heard.carried["fast"]; n > 12 {
			t.Errorf("updates that all hold back were sent %d times", n)
		}
		heard.mu.Unlock()

		time.Sleep(time.Until(started.Add(skew - drift + 10*time.Second))) // virtual time
		for _, p := range peers {
			if !has(&p.m, "shared", "future")() || !has(&p.m, "k", "future")() || p.version(self) != 2 {
				t.Errorf("%s: %d of 2 held updates applied when their time had come", p.cfg.Name, p.version(self))
			}
		}
		// Its key is theirs only with a clock beyond it: last writer wins (DESIGN §5).
		time.Sleep(drift + time.Second) // virtual time
		set(t, &b.m, "shared", "after")
		eventually(t, 10*time.Second, "all agree on the last write", func() bool {
			return agree(peers...)() && has(&c.m, "shared", "after")() && fast.vector() == c.Status().Vector.String()
		})
		healthy(t, peers...)
	})
}
