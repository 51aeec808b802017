package swim

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// tellPeers is how many peers a node tells that it leaves; they tell the others.
const tellPeers = 3

// flush waits until what was queued for live peers is sent.
func (t *Transport) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.LeaveTimeout)
	defer cancel()
	t.links.Flush(ctx, func(name string) bool {
		p, ok := t.roster.find(name)
		return ok && p.state == transport.Alive
	})
}

// leave tells the others that this node leaves: memberlist by packets to whoever
// comes first, this node by an exchange of member lists with a few, who confirm it
// by their answer. It ends when they have, or when nobody is left who could be told:
// nodes that leave together do not wait for each other.
func (t *Transport) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.LeaveTimeout)
	defer cancel()
	if ctx.Err() != nil {
		return
	}
	// It marks this node as left and queues the packets. Its error is that it was not
	// given the time to see them sent: to nodes that may be gone.
	_ = t.list.Load().Leave(time.Nanosecond)
	targets := shuffled(t.roster.present())
	next := make(chan netip.AddrPort, len(targets))
	for _, a := range targets {
		next <- a
	}
	close(next)
	told := make(chan struct{})
	var wg sync.WaitGroup
	for range tellPeers {
		wg.Go(func() { t.tell(ctx, cancel, next) })
	}
	t.wg.Go(func() {
		wg.Wait()
		close(told)
	})
	select {
	case <-told:
	case <-ctx.Done(): // exchanges under way end when the sockets are closed
	}
}

// tell exchanges member lists with one of the targets. One that leaves, too, does
// not count: it might tell nobody. Once one has been told, the rest of leaving
// ends soon: others may not answer at all.
func (t *Transport) tell(ctx context.Context, end context.CancelFunc, targets <-chan netip.AddrPort) {
	for a := range targets {
		if ctx.Err() != nil {
			return
		}
		if _, err := t.list.Load().Join([]string{a.String()}); err != nil || !slices.Contains(t.roster.present(), a) {
			continue
		}
		time.AfterFunc(t.cfg.ProbeTimeout, end)
		return
	}
}
