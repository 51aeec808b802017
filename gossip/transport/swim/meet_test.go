package swim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
)

// TestAllMeet: eight nodes that join through one seed get to know each other though
// every packet that would tell the earlier ones of the later ones is lost, and long
// before membership exchanges whole lists by itself.
func TestAllMeet(t *testing.T) {
	const nodes = 8
	var all []*swim.Transport
	for i := range nodes {
		cfg := fast(fmt.Sprint("n", i))
		cfg.PushPullInterval, cfg.RedialInterval, cfg.ProbeInterval = time.Hour, time.Hour, time.Hour
		cfg.Cut = func(_, _ string, ch transport.Channel) bool { return ch == transport.Datagram }
		if i > 0 {
			cfg.Join = []string{all[0].Addr()}
		}
		all = append(all, start(t, cfg))
	}
	for i, tr := range all {
		for j := range all {
			if i != j {
				await(t, tr, fmt.Sprint("n", j), transport.Alive)
			}
		}
	}
}
