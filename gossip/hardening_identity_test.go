package gossip

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
)

// A node starts after its clock was set back by an hour: the cluster knows an
// incarnation that is later. It writes as soon as it may, takes an epoch after all it
// sees, and loses nothing; so does the incarnation after it.
func TestClockSetBackBeforeRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		b, c := startOn(t, net, "b"), startOn(t, net, "c")
		before := clock.Replica{Node: "a", Epoch: uint64(time.Now().Add(time.Hour).UnixMilli())}
		net.Inject("b", transport.Stream, forged(b, before, before, 0,
			forgery(time.Now(), "kept", "first life"), forgery(time.Now(), "changed", "first life")))
		eventually(t, 5*time.Second, "c knows the first life", has(&c.m, "changed", "first life"))

		seen := before
		for life := range 3 {
			registry := prometheus.NewPedanticRegistry()
			low := clock.Replica{Node: "a", Epoch: uint64(time.Now().UnixMilli())} // it may have another at once
			a := startOn(t, net, "a", func(cfg *Config) { cfg.Metrics = registry })
			if low.Compare(seen) >= 0 {
				t.Fatalf("starts as %v, the cluster knows %v: that shows nothing", low, seen)
			}
			value := fmt.Sprint("life ", life)
			for i := range 5 {
				set(t, &a.m, fmt.Sprint("early ", i), value)
			}
			set(t, &a.m, "changed", value)
			eventually(t, 10*time.Second, "all agree", agree(a, b, c))
			self := a.Status().Self
			if self.Epoch <= seen.Epoch {
				t.Errorf("goes on as %v, want a later epoch than %v", self, seen)
			}
			if n := scrape(t, registry)[`scuttlebutt_epochs_total{node="a"}`]; n != 1 {
				t.Errorf("scuttlebutt_epochs_total = %v, want 1", n)
			}
			set(t, &a.m, "more", value)
			eventually(t, 5*time.Second, "all have what it writes now", func() bool {
				return has(&b.m, "more", value)() && has(&c.m, "more", value)() && b.version(self) == a.version(self)
			})
			for _, p := range []*peer{a, b, c} {
				if !has(&p.m, "kept", "first life")() || !has(&p.m, "changed", value)() {
					t.Errorf("%s, life %d: kept or changed is wrong", p.cfg.Name, life)
				}
			}
			healthy(t, a, b, c)
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			seen = self
		}
	})
}

// Somebody writes under a live node's identity, versions that it has not reached
// yet. It takes a new epoch; its own updates and the other's are everywhere. It hears of
// that in a round, before others have what it writes itself: else there is a fork.
func TestForeignWritesUnderOwnIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		rounds := func(c *Config) { c.RoundsOnly = true }
		peers := []*peer{startOn(t, net, "a", rounds), startOn(t, net, "b", rounds), startOn(t, net, "c", rounds)}
		a, b := peers[0], peers[1]
		set(t, &a.m, "own", "v")
		eventually(t, 5*time.Second, "b has it", has(&b.m, "own", "v"))
		old := a.Status().Self
		net.Inject("b", transport.Stream, forged(b, stranger, old, 1,
			forgery(time.Now(), "foreign", "w"), forgery(time.Now(), "foreign too", "w")))
		set(t, &a.m, "meanwhile", "v") // version 2, like the first foreign one
		eventually(t, 10*time.Second, "all agree", agree(peers...))
		if s := a.Status(); s.Self.Epoch <= old.Epoch || s.Stats.Epochs != 1 {
			t.Errorf("goes on as %v after %v, %d new epochs, want 1", s.Self, old, s.Stats.Epochs)
		}
		set(t, &a.m, "later", "v")
		for key, value := range map[string]string{"own": "v", "meanwhile": "v", "later": "v", "foreign": "w", "foreign too": "w"} {
			for _, p := range peers {
				eventually(t, 10*time.Second, p.cfg.Name+" has "+key, has(&p.m, key, value))
			}
		}
		eventually(t, 10*time.Second, "all agree again", agree(peers...))
		healthy(t, peers...)
	})
}

// One dot with two contents: whichever of them is the larger, every node counts
// it or repairs it, all end with what its living owner wrote, and other replicas
// go on.
func TestForkIsSettled(t *testing.T) {
	replaced := 0
	for i := range 6 {
		synctest.Test(t, func(t *testing.T) {
			if fork(t, fmt.Sprint("other content ", i)) {
				replaced++
			}
		})
	}
	if replaced == 0 || replaced == 6 {
		t.Errorf("the other content is the larger %d times of 6, want some", replaced)
	}
}

// fork has a node of four learn another content of a dot, and reports whether
// that replaced the first one.
func fork(t *testing.T, content string) bool {
	net := memnet.New(memnet.Config{Faults: memnet.Faults{MaxDelay: 10 * time.Millisecond}})
	registry := prometheus.NewPedanticRegistry()
	var peers []*peer
	for _, name := range names(4) {
		peers = append(peers, startOn(t, net, name, func(c *Config) { c.Metrics = registry }))
	}
	a, b := peers[0], peers[1]
	set(t, &a.m, "k", "content")
	eventually(t, 5*time.Second, "all have it", agree(peers...))
	self := a.Status().Self
	net.Inject("b", transport.Stream, forged(b, stranger, self, 0, forgery(time.Now(), "k", content)))
	synctest.Wait()
	if s := b.Status().Stats; s.Forks != 1 {
		t.Errorf("b counts %d forks, want 1", s.Forks)
	}
	shown, _ := b.m.Get("k")
	if shown != content && shown != "content" {
		t.Errorf("b shows %q", shown)
	}
	time.Sleep(time.Minute) // virtual time
	eventually(t, time.Minute, "all agree", agree(peers...))
	for _, p := range peers {
		if !has(&p.m, "k", "content")() { // the owner lives: it has issued its own write again
			v, _ := p.m.Get("k")
			t.Errorf("%s shows %q", p.cfg.Name, v)
		}
	}
	if shown == content { // the others have learnt it by repair
		metered := scrape(t, registry)
		for _, name := range []string{"mismatches", "repairs", "repaired_updates"} {
			sum := 0.0
			for _, p := range peers {
				sum += metered[fmt.Sprintf("scuttlebutt_%s_total{node=%q}", name, p.cfg.Name)]
			}
			if sum == 0 {
				t.Errorf("scuttlebutt_%s_total is 0 on all nodes", name)
			}
		}
	}
	for _, p := range peers {
		set(t, &p.m, "by "+p.cfg.Name, "v")
	}
	eventually(t, 10*time.Second, "all go on", func() bool {
		for _, p := range peers {
			if p.m.Len() != 5 {
				return false
			}
		}
		return true
	})
	healthy(t, peers...)
	return shown == content
}
