package gossip

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
)

// flood lets a node try to write so many updates of a kilobyte each millisecond, for a
// while, and returns how many were refused.
func (p *peer) flood(t *testing.T, each int, d time.Duration) (refused int) {
	t.Helper()
	value := strings.Repeat("x", 1000)
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Millisecond) { // virtual time
		for i := range each {
			switch err := p.m.TrySet(t.Context(), fmt.Sprint(time.Now().UnixMicro(), " ", i), value); {
			case errors.Is(err, ErrThrottled):
				refused++
			case err != nil:
				t.Fatal(err)
			}
		}
	}
	return refused
}

// Who writes more than links carry is let in for a moment, and then no more than they
// carry; who waits, waits for a moment.
func TestFullLinksHoldWritersBack(t *testing.T) {
	for _, flow := range []FlowControl{FlowQuota, FlowOff} {
		t.Run(flow.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := memnet.New(memnet.Config{Faults: memnet.Faults{MinDelay: 50 * time.Millisecond}})
				a := startOn(t, net, "a", func(c *Config) { c.Flow = flow })
				b := startOn(t, net, "b", func(c *Config) { c.Flow = flow })
				set(t, &a.m, "first", "v")
				eventually(t, 10*time.Second, "b has it, over a link", func() bool { return has(&b.m, "first", "v")() && a.Status().Links == 1 })
				time.Sleep(5 * time.Second) // virtual time
				const each = 20
				burst := a.flood(t, each, grace)
				after := a.flood(t, each, 300*time.Millisecond)
				begin := time.Now()
				set(t, &a.m, "waits", "v")
				waited := time.Since(begin)
				if flow == FlowOff {
					if burst+after > 0 || waited > 0 {
						t.Errorf("without flow control %d and %d writes were refused, one waited for %v", burst, after, waited)
					}
					return
				}
				if burst > 0 || after < each*100 || waited > patience {
					t.Errorf("at first %d writes were refused, then %d of %d; one waited for %v", burst, after, each*300, waited)
				}
				eventually(t, 20*time.Second, "both agree", agree(a, b))
				time.Sleep(calm) // virtual time
				if again := a.flood(t, each, grace); again > 0 {
					t.Errorf("of a burst after a calm %d were refused", again)
				}
			})
		})
	}
}

// What takes the place of the little that a node has written never waits for links.
func TestOverwritingLittleIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{Faults: memnet.Faults{MinDelay: 50 * time.Millisecond}})
		a, b := startOn(t, net, "a"), startOn(t, net, "b")
		eventually(t, 10*time.Second, "there is a link", func() bool { return a.Status().Links == 1 && b.Status().Links == 1 })
		time.Sleep(5 * time.Second) // virtual time
		value := strings.Repeat("x", 1000)
		const keys, writes = 100, 200_000
		for i := range writes {
			if err := a.m.TrySet(t.Context(), fmt.Sprint(i%keys), fmt.Sprint(i)+value); err != nil {
				t.Fatalf("write %d: %v", i, err)
			}
			if i%200 == 0 {
				time.Sleep(time.Millisecond) // virtual time
			}
		}
		eventually(t, time.Second, "both agree", agree(a, b))
		if n := b.Status().Stats.LiveApplied; n > writes/10 {
			t.Errorf("%d updates came over the link, of %d that were written in a second", n, writes)
		}
	})
}
