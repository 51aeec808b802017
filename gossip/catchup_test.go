package gossip

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
)

// A newcomer fetches many windows of keys from one peer, in one go: it waits for no
// round, and little comes twice.
func TestCatchUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keys = 5000
		small := func(c *Config) { c.Window, c.Budget, c.Flow = 64<<10, 16<<10, FlowOff }
		net := memnet.New(memnet.Config{})
		old := startOn(t, net, "old", small)
		for i := range keys {
			set(t, &old.m, fmt.Sprint("key-", i), strings.Repeat("v", 100))
		}
		young := startOn(t, net, "young", small)
		eventually(t, 5*time.Second, "the newcomer has everything", func() bool { return young.m.Len() == keys })
		s := young.Status()
		if s.CatchUp != (CatchUp{}) || s.Stats.CatchUps != 1 || s.Stats.UpdatesRedundant > keys/10 || s.Stats.Exchanges.Started > 10 {
			t.Errorf("%+v, %d catch-ups in %d exchanges, %d updates came twice", s.CatchUp, s.Stats.CatchUps, s.Stats.Exchanges.Started, s.Stats.UpdatesRedundant)
		}
		if err := young.check(); err != nil {
			t.Error(err)
		}
	})
}
