package gossip_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// fleet is a cluster on real sockets, for hostile peers to disturb.
type fleet struct {
	t        *testing.T
	registry *prometheus.Registry
	nodes    []*gossip.Node
	maps     []*model.Map[string]
	written  int

	over func(*swim.Transport) transport.Transport // what nodes use
}

// startFleet starts nodes whose sockets and membership are set up by change, and
// waits until they know each other.
func startFleet(t *testing.T, size int, change func(*swim.Config)) *fleet {
	t.Helper()
	return startFleetOver(t, size, change, func(s *swim.Transport) transport.Transport { return s })
}

func startFleetOver(t *testing.T, size int, change func(*swim.Config), over func(*swim.Transport) transport.Transport) *fleet {
	t.Helper()
	f := &fleet{t: t, registry: prometheus.NewRegistry(), over: over}
	for i := range size {
		f.start(fmt.Sprintf("n%d", i), change)
	}
	waitFor(t, 20*time.Second, "all know all", func() bool {
		for _, n := range f.nodes {
			if n.Status().Peers != size-1 {
				return false
			}
		}
		return true
	})
	return f
}

func (f *fleet) start(name string, change func(*swim.Config)) {
	f.t.Helper()
	cfg := swimConfig(name)
	if len(f.nodes) > 0 {
		cfg.Join = []string{f.addr(0)}
	}
	change(&cfg)
	n, err := gossip.Start(f.t.Context(), gossip.Config{
		Name: name, Transport: f.over(startSwim(f.t, cfg)), Metrics: f.registry, MaxUpdate: maxUpdate,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = n.Close() })
	m := new(model.Map[string])
	if err := n.Attach("s", m); err != nil {
		f.t.Fatal(err)
	}
	f.nodes, f.maps = append(f.nodes, n), append(f.maps, m)
}

// maxUpdate is what the nodes of a fleet take, in bytes.
const maxUpdate = 12 << 20

// swimConfig is that of a node which notices soon what takes the defaults long, but
// gives probes the time that they need on a busy machine.
func swimConfig(name string) swim.Config {
	return swim.Config{
		Name: name, Bind: "127.0.0.1:0", TCPTimeout: 2 * time.Second, MaxStream: maxUpdate + 1<<20,
		ProbeInterval: 500 * time.Millisecond, ProbeTimeout: 450 * time.Millisecond, SuspicionMult: 10,
		GossipInterval: 20 * time.Millisecond, PushPullInterval: time.Second,
		JoinInterval: 50 * time.Millisecond, JoinMax: 200 * time.Millisecond,
	}
}

func startSwim(t *testing.T, cfg swim.Config) *swim.Transport {
	t.Helper()
	tr, err := swim.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tr.Close(t.Context()) })
	return tr
}

func (f *fleet) addr(i int) string { return f.nodes[i].Status().Addr }

// converge writes 100 keys all over the fleet and returns how long it takes until
// every node has all.
func (f *fleet) converge() time.Duration {
	f.t.Helper()
	start := time.Now()
	for range 100 {
		f.written++
		if err := f.maps[f.written%len(f.maps)].Set(f.t.Context(), fmt.Sprint(f.written), "v"); err != nil {
			f.t.Fatal(err)
		}
	}
	waitFor(f.t, 30*time.Second, "all nodes have all writes", func() bool {
		for _, m := range f.maps {
			if m.Len() != f.written {
				return false
			}
		}
		return true
	})
	return time.Since(start)
}

// undisturbed fails the test when the fleet converges much more slowly than it
// did, or takes one of its nodes for failed.
func (f *fleet) undisturbed(before time.Duration) {
	f.t.Helper()
	now := f.converge()
	f.t.Logf("converged in %v, without the attack in %v", now.Round(time.Millisecond), before.Round(time.Millisecond))
	if limit := 10*before + 15*time.Second; now > limit {
		f.t.Errorf("converged in %v, limit %v", now, limit)
	}
	for i, n := range f.nodes {
		for _, m := range n.Members() {
			if len(m.Name) == 2 && m.Name[0] == 'n' && m.State > transport.Suspect {
				f.t.Errorf("n%d takes %s for %v", i, m.Name, m.State)
			}
		}
	}
}

// counted returns a metric, summed over all nodes, for one value of its last label
// by name but node.
func (f *fleet) counted(metric, label string) float64 {
	f.t.Helper()
	families, err := f.registry.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != metric {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() != "node" && l.GetValue() == label {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
