package gossip_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// member is a node and its map.
type member struct {
	*gossip.Node
	m *model.Map[string]
}

// mesh starts nodes that have links to each other, and whose rounds have become so rare
// that there are none any more: what comes comes over links.
func mesh(t *testing.T, n int, change func(i int, cfg *gossip.Config)) []member {
	t.Helper()
	var all []member
	for i := range n {
		cfg := gossip.Config{Name: fmt.Sprint("n", i), Interval: time.Hour}
		if i > 0 {
			cfg.Join = []string{all[0].Status().Addr}
		}
		if change != nil {
			change(i, &cfg)
		}
		node, m := start(t, cfg)
		all = append(all, member{node, m})
	}
	for _, x := range all {
		waitFor(t, 20*time.Second, "all have links to each other", func() bool { return x.Status().Links == n-1 })
	}
	quiet(t, all)
	return all
}

// quiet waits until there were no exchanges for so long that the next are much later.
func quiet(t *testing.T, all []member) {
	t.Helper()
	last, since := uint64(0), time.Now()
	waitFor(t, 20*time.Second, "rounds are rare", func() bool {
		begun := uint64(0)
		for _, x := range all {
			begun += x.Status().Stats.Exchanges.Started
		}
		if begun != last {
			last, since = begun, time.Now()
		}
		return time.Since(since) > 500*time.Millisecond
	})
}

// A write is on all nodes without a round, over real sockets.
func TestLive(t *testing.T) {
	const nodes, writes = 8, 50
	all := mesh(t, nodes, nil)
	for i := range writes {
		if err := all[i%nodes].m.Set(t.Context(), fmt.Sprint(i), "v"); err != nil {
			t.Fatal(err)
		}
	}
	applied := uint64(0)
	for _, x := range all {
		waitFor(t, 10*time.Second, "everything is everywhere", func() bool { return x.m.Len() == writes })
		applied += x.Status().Stats.LiveApplied
	}
	if want := uint64(writes * (nodes - 1)); applied < want*9/10 || applied > want { // a late round may bring some
		t.Errorf("%d updates came over links at once, want about %d", applied, want)
	}
}

// Without live updates there are no links, and rounds carry everything.
func TestRoundsOnly(t *testing.T) {
	a, am := start(t, gossip.Config{Name: "a", RoundsOnly: true})
	b, bm := start(t, gossip.Config{Name: "b", Join: []string{a.Status().Addr}, RoundsOnly: true})
	if err := am.Set(t.Context(), "k", "v"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 10*time.Second, "b has it", func() bool { return bm.Len() == 1 })
	for _, n := range []*gossip.Node{a, b} {
		if s := n.Status(); s.Links != 0 || s.Stats.LiveSent+s.Stats.LiveApplied != 0 {
			t.Errorf("%d links, %d updates sent at once, %d received", s.Links, s.Stats.LiveSent, s.Stats.LiveApplied)
		}
	}
}

// deaf is a transport whose node hears nothing while it is shut.
type deaf struct {
	*swim.Transport
	in   chan transport.Packet
	shut chan bool
}

func newDeaf(t *testing.T, cfg swim.Config) *deaf {
	tr, err := swim.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	d := &deaf{Transport: tr, in: make(chan transport.Packet), shut: make(chan bool)}
	go func() {
		defer close(d.in)
		for {
			select {
			case is := <-d.shut:
				for is {
					is = <-d.shut
				}
			case p, ok := <-tr.Receive():
				if !ok {
					return
				}
				d.in <- p
			}
		}
	}()
	return d
}

func (d *deaf) Next() (transport.Packet, bool) {
	p, ok := <-d.in
	return p, ok
}

// A peer that does not read holds up nobody else, and gets all that it missed when it
// reads again; meanwhile what waits for it does not grow.
func TestLiveDeafPeer(t *testing.T) {
	const writes, keys = 20_000, 1000
	all := mesh(t, 3, func(_ int, cfg *gossip.Config) { cfg.Flow = gossip.FlowOff })
	d := newDeaf(t, swim.Config{Name: "deaf", Cluster: "scuttlebutt", Bind: "127.0.0.1:0", Key: []byte("0123456789abcdef"), Join: []string{all[0].Status().Addr}})
	node, err := gossip.Start(t.Context(), gossip.Config{Name: "deaf", Transport: d, Interval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	var m model.Map[string]
	if err := node.Attach("s", &m); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 20*time.Second, "all have links to each other", func() bool { return all[0].Status().Links == 3 && node.Status().Links == 3 })
	d.shut <- true
	value := string(make([]byte, 200))
	for i := range writes {
		if err := all[0].m.Set(t.Context(), fmt.Sprint(i%keys), fmt.Sprint(i)+value); err != nil {
			t.Fatal(err)
		}
	}
	last := fmt.Sprint(writes-1) + value
	has := func(m *model.Map[string]) func() bool {
		return func() bool {
			v, _ := m.Get(fmt.Sprint((writes - 1) % keys))
			return v == last
		}
	}
	waitFor(t, 10*time.Second, "another has the last write", has(all[1].m))
	if has(&m)() {
		t.Error("the deaf one has it, too")
	}
	d.shut <- false
	waitFor(t, 10*time.Second, "the deaf one has it", has(&m))
	if s := node.Status(); s.Stats.LiveApplied > writes/2 {
		t.Errorf("%d updates came over links, of which most were superseded", s.Stats.LiveApplied)
	}
}

// A peer that dies holds up nobody; one that comes back under its name has everything.
func TestLivePeerDies(t *testing.T) {
	all := mesh(t, 4, nil)
	addr := all[3].Status().Addr
	if err := all[3].Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := all[i%3].m.Set(t.Context(), fmt.Sprint(i), "v"); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range all[:3] {
		waitFor(t, 10*time.Second, "the others have all", func() bool { return x.m.Len() == 20 })
	}
	_, again := start(t, gossip.Config{Name: "n3", Bind: addr, Interval: time.Hour, Join: []string{all[0].Status().Addr}})
	waitFor(t, 30*time.Second, "it is back and has all", func() bool { return again.Len() == 20 })
}

// From when on streams are refused rounds carry what is new, and soon, and what was under
// way when the links broke.
func TestStreamsRefused(t *testing.T) {
	var all []member
	var seeds []string
	var refused atomic.Bool
	for _, name := range []string{"a", "b", "c"} {
		tr, err := swim.Start(t.Context(), swim.Config{
			Name: name, Cluster: "scuttlebutt", Bind: "127.0.0.1:0", Join: seeds, Key: []byte("0123456789abcdef"),
			Cut: func(_, _ string, ch transport.Channel) bool { return ch == transport.Stream && refused.Load() },
		})
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, tr.Addr())
		node, err := gossip.Start(t.Context(), gossip.Config{Name: name, Transport: tr, Interval: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { node.Close() })
		m := new(model.Map[string])
		if err := node.Attach("s", m); err != nil {
			t.Fatal(err)
		}
		all = append(all, member{node, m})
	}
	for _, x := range all {
		waitFor(t, 20*time.Second, "all have links to each other", func() bool { return x.Status().Links == 2 })
	}
	refused.Store(true)
	for i := range 30 {
		if err := all[i%3].m.Set(t.Context(), fmt.Sprint(i), "v"); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range all {
		waitFor(t, 10*time.Second, "everything is everywhere", func() bool { return x.m.Len() == 30 })
	}
	for _, x := range all {
		waitFor(t, 10*time.Second, "no link is left", func() bool {
			if err := x.m.Set(t.Context(), "last", "v"); err != nil { // a link breaks when something is sent
				t.Fatal(err)
			}
			return x.Status().Links == 0
		})
	}
}
