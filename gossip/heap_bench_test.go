package gossip_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// BenchmarkDeletes is a cluster of 3 nodes in one process in which so many keys are set
// and deleted again, until no node has a tombstone of them. The heap is that of all
// nodes, after a garbage collection: before, when a smaller set of keys has come and
// gone already; with all keys there; with all tombstones, as far as none was collected
// while the rest was written; and after. ratio is after / before.
func BenchmarkDeletes(b *testing.B) {
	for _, keys := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint("keys=", keys), func(b *testing.B) {
			c := startDeleters(b, 3)
			c.setAndDelete(b, "warm", 10_000)
			var before, after, full, dead, peak float64
			var collecting time.Duration
			for i := 0; b.Loop(); i++ {
				before += heapMB()
				f, d, took := c.setAndDelete(b, fmt.Sprint("round", i), keys)
				full, dead, peak = full+f, dead+d, max(peak, f, d)
				collecting += took
				after += heapMB()
			}
			n := float64(b.N)
			b.ReportMetric(before/n, "heap-before-MB")
			b.ReportMetric(full/n, "heap-set-MB")
			b.ReportMetric(dead/n, "heap-deleted-MB")
			b.ReportMetric(after/n, "heap-after-MB")
			b.ReportMetric(after/before, "ratio")
			b.ReportMetric(collecting.Seconds()/n, "s-to-collect")
			b.ReportMetric(0, "ns/op") // it is mostly waiting for reports
		})
	}
}

// deleters are the nodes of a cluster, each with its replica of one map.
type deleters struct {
	nodes []*gossip.Node
	maps  []*model.Map[[]byte]
}

func startDeleters(b *testing.B, n int) *deleters {
	b.Helper()
	net := memnet.New(memnet.Config{Queue: 64})
	c := new(deleters)
	for i := range n {
		name := fmt.Sprint("node-", i)
		endpoint, err := net.Join(name)
		if err != nil {
			b.Fatal(err)
		}
		node, err := gossip.Start(b.Context(), gossip.Config{
			Name: name, Transport: endpoint, Flow: gossip.FlowOff,
			Interval: 100 * time.Millisecond, ReportInterval: time.Second,
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { node.Close() })
		m := new(model.Map[[]byte])
		if err := node.Attach("map", m); err != nil {
			b.Fatal(err)
		}
		c.nodes, c.maps = append(c.nodes, node), append(c.maps, m)
	}
	return c
}

// setAndDelete sets keys on one node, deletes them on the next one when all nodes have
// them, and waits until no tombstone is left. It returns the heap with all keys and with
// all deleted, in MB, and how long collecting took from the last delete on.
func (c *deleters) setAndDelete(b *testing.B, prefix string, keys int) (full, dead float64, took time.Duration) {
	b.Helper()
	ctx := context.Background()
	value := make([]byte, 100)
	for i := range keys {
		if err := c.maps[0].Set(ctx, key(prefix, i), value); err != nil {
			b.Fatal(err)
		}
	}
	c.await(func(i int) bool { return c.maps[i].Len() == keys })
	full = heapMB()
	for i := range keys {
		if err := c.maps[1].Delete(ctx, key(prefix, i)); err != nil {
			b.Fatal(err)
		}
	}
	begin := time.Now()
	dead = heapMB()
	c.await(func(i int) bool { return c.maps[i].Len() == 0 && c.nodes[i].Status().Spaces[0].Updates == 0 })
	return full, dead, time.Since(begin)
}

// await waits until something is true of all nodes.
func (c *deleters) await(ok func(i int) bool) {
	for i := range c.nodes {
		for !ok(i) {
			time.Sleep(5 * time.Millisecond) // polling a benchmark's end, not ordering events
		}
	}
}

func key(prefix string, i int) string { return fmt.Sprintf("%s/key-%010d", prefix, i) }

// heapMB returns how much of the heap is reachable, in MB.
func heapMB() float64 {
	runtime.GC() // what pools hold goes at the second collection only
	return float64(heap()) / 1e6
}
