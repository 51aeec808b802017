package gossip

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// SpaceConfig says how a node carries a space. The zero value is what Attach takes.
//
// Limits refuse writes of this node only, with [ErrQuota]; what others write is always
// taken, so that all stay equal. A space that is over a limit still takes deletes, and
// writes that do not make it larger.
type SpaceConfig struct {
	MaxKeys  int   // values that it may hold: keys of a map, retained updates of another model; default no limit
	MaxBytes int64 // bytes of keys and values that it may hold, of deleted keys that are not collected yet, too; default no limit
}

// Validate reports the first field that cannot be used: "gossip: SpaceConfig.MaxKeys: …".
func (c SpaceConfig) Validate() error {
	switch {
	case c.MaxKeys < 0:
		return fmt.Errorf("gossip: SpaceConfig.MaxKeys: %d is negative", c.MaxKeys)
	case c.MaxBytes < 0:
		return fmt.Errorf("gossip: SpaceConfig.MaxBytes: %d is negative", c.MaxBytes)
	}
	return nil
}

// Attach makes h the model of a space, a name of 1 to 128 bytes of UTF-8, and
// applies what is known of that space before it returns. Nodes attach a space
// whenever they like; those that do not still pass its updates on. All nodes must
// attach the same type of model. Names that begin with "gossip:" are the node's own.
// Errors: ErrAttached, ErrModelType, ErrClosed, or that the handle is attached
// already.
func (n *Node) Attach(space string, h model.Handle) error {
	return n.AttachWith(space, h, SpaceConfig{})
}

// AttachWith is [Node.Attach] with limits.
func (n *Node) AttachWith(space string, h model.Handle, cfg SpaceConfig) error {
	switch {
	case space == "" || len(space) > engine.MaxName:
		return fmt.Errorf("gossip: space name of %d bytes, from 1 to %d", len(space), engine.MaxName)
	case !utf8.ValidString(space):
		return fmt.Errorf("gossip: space name %q is not UTF-8", space)
	case strings.HasPrefix(space, reserved):
		return fmt.Errorf("gossip: space name %q begins with %q, which is the node's own", space, reserved)
	}
	if err := cfg.Validate(); err != nil {
		return err
	}
	return n.attach(space, h, cfg)
}

func (n *Node) attach(space string, h model.Handle, cfg SpaceConfig) error {
	return n.do(func(now time.Time) (engine.Output, error) {
		if err := n.engine.Attachable(space, h); err != nil { // before h is bound for good
			return engine.Output{}, err
		}
		host := &host{node: n, space: space, model: h}
		if err := h.Bind(host); err != nil {
			return engine.Output{}, err
		}
		if err := n.engine.Attach(space, h); err != nil {
			return engine.Output{}, err
		}
		n.engine.SetLimits(space, engine.Limits{MaxKeys: cfg.MaxKeys, MaxBytes: cfg.MaxBytes})
		n.spaces[space] = host
		if t, ok := h.(model.Tender); ok {
			n.tenders.set(space, t)
			n.tenders.signal()
		}
		return n.engine.Expire(now), nil // what has expired long ago does not show at all
	})
}

// emptied is how many updates Detach takes out of a model at a time: readers of other
// spaces wait for no more.
const emptied = 1024

// Detach takes the model from a space. From then on its handle's writes return
// [model.ErrDetached] and its watches end, and once Detach has returned it reads as
// empty. The node goes on to pass the updates of the space on; Attach it again, with a
// new handle, and everything is there. Errors: ErrNotAttached, ErrClosed.
func (n *Node) Detach(space string) error {
	var h *host
	var retained []*model.Update
	err := n.do(func(time.Time) (engine.Output, error) {
		if h = n.spaces[space]; h == nil || strings.HasPrefix(space, reserved) {
			return engine.Output{}, fmt.Errorf("%w: %q", ErrNotAttached, space)
		}
		h.detached = true
		delete(n.spaces, space)
		n.watches.end(space)
		n.tenders.set(space, nil)
		retained = n.engine.Detach(space)
		return engine.Output{}, nil
	})
	if err != nil {
		return err
	}
	// What builds on others goes before them.
	slices.SortFunc(retained, func(a, b *model.Update) int {
		return -cmp.Or(cmp.Compare(a.Time, b.Time), a.Dot.Compare(b.Dot))
	})
	for some := range slices.Chunk(retained, emptied) {
		h.empty(some)
	}
	return nil
}

// empty takes updates out of a model that is not attached any more.
func (h *host) empty(updates []*model.Update) {
	h.node.mu.Lock()
	defer h.node.mu.Unlock()
	for _, u := range updates {
		h.model.Discard(u)
	}
}

// newConflicts returns the spaces of which another node has been seen to have a model
// of another type, each once. mu is held.
func (n *Node) newConflicts() (found []engine.SpaceStatus) {
	count := n.engine.Stats().TypeConflicts
	if count == n.conflicts {
		return nil
	}
	n.conflicts = count
	for _, s := range n.engine.Spaces() {
		if s.Conflict == "" {
			continue
		}
		if h := n.spaces[s.Space]; h.conflict == "" {
			h.conflict = s.Conflict
			found = append(found, s)
		}
	}
	return found
}
