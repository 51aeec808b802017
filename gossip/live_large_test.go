package gossip

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
)

// In a cluster in which not all have links to all, a write is everywhere after a few
// messages in a row all the same, without a round.
func TestLiveInALargeCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nodes = 24
		net := memnet.New(memnet.Config{Faults: memnet.Faults{MinDelay: time.Millisecond, MaxDelay: 2 * time.Millisecond}})
		var peers []*peer
		for i := range nodes {
			peers = append(peers, startOn(t, net, fmt.Sprintf("n%02d", i), func(c *Config) { c.Interval = time.Hour }))
		}
		time.Sleep(12 * time.Hour) // rounds are rare
		ends, begun := 0, uint64(0)
		for _, p := range peers {
			s := p.Status()
			ends += s.Links
			begun += s.Stats.Exchanges.Started
		}
		if ends > 12*nodes {
			t.Errorf("%d ends of links, want about 8 of each of %d nodes", ends, nodes)
		}
		for i := range 5 {
			for j, p := range peers {
				set(t, &p.m, fmt.Sprint(i, " ", j), "v")
			}
			time.Sleep(30 * time.Millisecond) // virtual time
			synctest.Wait()
			for _, p := range peers {
				if got := p.m.Len(); got != (i+1)*nodes {
					t.Fatalf("%s has %d keys 30 ms after write %d of each, want %d", p.cfg.Name, got, i+1, (i+1)*nodes)
				}
			}
		}
		applied, twice := uint64(0), uint64(0)
		for _, p := range peers {
			s := p.Status()
			applied += s.Stats.LiveApplied
			twice += s.Stats.LiveRedundant
			begun -= s.Stats.Exchanges.Started
		}
		if begun != 0 || twice > 2*applied {
			t.Errorf("%d exchanges; %d updates came over links, %d came again", -begun, applied, twice)
		}
	})
}
