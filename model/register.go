package model

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

var (
	_ Handle   = (*Register[int])(nil)
	_ Typed    = (*Register[int])(nil)
	_ Verifier = (*Register[int])(nil)
)

// Register is any number of replicated registers, each under a name: a write takes the
// place of the values that its writer sees, so of writes at the same time all values
// stay, until somebody writes who has seen them. Any string is a name.
//
//	var drafts model.Register[Document]
//	err := node.Attach("drafts", &drafts)
//
// The zero value is ready to be attached; before that all registers are empty. Once
// attached, methods are safe for concurrent use. Apply, Discard, Supersedes and Bind are
// for the node.
type Register[V any] struct {
	// Codec encodes values. Nil: []byte and string are stored as they are, everything
	// else as msgpack. Set it before attaching.
	Codec Codec[V]

	host  Host
	codec Codec[V]
	all   siblings
}

// Sibling is one of the values of a register, and the write that it is from.
type Sibling[V any] struct {
	Value   V
	Replica clock.Replica
	Time    clock.Timestamp
}

// Set gives the register of this name one value, in the place of all that this node
// sees there; here at once and on all other nodes in time. It returns what [Map.Set]
// does, under the same conditions.
func (m *Register[V]) Set(ctx context.Context, name string, value V) error {
	return m.set(ctx, true, name, value)
}

// TrySet is [Register.Set], but where that would wait for its turn it returns
// gossip.ErrThrottled at once.
func (m *Register[V]) TrySet(ctx context.Context, name string, value V) error {
	return m.set(ctx, false, name, value)
}

func (m *Register[V]) set(ctx context.Context, wait bool, name string, value V) error {
	if m.host == nil {
		return ErrDetached
	}
	b, err := m.encode(name, value)
	if err != nil {
		return err
	}
	return m.host.Write(ctx, wait, func(tx *Tx) error {
		m.put(tx, name, b)
		return nil
	})
}

// Resolve makes one value of several: if the register of this name has more than one,
// it sets it to what f makes of them, the newest first, in one step. Otherwise it
// writes nothing. Two nodes that resolve at the same time leave two values, which are
// one if they are the same: so f should depend on nothing but the values, and not on
// their order.
//
// f runs while the whole node waits, as that of [Map.Update] does, and may run twice
// like it. In everything else Resolve is like [Map.Set].
func (m *Register[V]) Resolve(ctx context.Context, name string, f func(values []V) V) error {
	if m.host == nil {
		return ErrDetached
	}
	return m.host.Write(ctx, true, func(tx *Tx) error {
		found := m.siblings(distinct(m.all.groups.get(name)))
		if len(found) < 2 {
			return nil
		}
		values := make([]V, len(found))
		for i, s := range found {
			values[i] = s.Value
		}
		b, err := m.encode(name, f(values))
		if err != nil {
			return err
		}
		m.put(tx, name, b)
		return nil
	})
}

// Delete takes all values that this node sees out of the register of this name. If
// there are none it writes nothing. Otherwise it is like [Map.Set].
func (m *Register[V]) Delete(ctx context.Context, name string) error {
	if m.host == nil {
		return ErrDetached
	}
	return m.host.Write(ctx, true, func(tx *Tx) error {
		if anyLive(m.all.groups.get(name)) != nil {
			tx.Put(Draft{Key: []byte(name), Kind: Tombstone, Context: m.all.context(name, stableOf(m.host))})
		}
		return nil
	})
}

// Values returns the values of the register of this name, the newest first: one, or
// several if they were set at the same time; none if it was never set, or deleted.
// Equal ones, by their encodings, are one. Those that do not decode are left out.
func (m *Register[V]) Values(name string) []Sibling[V] {
	if m.host == nil {
		return nil
	}
	reader := m.host.RLock()
	group := m.all.groups.get(name)
	m.host.RUnlock(reader)
	return m.siblings(distinct(group))
}

// Get returns the newest value of the register of this name, and whether there is one.
func (m *Register[V]) Get(name string) (value V, ok bool) {
	if all := m.Values(name); len(all) > 0 {
		return all[0].Value, true
	}
	return value, false
}

// Len returns the number of registers that have values, those with values that do not
// decode included.
func (m *Register[V]) Len() int {
	if m.host == nil {
		return 0
	}
	defer m.host.RUnlock(m.host.RLock())
	return m.all.live
}

// All iterates over all registers that have values, in order of names, as they were
// when the iteration began: the loop may write.
func (m *Register[V]) All() iter.Seq2[string, []Sibling[V]] {
	return func(yield func(string, []Sibling[V]) bool) {
		for _, group := range m.snapshot() {
			if found := m.siblings(group); len(found) > 0 && !yield(string(group[0].Key), found) {
				return
			}
		}
	}
}

// snapshot returns what all registers show.
func (m *Register[V]) snapshot() [][]*Update {
	if m.host == nil {
		return nil
	}
	reader := m.host.RLock()
	groups := make([][]*Update, 0, m.all.groups.len())
	for _, group := range m.all.groups.all() { // order: sorted below
		groups = append(groups, group)
	}
	m.host.RUnlock(reader)
	shown := groups[:0]
	for _, group := range groups {
		if group = distinct(group); len(group) > 0 {
			shown = append(shown, group)
		}
	}
	slices.SortFunc(shown, func(a, b []*Update) int { return bytes.Compare(a[0].Key, b[0].Key) })
	return shown
}

// Type implements [Typed].
func (m *Register[V]) Type() string { return "register" }

// Apply implements [Model].
func (m *Register[V]) Apply(u *Update) Effect { return m.all.apply(u) }

// Discard implements [Model].
func (m *Register[V]) Discard(u *Update) { m.all.remove(u) }

// Verify implements [Verifier].
func (m *Register[V]) Verify(u *Update) bool { return m.all.holds(u) }

// Supersedes implements [Model]: a was written by somebody who had seen b.
func (m *Register[V]) Supersedes(a, b *Update) bool { return hasSeen(a, b) }

// Bind implements [Handle].
func (m *Register[V]) Bind(h Host) error {
	if m.host != nil {
		return errBound
	}
	m.host, m.codec = h, m.Codec
	if m.codec == nil {
		m.codec = defaultCodec[V]()
	}
	return nil
}

func (m *Register[V]) put(tx *Tx, name string, value []byte) {
	tx.Put(Draft{Key: []byte(name), Value: value, Context: m.all.context(name, stableOf(m.host))})
}

func (m *Register[V]) encode(name string, value V) ([]byte, error) {
	b, err := m.codec.Append(nil, value)
	if err != nil {
		return nil, fmt.Errorf("model: encode value of %q: %w", name, err)
	}
	return b, nil
}

// siblings decodes what is shown.
func (m *Register[V]) siblings(shown []*Update) []Sibling[V] {
	var all []Sibling[V]
	for _, u := range shown {
		if v, err := m.codec.Decode(u.Value); err == nil {
			all = append(all, Sibling[V]{v, u.Replica, u.Time})
		}
	}
	return all
}

// distinct returns those of a group that are shown, the newest first: not tombstones,
// and of equal values the newest.
func distinct(group []*Update) []*Update {
	var shown []*Update
	for _, u := range slices.Backward(group) {
		same := func(o *Update) bool { return bytes.Equal(o.Value, u.Value) }
		if !u.IsTombstone() && !slices.ContainsFunc(shown, same) {
			shown = append(shown, u)
		}
	}
	return shown
}
