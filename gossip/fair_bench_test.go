package gossip_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// BenchmarkBesideCatchUp is what others notice of newcomers that fetch a million keys:
// three nodes write 100 times a second each, and what is measured is how old each write is
// when it shows at the other two; in turn for a second in which nothing else happens, for as
// long as a newcomer fetches everything from one of the three, and for as long as another one
// fetches as much in a cluster of its own, which shows what comes of the processors alone.
// The ratios are of the 99th percentiles.
func BenchmarkBesideCatchUp(b *testing.B) {
	const (
		keys  = 1_000_000
		turns = 5
	)
	c := startChatter(b, keys)
	elsewhere := c.source(keys)
	for b.Loop() {
		var alone, beside, busy []time.Duration
		for range turns {
			alone = append(alone, c.ages(func() { time.Sleep(time.Second) })...) // a while, not an event
			beside = append(beside, c.ages(func() { c.newcomer(keys, c.nodes[0].Status().Addr) })...)
			busy = append(busy, c.ages(func() { c.newcomer(keys, elsewhere) })...)
		}
		b.ReportMetric(p99(alone).Seconds()*1e3, "ms/p99-alone")
		b.ReportMetric(p99(beside).Seconds()*1e3, "ms/p99-beside")
		b.ReportMetric(p99(busy).Seconds()*1e3, "ms/p99-busy")
		b.ReportMetric(float64(p99(beside))/float64(p99(alone)), "beside/alone")
		b.ReportMetric(float64(p99(beside))/float64(p99(busy)), "beside/busy")
		b.ReportMetric(0, "ns/op")
	}
}

// chatter are three nodes that write all the time.
type chatter struct {
	b     *testing.B
	nodes []*gossip.Node
	maps  []*model.Map[[]byte]
	count int

	mu   sync.Mutex
	seen []time.Duration // ages of writes when they showed
}

// startChatter starts the nodes with so many keys.
func startChatter(b *testing.B, keys int) *chatter {
	c := &chatter{b: b}
	ctx := b.Context()
	value := make([]byte, 100)
	for i := range 3 {
		m := c.join(fmt.Sprint("node-", i))
		for k := 0; i == 0 && k < keys; k++ {
			if err := m.Set(ctx, key("data", k), value); err != nil {
				b.Fatal(err)
			}
		}
		for m.Len() < keys {
			time.Sleep(5 * time.Millisecond) // polling a benchmark's start, not ordering events
		}
	}
	var loops sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	b.Cleanup(func() { stop(); loops.Wait() })
	for i := range c.maps {
		loops.Go(func() { c.write(ctx, i) })
		loops.Go(func() { c.watch(ctx, i) })
	}
	return c
}

// join starts a node that knows the others.
func (c *chatter) join(name string) *model.Map[[]byte] {
	var seeds []string
	for _, n := range c.nodes {
		seeds = append(seeds, n.Status().Addr)
	}
	n, err := gossip.Start(c.b.Context(), gossip.Config{Name: name, Bind: "127.0.0.1:0", Join: seeds, Flow: gossip.FlowOff})
	if err != nil {
		c.b.Fatal(err)
	}
	c.b.Cleanup(func() { n.Close() })
	m := new(model.Map[[]byte])
	if err := n.Attach("map", m); err != nil {
		c.b.Fatal(err)
	}
	c.nodes, c.maps = append(c.nodes, n), append(c.maps, m)
	return m
}

// newcomer starts a node and returns when it has everything. It is a process of its own that
// gets what time the others leave: elsewhere newcomers have processors of their own. Being
// nice is not enough, for then it keeps a processor until its slice ends.
func (c *chatter) newcomer(keys int, from string) {
	cmd := c.process(keys, from)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.b.Fatalf("newcomer: %v: %s", err, out)
	}
}

// source starts a node that knows none of the others and has as many keys, in a process like
// a newcomer's, and returns its address.
func (c *chatter) source(keys int) string {
	cmd := c.process(keys, "-")
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		c.b.Fatal(err)
	}
	c.b.Cleanup(func() { in.Close(); cmd.Wait() })
	var addr string
	if _, err := fmt.Fscanln(out, &addr); err != nil {
		c.b.Fatal(err)
	}
	return addr
}

// process is a node outside: it fetches so many keys from a node, or has them ("-").
func (c *chatter) process(keys int, from string) *exec.Cmd {
	c.count++
	cmd := exec.CommandContext(c.b.Context(), "chrt", "-i", "0", os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=newcomer-%d %s %d", gossip.NewcomerEnv, c.count, from, keys))
	return cmd
}

// write sets one of ten keys of a node to the present time, again and again.
func (c *chatter) write(ctx context.Context, node int) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		at, _ := time.Now().MarshalBinary()
		if err := c.maps[node].Set(ctx, fmt.Sprintf("live/%d/%d", node, i%10), at); err != nil && ctx.Err() == nil {
			c.b.Error(err)
			return
		}
	}
}

// watch notes how old the others' writes are when they show.
func (c *chatter) watch(ctx context.Context, node int) {
	own := c.nodes[node].Status().Self.Node
	for change := range c.maps[node].Watch(ctx, model.WatchConfig{Prefix: "live/"}) {
		var at time.Time
		if change.Replica.Node == own || at.UnmarshalBinary(change.Value) != nil {
			continue
		}
		c.mu.Lock()
		c.seen = append(c.seen, time.Since(at))
		c.mu.Unlock()
	}
}

// ages returns how old writes are that show while something happens.
func (c *chatter) ages(happens func()) []time.Duration {
	c.mu.Lock()
	c.seen = nil
	c.mu.Unlock()
	happens()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.seen) == 0 {
		c.b.Fatal("no write shows")
	}
	return c.seen
}

func p99(ages []time.Duration) time.Duration {
	slices.Sort(ages)
	return ages[len(ages)*99/100]
}
