package swim_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
)

// cable is a network that can be cut, and remembers what it lost.
type cable struct {
	cut atomic.Bool

	mu   sync.Mutex
	lost map[[2]string]map[transport.Channel]int // by sender and receiver
}

func (c *cable) loses(from, to string, ch transport.Channel) bool {
	if !c.cut.Load() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	link := [2]string{from, to}
	if c.lost[link] == nil {
		c.lost[link] = map[transport.Channel]int{}
	}
	c.lost[link][ch]++
	return true
}

// TestCut: what Config.Cut loses is lost to messages, probes and joins alike: two
// nodes take each other for failed. Once nothing is cut both are alive again.
func TestCut(t *testing.T) {
	c := &cable{lost: map[[2]string]map[transport.Channel]int{}}
	open := func(name string, join ...string) *swim.Transport {
		cfg := fast(name, join...)
		cfg.Cut = c.loses
		return start(t, cfg)
	}
	a := open("a")
	b := open("b", a.Addr())
	await(t, a, "b", transport.Alive)
	await(t, b, "a", transport.Alive)
	reaches(t, a, b, "b")
	reaches(t, b, a, "a")

	c.cut.Store(true)
	for _, ch := range []transport.Channel{transport.Datagram, transport.Stream} {
		if err := a.Send("b", ch, []byte("lost")); err != nil {
			t.Errorf("Send of a %s into a cut network: %v", ch, err)
		}
	}
	await(t, a, "b", transport.Failed)
	await(t, b, "a", transport.Failed)
	c.mu.Lock()
	for _, link := range [][2]string{{a.Addr(), b.Addr()}, {b.Addr(), a.Addr()}} {
		if lost := c.lost[link]; lost[transport.Datagram] == 0 || lost[transport.Stream] == 0 {
			t.Errorf("lost from %s to %s: %v, want some on each channel", link[0], link[1], lost)
		}
	}
	if len(c.lost) != 2 {
		t.Errorf("links by address: %v, want those between %s and %s", c.lost, a.Addr(), b.Addr())
	}
	c.mu.Unlock()

	c.cut.Store(false)
	begin := time.Now()
	await(t, a, "b", transport.Alive)
	await(t, b, "a", transport.Alive)
	t.Logf("alive again after %v", time.Since(begin).Round(time.Millisecond))
	reaches(t, a, b, "b") // and nothing of what was lost
	reaches(t, b, a, "a")
}
