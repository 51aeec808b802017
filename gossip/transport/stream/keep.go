package stream

import (
	"slices"
	"strings"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// Keep says to which peers there are to be connections from now on, whether messages wait
// for them or not, and whatever breaks. To others they are made when a message waits.
func (l *Links) Keep(peers []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	for name, k := range l.links {
		if k.kept = slices.Contains(peers, name); !k.kept {
			l.forget(k)
		}
	}
	for _, name := range peers {
		if k := l.link(name); k != nil {
			k.kept = true
			l.redial(k)
		}
	}
}

// Links appends the connections that are there now to buf, ascending by peer.
func (l *Links) Links(buf []transport.Link) []transport.Link {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := len(buf)
	for name, k := range l.links {
		if k.conn != nil {
			k.told = len(k.queue) > 0
			buf = append(buf, transport.Link{Peer: name, Life: k.life, Busy: k.told})
		}
	}
	slices.SortFunc(buf[from:], func(a, b transport.Link) int { return strings.Compare(a.Peer, b.Peer) })
	return buf
}

// Changed returns a channel, always the same, of capacity 1. It holds a token when a
// connection came or went since Links was called last, or one that was busy then is
// not any more.
func (l *Links) Changed() <-chan struct{} { return l.changed }

// tellChange fills the channel of Changed. l.mu is held.
func (l *Links) tellChange() {
	select {
	case l.changed <- struct{}{}:
	default: // the last one was not seen yet
	}
}

// unlink leaves a link without a connection; what should always have one gets another.
// l.mu is held.
func (l *Links) unlink(k *link) {
	k.conn, k.told = nil, false
	l.tellChange()
	if k.kept {
		l.redial(k)
	}
}

// redial dials a peer to which there is no connection. l.mu is held.
func (l *Links) redial(k *link) {
	if k.conn == nil && !k.dialing && !l.closed {
		k.dialing = true
		l.wg.Go(func() { l.dial(k) })
	}
}
