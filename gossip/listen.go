package gossip

import (
	"context"
	"errors"
	"fmt"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
)

// maxStream is the least that a stream message may have, in bytes; an update of
// Config.MaxUpdate needs streamRoom more.
const (
	maxStream  = 4 << 20
	streamRoom = 128 << 10
)

// transportError is what a transport may have: the reason why it stopped by
// itself.
type transportError interface {
	Err() error
}

// listen opens the sockets and joins the cluster.
func listen(ctx context.Context, cfg Config) (transport.Transport, error) {
	t, err := swim.Start(ctx, swim.Config{
		Name: cfg.Name, Cluster: cfg.Cluster, Key: cfg.Key,
		Bind: cfg.Bind, Advertise: cfg.Advertise, Join: cfg.Join,
		MaxDatagram: cfg.MaxDatagram, MaxStream: max(maxStream, cfg.MaxUpdate+streamRoom), CompressAbove: cfg.CompressAbove,
		RemoveAfter: cfg.RemoveAfter, Logger: cfg.Logger,
	})
	switch {
	case errors.Is(err, swim.ErrNameTaken):
		return nil, fmt.Errorf("%w: %q", ErrNameTaken, cfg.Name)
	case err != nil:
		return nil, fmt.Errorf("gossip: start: %w", err)
	}
	return t, nil
}

// failure says why the transport stopped though nobody closed it.
func (n *Node) failure() error {
	t, ok := n.transport.(transportError)
	switch {
	case !ok:
		return fmt.Errorf("%w: its transport was closed", ErrClosed)
	case errors.Is(t.Err(), swim.ErrNameTaken):
		return fmt.Errorf("%w: %w", ErrClosed, ErrNameTaken)
	default:
		return fmt.Errorf("%w: its transport stopped: %w", ErrClosed, t.Err())
	}
}
