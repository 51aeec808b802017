package memnet_test

import (
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/transporttest"
)

type cluster struct{ net *memnet.Network }

func (c cluster) MaxDatagram() int { return 1472 }
func (c cluster) Queue() int       { return 256 }

func (c cluster) Start(t *testing.T, name string) transport.Transport {
	t.Helper()
	e, err := c.net.Join(name)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestConformance(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults memnet.Faults
	}{
		{"perfect", memnet.Faults{}},
		{"faulty", memnet.Faults{MaxDelay: 5 * time.Millisecond, Loss: 0.2, Duplicate: 0.2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			transporttest.Run(t, func(*testing.T) transporttest.Cluster {
				return cluster{memnet.New(memnet.Config{
					Seed: 1, Faults: tt.faults, Queue: 256, DetectAfter: 20 * time.Millisecond,
				})}
			})
		})
	}
}
