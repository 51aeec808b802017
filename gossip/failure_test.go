package gossip

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
)

// failing is a transport that can say why it stopped.
type failing struct {
	*memnet.Endpoint
	why error
}

func (f failing) Err() error { return f.why }

// A node whose transport stops closes by itself, and says why.
func TestTransportStops(t *testing.T) {
	broken := errors.New("the cable is cut")
	tests := []struct {
		name   string
		change func(*Config)
		want   error
	}{
		{"no reason", func(*Config) {}, ErrClosed},
		{"name taken", func(c *Config) { c.Transport = failing{c.Transport.(*memnet.Endpoint), swim.ErrNameTaken} }, ErrNameTaken},
		{"other reason", func(c *Config) { c.Transport = failing{c.Transport.(*memnet.Endpoint), broken} }, broken},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			net := memnet.New(memnet.Config{})
			registry := prometheus.NewRegistry()
			a := startOn(t, net, "a", tt.change, func(c *Config) { c.Metrics = registry })
			set(t, &a.m, "k", "v")
			if a.Err() != nil {
				t.Errorf("%s: Err of an open node: %v", tt.name, a.Err())
			}
			net.Crash("a")
			<-a.Done()
			synctest.Wait()
			for what, err := range map[string]error{
				"Err": a.Err(), "Set": a.m.Set(t.Context(), "k", "v"),
				"Leave": a.Leave(t.Context()), "Close": a.Close(),
			} {
				if !errors.Is(err, ErrClosed) || !errors.Is(err, tt.want) {
					t.Errorf("%s: %s: %v, want ErrClosed and %v", tt.name, what, err, tt.want)
				}
			}
			if got := scrape(t, registry); len(got) != 0 {
				t.Errorf("%s: %d metrics are left", tt.name, len(got))
			}
			if !has(&a.m, "k", "v")() {
				t.Errorf("%s: the map cannot be read any more", tt.name)
			}
		})
	}
}
