package model

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

var (
	_ Tender        = (*Presence[int])(nil)
	_ Typed         = (*Presence[int])(nil)
	_ Verifier      = (*Presence[int])(nil)
	_ MemberWatcher = (*presenceWatcher)(nil)
)

// Presence is one value for each node of the cluster, which only the node itself sets:
// the latest one counts, and anything that a later life of the node does is later.
//
//	var roles model.Presence[Role]
//	err := node.Attach("roles", &roles)
//
// The value of a node that fails or leaves is hidden, on each node as its own
// membership says, and shown again when the node returns. It belongs to one life: a
// node that starts again shows nothing until it sets something. When a node is gone
// for good one of the others withdraws its value, so that nothing is kept for it; if it
// does return, in the same life, it sets its value again by itself.
//
// The zero value is ready to be attached; before that there are no values. Once
// attached, methods are safe for concurrent use. Apply, Discard, Supersedes, Bind and
// Tend are for the node.
type Presence[V any] struct {
	// Codec encodes values. Nil: []byte and string are stored as they are, everything
	// else as msgpack. Set it before attaching.
	Codec Codec[V]

	host    Host
	self    SelfHost
	members MemberHost // nil: everybody is present
	codec   Codec[V]
	nodes   table[*Update] // the retained update about each node
	own     *Update        // the value that this life set last; nil if none, or deleted
	last    [1]*Update     // backs the last Effect's Superseded
}

// Set gives this node a value, here at once and on all other nodes in time. It returns
// what [Map.Set] does, under the same conditions.
func (m *Presence[V]) Set(ctx context.Context, value V) error { return m.set(ctx, true, value) }

// TrySet is [Presence.Set], but where that would wait for its turn it returns
// gossip.ErrThrottled at once.
func (m *Presence[V]) TrySet(ctx context.Context, value V) error { return m.set(ctx, false, value) }

func (m *Presence[V]) set(ctx context.Context, wait bool, value V) error {
	if m.host == nil {
		return ErrDetached
	}
	b, err := m.codec.Append(nil, value)
	if err != nil {
		return fmt.Errorf("model: encode value: %w", err)
	}
	return m.host.Write(ctx, wait, func(tx *Tx) error {
		tx.Put(Draft{Value: b})
		return nil
	})
}

// Delete takes this node's value away. If it has none it writes nothing. Otherwise it
// is like [Presence.Set].
func (m *Presence[V]) Delete(ctx context.Context) error {
	if m.host == nil {
		return ErrDetached
	}
	return m.host.Write(ctx, true, func(tx *Tx) error {
		if u := m.nodes.get(m.self.Self().Node); isLive(u) {
			tx.Put(withdrawal(u))
		}
		return nil
	})
}

// Get returns the value of a node that is present, and whether there is one. A value
// that the codec cannot decode counts as absent.
func (m *Presence[V]) Get(node string) (value V, ok bool) {
	if m.host == nil {
		return value, false
	}
	reader := m.host.RLock()
	u := m.shown(node)
	m.host.RUnlock(reader)
	return m.value(u)
}

// All iterates over the nodes that are present and have values, in order of names, as
// they were when the iteration began: the loop may write.
func (m *Presence[V]) All() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		if m.host == nil {
			return
		}
		reader := m.host.RLock()
		names := m.names("")
		found := make([]*Update, len(names))
		for i, name := range names {
			found[i] = m.nodes.get(name)
		}
		m.host.RUnlock(reader)
		for i, u := range found {
			if v, ok := m.value(u); ok && !yield(names[i], v) {
				return
			}
		}
	}
}

// Len returns the number of nodes that are present and have values, those with values
// that do not decode included.
func (m *Presence[V]) Len() int {
	if m.host == nil {
		return 0
	}
	defer m.host.RUnlock(m.host.RLock())
	n := 0
	for name := range m.nodes.all() { // order: a sum
		if m.shown(name) != nil {
			n++
		}
	}
	return n
}

// Tend implements [Tender]. It withdraws what an earlier life of this node has set, and,
// if this node is the first of those present, what nodes have set that are gone for
// good; and sets this node's value again if others have withdrawn it.
func (m *Presence[V]) Tend(ctx context.Context) error {
	if m.host == nil {
		return ErrDetached
	}
	reader := m.host.RLock()
	due := m.tend(nil)
	m.host.RUnlock(reader)
	if !due {
		return nil
	}
	return m.host.Write(ctx, true, func(tx *Tx) error {
		m.tend(tx)
		return nil
	})
}

// tend writes what is due, and without a Tx says whether anything may be.
func (m *Presence[V]) tend(tx *Tx) (due bool) {
	put := func(d Draft) {
		if due = true; tx != nil {
			tx.Put(d)
		}
	}
	self := m.self.Self()
	switch u := m.nodes.get(self.Node); {
	case u != nil && rankOf(u).epoch > self.Epoch: // a later life; this one is about to be another (R1)
	case m.own != nil && !isLive(u):
		put(Draft{Value: m.own.Value})
	case m.own == nil && isLive(u) && u.Replica.Epoch < self.Epoch:
		put(withdrawal(u))
	}
	if m.members == nil || tx != nil && !m.members.First() {
		return due
	}
	var gone []string
	for name, u := range m.nodes.all() { // order: sorted below
		if isLive(u) && name != self.Node && m.members.Standing(name, u.Time) == Removed {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	for _, name := range gone {
		put(withdrawal(m.nodes.get(name)))
	}
	return due
}

// Type implements [Typed].
func (m *Presence[V]) Type() string { return "presence" }

// Apply implements [Model].
func (m *Presence[V]) Apply(u *Update) Effect {
	name := nodeOf(u)
	old := m.nodes.get(name)
	if old != nil {
		switch c := compareRanks(u, old); {
		case c < 0:
			return Effect{Redundant: true}
		case c == 0:
			return Effect{}
		}
		m.nodes.remove(name) // the key may alias the old update
	}
	m.nodes.set(name, u)
	if self := m.writer(); self == u.Replica && self.Node == name {
		if m.own = u; u.IsTombstone() {
			m.own = nil
		}
	}
	if old == nil {
		return Effect{}
	}
	m.last[0] = old
	return Effect{Superseded: m.last[:]}
}

// Discard implements [Model].
func (m *Presence[V]) Discard(u *Update) {
	if old := m.nodes.get(nodeOf(u)); old != nil && old.Dot == u.Dot {
		m.nodes.remove(nodeOf(u))
	}
}

// Verify implements [Verifier].
func (m *Presence[V]) Verify(u *Update) bool { return isHeld(m.nodes.get(nodeOf(u)), u) }

// Supersedes implements [Model]: of what is said about one node the latest counts.
func (m *Presence[V]) Supersedes(a, b *Update) bool {
	return nodeOf(a) == nodeOf(b) && compareRanks(a, b) > 0
}

// Bind implements [Handle].
func (m *Presence[V]) Bind(h Host) error {
	if m.host != nil {
		return errBound
	}
	self, ok := h.(SelfHost)
	if !ok {
		return errNoSelf
	}
	m.members, _ = h.(MemberHost)
	m.host, m.self, m.codec = h, self, m.Codec
	if m.codec == nil {
		m.codec = defaultCodec[V]()
	}
	return nil
}

// writer returns the replica that this node writes as; none while it is detached.
func (m *Presence[V]) writer() clock.Replica {
	if m.self == nil {
		return clock.Replica{}
	}
	return m.self.Self()
}

// shown returns what is shown of a node, nil if nothing is.
func (m *Presence[V]) shown(node string) *Update {
	u := m.nodes.get(node)
	if !isLive(u) || m.members != nil && m.members.Standing(node, u.Time) != Present {
		return nil
	}
	return u
}

// names returns the nodes with a prefix of which something is shown, in order.
func (m *Presence[V]) names(prefix string) []string {
	var names []string
	for name := range m.nodes.all() { // order: sorted below
		if strings.HasPrefix(name, prefix) && m.shown(name) != nil {
			names = append(names, strings.Clone(name))
		}
	}
	slices.Sort(names)
	return names
}

// value returns what an update shows; none, or a value that does not decode, shows
// nothing.
func (m *Presence[V]) value(u *Update) (v V, ok bool) {
	if u == nil {
		return v, false
	}
	v, err := m.codec.Decode(u.Value)
	if err != nil {
		var zero V
		return zero, false
	}
	return v, true
}

// A value has no key: it is about the node that wrote it. A withdrawal has the node as
// its key, and as its value which of the node's updates is the last that it is about:
// so any node may write it.

func withdrawal(u *Update) Draft {
	r := rankOf(u)
	value := binary.AppendUvarint(binary.AppendUvarint(nil, r.epoch), uint64(r.version))
	return Draft{Key: []byte(nodeOf(u)), Kind: Tombstone, Value: value}
}

// nodeOf returns the node that an update is about. It may alias the update.
func nodeOf(u *Update) string {
	if u.IsTombstone() {
		return keyOf(u)
	}
	return u.Replica.Node
}

// rank is the place of an update among those about its node.
type rank struct {
	epoch   uint64
	version clock.Version
}

func rankOf(u *Update) rank {
	if !u.IsTombstone() {
		return rank{u.Replica.Epoch, u.Version}
	}
	r := reader{u.Value}
	return rank{r.uint(), clock.Version(r.uint())}
}

// compareRanks orders what is said about one node: a withdrawal comes just after the
// value that it withdraws.
func compareRanks(a, b *Update) int {
	r, s := rankOf(a), rankOf(b)
	if c := cmp.Or(cmp.Compare(r.epoch, s.epoch), cmp.Compare(r.version, s.version)); c != 0 {
		return c
	}
	if a.IsTombstone() != b.IsTombstone() {
		if a.IsTombstone() {
			return 1
		}
		return -1
	}
	return compare(a, b)
}
