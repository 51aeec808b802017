package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// other is a model of another type than a map: the first write of a key stays.
type other struct {
	host model.Host
	keys map[string]*model.Update
}

func (*other) Type() string { return "other" }

func (o *other) Bind(h model.Host) error {
	o.host, o.keys = h, map[string]*model.Update{}
	return nil
}

func (o *other) Apply(u *model.Update) model.Effect {
	old := o.keys[string(u.Key)]
	switch {
	case old != nil && o.Supersedes(old, u):
		return model.Effect{Redundant: true}
	case old != nil && old.Dot == u.Dot:
		return model.Effect{}
	}
	o.keys[string(u.Key)] = u
	if old == nil {
		return model.Effect{}
	}
	return model.Effect{Superseded: []*model.Update{old}}
}

func (o *other) Discard(u *model.Update) { delete(o.keys, string(u.Key)) }

func (o *other) Supersedes(a, b *model.Update) bool {
	return bytes.Equal(a.Key, b.Key) && (a.Time < b.Time || a.Time == b.Time && a.Dot.Compare(b.Dot) < 0)
}

func (o *other) set(t *testing.T, key string) {
	t.Helper()
	err := o.host.Write(t.Context(), true, func(tx *model.Tx) error {
		tx.Put(model.Draft{Key: []byte(key), Value: []byte("v")})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A detached handle reads as empty and refuses writes, its watches end, and the node
// still passes on what others write, which is all there when the space is attached
// again.
func TestDetach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		a, b, c := startOn(t, net, "a"), startOn(t, net, "b"), startOn(t, net, "c")
		net.SetLink("a", "c", memnet.Faults{Loss: 1, Streams: true}) // all goes over b
		net.SetLink("c", "a", memnet.Faults{Loss: 1, Streams: true})
		const many = 3000
		for i := range many {
			set(t, &a.m, fmt.Sprint("k", i), "v")
		}
		_ = a.m.Delete(t.Context(), "k0")
		eventually(t, time.Minute, "c has all", func() bool { return c.m.Len() == many-1 })
		w := keep(t.Context(), &b.m, model.WatchConfig{})
		set(t, &b.m, "last", "v")
		if err := b.Detach("s"); err != nil {
			t.Fatal(err)
		}
		<-w.ended
		if got := w.take(); !strings.HasSuffix(got, " last=v") || strings.Count(got, "=") != 1 { // after thousands of writes one may wait
			t.Errorf("the watch has shown %s, want what was written before", got)
		}
		<-keep(t.Context(), &b.m, withState).ended
		if _, ok := b.m.Get("k1"); ok || b.m.Len() != 0 {
			t.Errorf("detached: k1 is there: %v, %d keys", ok, b.m.Len())
		}
		for key := range b.m.All() {
			t.Errorf("detached: All has %q", key)
		}
		for what, err := range map[string]error{
			"Set": b.m.Set(t.Context(), "k", "v"), "TrySet": b.m.TrySet(t.Context(), "k", "v"), "Delete": b.m.Delete(t.Context(), "k1"),
			"Update": b.m.Update(t.Context(), "k", func(string, bool) string { t.Error("f was called"); return "" }),
		} {
			if !errors.Is(err, model.ErrDetached) {
				t.Errorf("%s: %v, want ErrDetached", what, err)
			}
		}
		if err := b.Detach("s"); !errors.Is(err, ErrNotAttached) {
			t.Errorf("detached twice: %v", err)
		}
		set(t, &a.m, "k1", "new")
		_ = a.m.Delete(t.Context(), "k2")
		_ = a.m.SetTTL(t.Context(), "short", "v", 20*time.Second)
		eventually(t, time.Minute, "c has what was written meanwhile", has(&c.m, "k1", "new"))
		if err := b.check(); err != nil {
			t.Error(err)
		}
		if err := b.Attach("s", &b.m); err == nil {
			t.Error("a handle was attached twice")
		}
		time.Sleep(30 * time.Second) // virtual time
		var again model.Map[string]
		if err := b.Attach("s", &again); err != nil {
			t.Fatal(err)
		}
		if again.Len() != c.m.Len() || !has(&again, "k1", "new")() || !has(&again, "last", "v")() || !has(&again, "short", "")() {
			t.Errorf("attached again: %d keys, c has %d", again.Len(), c.m.Len())
		}
		set(t, &again, "after", "v")
		eventually(t, time.Minute, "it is written to again", has(&c.m, "after", "v"))
		if err := b.check(); err != nil {
			t.Error(err)
		}
	})
}

// Detaching while others read, write and watch.
func TestDetachConcurrently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startOn(t, memnet.New(memnet.Config{}), "a")
		for i := range 5000 {
			set(t, &a.m, fmt.Sprint("k", i), "v")
		}
		done := make(chan error, 3)
		go func() {
			for n := a.m.Len(); n > 0; n = a.m.Len() {
				_, _ = a.m.Get("k7")
			}
			done <- nil
		}()
		go func() {
			var err error
			for err == nil {
				err = a.m.SetTTL(t.Context(), "k", "v", time.Second)
			}
			done <- err
		}()
		go func() {
			for range a.m.Watch(t.Context(), withState) {
			}
			done <- nil
		}()
		if err := a.Detach("s"); err != nil {
			t.Fatal(err)
		}
		for range cap(done) {
			if err := <-done; err != nil && !errors.Is(err, model.ErrDetached) {
				t.Error(err)
			}
		}
	})
}

// A space keeps its type on a node, and is refused another one that is known elsewhere.
func TestOtherTypeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		a, b := startOn(t, net, "a"), startBare(t, net, "b")
		wrong := func(n *Node, where string) {
			t.Helper()
			var o other
			if err := n.Attach("s", &o); !errors.Is(err, ErrModelType) || !strings.Contains(err.Error(), where) {
				t.Errorf("%v, want that it %s", err, where)
			}
			if err := n.Attach("free"+where, &o); err != nil { // the refused handle is still good
				t.Error(err)
			}
		}
		time.Sleep(10 * time.Second) // virtual time
		wrong(b, `"s" is a map at a, this is a other`)
		if err := a.Detach("s"); err != nil {
			t.Fatal(err)
		}
		wrong(a.Node, `"s" was a map here, this is a other`)
		time.Sleep(10 * time.Second) // virtual time
		var o other
		if err := b.Attach("s", &o); err != nil {
			t.Errorf("nobody attaches it any more: %v", err)
		}
	})
}

// Two types that are found out later: it is counted, logged and shown, the nodes go on,
// nothing is repaired, and it is over when one of them gives in.
func TestConflictOfTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs bytes.Buffer
		net, registry := memnet.New(memnet.Config{}), prometheus.NewPedanticRegistry()
		a := startOn(t, net, "a", func(c *Config) {
			c.Metrics, c.Logger = registry, slog.New(slog.NewTextHandler(&logs, nil))
		})
		net.Partition([]string{"a"}) // before b begins to gossip, or it might hear what type a has
		b := startBare(t, net, "b")
		var good model.Map[string]
		var o other
		for space, h := range map[string]model.Handle{"s": &o, "good": &good} {
			if err := b.Attach(space, h); err != nil {
				t.Fatal(err)
			}
		}
		var here model.Map[string]
		attach(t, a.Node, "good", &here)
		o.set(t, "k")
		time.Sleep(time.Millisecond) // virtual time
		set(t, &a.m, "k", "v")       // the last one for a map, but not the first one
		net.Heal()
		conflict := func(n *Node) string {
			for _, s := range n.Status().Spaces {
				if s.Space == "s" {
					return s.Conflict
				}
			}
			return ""
		}
		eventually(t, time.Minute, "both see it", func() bool { return conflict(a.Node) == "other at b" && conflict(b) == "map at a" })
		if as, bs := a.Status().Spaces[1], b.Status().Spaces[1]; as.Space != "s" || as.Hash == bs.Hash {
			t.Fatal("the two types are meant to make different things of the updates")
		}
		set(t, &good, "k", "v")
		eventually(t, time.Minute, "other spaces go on", has(&here, "k", "v"))
		time.Sleep(5 * time.Minute) // virtual time
		got := scrape(t, registry)
		if n := got[`scuttlebutt_type_conflicts_total{node="a"}`]; n != 1 {
			t.Errorf("counted %v times", n)
		}
		if n := got[`scuttlebutt_repairs_total{node="a"}`] + float64(b.Status().Stats.Repairs); n != 0 {
			t.Errorf("%v repairs", n)
		}
		if n := strings.Count(logs.String(), "models of two types"); n != 1 {
			t.Errorf("logged %d times:\n%s", n, &logs)
		}
		if err := b.Detach("s"); err != nil {
			t.Fatal(err)
		}
		eventually(t, time.Minute, "it is over", func() bool { return conflict(a.Node) == "" })
	})
}
