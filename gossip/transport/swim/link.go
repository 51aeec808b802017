package swim

import (
	"context"
	"fmt"
	"net"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/stream"
)

var _ stream.NowWriter = (*conn)(nil) // else every message costs a goroutine

// newLinks returns what carries stream messages: connections that stay, on the port of
// membership, to peers that membership knows.
func (t *Transport) newLinks() (*stream.Links, error) {
	return stream.New(stream.Config{
		Name: t.cfg.Name, Cluster: t.cfg.Cluster, Key: t.cfg.Key,
		Dial: t.dialLink, Deliver: t.deliver, IsMember: t.isMember, IsCut: t.isCut,
		MaxMessage: t.cfg.MaxStream, CompressAbove: t.cfg.CompressAbove, SendQueue: t.cfg.SendQueue, SendBytes: t.cfg.SendBytes,
		MaxLinks: t.cfg.MaxLinks, Timeout: t.cfg.TCPTimeout, Logger: t.cfg.Logger,
	})
}

// dialLink connects to where membership says that a peer is.
func (t *Transport) dialLink(ctx context.Context, name string) (net.Conn, error) {
	p, ok := t.roster.find(name)
	if !ok {
		return nil, fmt.Errorf("swim: %q: %w", name, transport.ErrNoPeer)
	}
	return t.socks.dial(ctx, p.addr.String())
}

// deliver queues a message that came over a link, as soon as there is room: meanwhile
// its sender waits.
func (t *Transport) deliver(msg []byte) {
	size := len(msg)
	p := transport.Packet{Channel: transport.Stream, Bytes: msg, Release: t.free}
	if t.inbox.await(p) {
		t.count.inc(streamsIn)
		t.count.add(streamBytesIn, size)
	}
}

func (t *Transport) isMember(name string) bool {
	p, ok := t.roster.find(name)
	return ok && p.state <= transport.Suspect
}

// isCut reports whether tests keep what goes to a peer from arriving.
func (t *Transport) isCut(name string) bool {
	if !t.socks.diverts() {
		return false
	}
	p, ok := t.roster.find(name)
	return ok && t.socks.routed(p.addr.String(), transport.Stream) == ""
}

// Link implements transport.Linker.
func (t *Transport) Link(peers []string) { t.links.Keep(peers) }

// Links implements transport.Linker.
func (t *Transport) Links(buf []transport.Link) []transport.Link { return t.links.Links(buf) }

// Changed implements transport.Linker.
func (t *Transport) Changed() <-chan struct{} { return t.links.Changed() }
