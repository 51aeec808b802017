package gossip

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
)

// A cluster on a bad network, written to everywhere, with a partition in the
// middle: the invariants hold all the way, and in the end all nodes agree.
func TestClusterConverges(t *testing.T) {
	for _, tt := range []struct {
		name   string
		seed   uint64
		size   int
		change func(*Config)
	}{
		{"defaults", 1, 20, func(*Config) {}},
		{"small budget", 2, 10, func(c *Config) { c.Budget = 600; c.MaxUpdate = 2000; c.Interval = 200 * time.Millisecond }},
		{"small datagrams", 3, 10, func(c *Config) { c.MaxDatagram = 512; c.MaxUpdate = 5000 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { converge(t, tt.seed, tt.size, 50, tt.change) })
		})
	}
}

func converge(t *testing.T, seed uint64, size, writes int, change func(*Config)) {
	rng := rand.New(rand.NewPCG(seed, 0))
	net := memnet.New(memnet.Config{Seed: int64(seed), Faults: memnet.Faults{
		Loss: 0.3, Duplicate: 0.2, Streams: true, MinDelay: time.Millisecond, MaxDelay: 100 * time.Millisecond,
	}})
	w := newWitness(t)
	var mu sync.Mutex
	var most [2]int
	nodes, recorders := make([]*Node, size), make([]*recorder, size)
	for i := range nodes {
		nodes[i] = startBare(t, net, fmt.Sprintf("n%02d", i), func(c *Config) {
			change(c)
			c.Seed = int64(seed)*100 + int64(i)
			d := c.withDefaults()
			limit := [2]int{transport.Datagram: d.MaxDatagram, transport.Stream: d.MaxUpdate + 64<<10}
			c.Transport = sized{Endpoint: c.Transport.(*memnet.Endpoint), t: t, name: c.Name, limit: limit, mu: &mu, most: &most}
		})
		recorders[i] = &recorder{w: w}
		attach(t, nodes[i], "s", recorders[i])
	}
	look := func() {
		synctest.Wait()
		for i, n := range nodes {
			w.look(n, recorders[i])
		}
	}
	for step := range writes {
		for _, r := range rng.Perm(size) {
			key := fmt.Sprint(rng.IntN(size * 3))
			var err error
			if rng.IntN(4) == 0 {
				err = recorders[r].Delete(t.Context(), key)
			} else {
				err = recorders[r].Set(t.Context(), key, fmt.Sprintf("%d/%d/%0*d", r, step, 1+rng.IntN(300), 0))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		switch step {
		case writes / 3:
			net.Partition([]string{"n00", "n01", "n02", "n03"}, []string{"n04", "n05"})
		case 2 * writes / 3:
			net.Heal()
		}
		time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond) // virtual time
		look()
	}
	start := time.Now()
	eventually(t, 2*time.Minute, "all nodes agree", func() bool {
		first := nodes[0].Status()
		for _, n := range nodes {
			if s := n.Status(); !s.Clean || s.Vector.String() != first.Vector.String() {
				return false
			}
		}
		return true
	})
	look()
	if got := len(w.states); got == 0 {
		t.Error("no clean state was ever seen")
	}
	t.Logf("all agree after %v; %d updates, largest datagram %d, stream %d", time.Since(start), len(w.updates), most[0], most[1])
}
