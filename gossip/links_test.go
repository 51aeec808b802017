package gossip

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
)

// severed is a transport whose connections go for good while a message is given to one.
type severed struct {
	transport.Linker
	armed, gone atomic.Bool
	changed     chan struct{}
}

func (s *severed) Send(to string, ch transport.Channel, msg []byte) error {
	if ch != transport.Stream || !s.armed.Load() {
		return s.Linker.Send(to, ch, msg)
	}
	s.gone.Store(true)
	s.tell()
	return transport.ErrQueueFull
}

func (s *severed) tell() {
	select {
	case s.changed <- struct{}{}:
	default: // the last one was not seen yet
	}
}

func (s *severed) Links(buf []transport.Link) []transport.Link {
	if s.gone.Load() {
		return buf
	}
	return s.Linker.Links(buf)
}

func (s *severed) Changed() <-chan struct{} { return s.changed }

// The engine learns that a link is gone, even if it went with a message.
func TestLinkGoesWithMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		s := &severed{changed: make(chan struct{}, 1)}
		a := startOn(t, net, "a", func(cfg *Config) {
			s.Linker = cfg.Transport.(transport.Linker)
			cfg.Transport = s
		})
		startOn(t, net, "b")
		eventually(t, time.Minute, "there is a link", func() bool {
			s.tell()
			return a.Status().Links == 1
		})
		s.armed.Store(true)
		if err := a.m.Set(t.Context(), "k", "v"); err != nil {
			t.Fatal(err)
		}
		eventually(t, time.Minute, "there is none", func() bool { return s.gone.Load() && a.Status().Links == 0 })
	})
}
