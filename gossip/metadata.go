package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

const (
	// reserved begins the names of a node's own spaces.
	reserved = "gossip:"
	// metadataSpace has what nodes say of themselves.
	metadataSpace = reserved + "metadata"
)

// described is what nodes say of themselves.
type described struct {
	values model.Presence[[]byte]

	mu      sync.Mutex
	changed chan struct{} // closed when values may show something else
	wanted  []byte        // what this node could not say yet; nil if nothing
}

// signal says that values may show something else.
func (d *described) signal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.changed != nil {
		close(d.changed)
		d.changed = nil
	}
}

// next returns a channel that is closed when values may show something else than they
// do from now on.
func (d *described) next() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.changed == nil {
		d.changed = make(chan struct{})
	}
	return d.changed
}

// settle says what could not be said before.
func (d *described) settle(ctx context.Context) error {
	d.mu.Lock()
	wanted := d.wanted
	d.mu.Unlock()
	if wanted == nil {
		return nil
	}
	return d.set(ctx, wanted)
}

func (d *described) set(ctx context.Context, metadata []byte) error {
	err := d.values.Set(ctx, metadata)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wanted = nil; errors.Is(err, engine.ErrJoining) {
		d.wanted = metadata
	}
	return err
}

// describe attaches the metadata, and says this node's first.
func (n *Node) describe() error {
	if err := n.attach(metadataSpace, &n.described.values, SpaceConfig{}); err != nil {
		return err
	}
	if n.cfg.Metadata == nil {
		return nil
	}
	if n.joining != nil {
		n.described.wanted = bytes.Clone(n.cfg.Metadata) // it is said later
		n.tenders.signal()
		return nil
	}
	if err := n.described.set(context.Background(), bytes.Clone(n.cfg.Metadata)); err != nil {
		return fmt.Errorf("gossip: Config.Metadata: %w", err)
	}
	return nil
}

// SetMetadata changes what this node says of itself, which all others see in Members:
// its role, say, or where its service listens, in any form, up to Config.MaxUpdate. It
// reaches them like any write. Nil takes it away. It returns what a handle's Set does.
func (n *Node) SetMetadata(ctx context.Context, metadata []byte) error {
	if metadata == nil {
		n.described.mu.Lock()
		n.described.wanted = nil
		n.described.mu.Unlock()
		return n.described.values.Delete(ctx)
	}
	return n.described.set(ctx, bytes.Clone(metadata))
}

// withMetadata adds what members say of themselves.
func (n *Node) withMetadata(members []transport.Member) []Member {
	if members == nil {
		return nil
	}
	all := make([]Member, len(members))
	for i, m := range members {
		all[i].Member = m
		all[i].Metadata, _ = n.described.values.Get(m.Name)
	}
	return all
}
