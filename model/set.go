package model

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strings"
)

var (
	_ Handle   = (*Set[int])(nil)
	_ Typed    = (*Set[int])(nil)
	_ Verifier = (*Set[int])(nil)
)

// Set is any number of replicated sets, each under a name: an element is in a set if
// some add of it has been seen by no remove; so of an add and a remove at the same time
// the add wins. Any string is a name; a set that nothing was added to is empty.
//
//	var carts model.Set[string]
//	err := node.Attach("carts", &carts)
//
// Two elements are the same if their encodings are. The zero value is ready to be
// attached; before that all sets are empty. Once attached, methods are safe for
// concurrent use. Apply, Discard, Supersedes and Bind are for the node.
//
// An element costs one update, and one more for each node that added it while it had
// not seen the others do that. A removed element costs a tombstone until that is
// collected. Each update carries what it has seen of its element: up to 12 bytes for
// each replica that wrote to it, less what is known to be everywhere.
type Set[T any] struct {
	// Codec encodes elements, equal ones alike. Nil: []byte and string are stored as
	// they are, everything else as msgpack. Set it before attaching.
	Codec Codec[T]

	host  Host
	codec Codec[T]
	sets  table[*siblings] // by name; of each element those of its updates' key
	odd   siblings         // updates whose keys make no sense; nobody looks at them
}

// Add puts elements into the set of this name, here at once and on all other nodes in
// time. Adding one that is there already is a write, too: it wins over removes that are
// made elsewhere now. It returns what [Map.Set] does, under the same conditions; with an
// error, nothing was added.
func (m *Set[T]) Add(ctx context.Context, set string, elems ...T) error {
	return m.add(ctx, true, set, elems)
}

// TryAdd is [Set.Add], but where that would wait for its turn it returns
// gossip.ErrThrottled at once.
func (m *Set[T]) TryAdd(ctx context.Context, set string, elems ...T) error {
	return m.add(ctx, false, set, elems)
}

func (m *Set[T]) add(ctx context.Context, wait bool, set string, elems []T) error {
	return m.write(ctx, wait, set, elems, func(tx *Tx, s *siblings, key []byte) {
		tx.Put(Draft{Key: key, Context: s.context(aliasOf(key), stableOf(m.host))})
	})
}

// Remove takes elements out of the set of this name. Those that are not there are
// left out. Otherwise it is like [Set.Add].
func (m *Set[T]) Remove(ctx context.Context, set string, elems ...T) error {
	return m.write(ctx, true, set, elems, func(tx *Tx, s *siblings, key []byte) { m.drop(tx, s, key) })
}

func (m *Set[T]) drop(tx *Tx, s *siblings, key []byte) {
	if anyLive(s.groups.get(string(key))) != nil {
		tx.Put(Draft{Key: key, Kind: Tombstone, Context: s.context(aliasOf(key), stableOf(m.host))})
	}
}

// Clear takes all elements out of the set of this name that this node sees there, by
// an update for each. Otherwise it is like [Set.Add].
func (m *Set[T]) Clear(ctx context.Context, set string) error {
	if m.host == nil {
		return ErrDetached
	}
	return m.host.Write(ctx, true, func(tx *Tx) error {
		s := m.set(set)
		found := s.collect()
		sortByKey(found)
		for _, u := range found {
			m.drop(tx, s, bytes.Clone(u.Key))
		}
		return nil
	})
}

// write encodes elements and calls put for each of them, in order of keys.
func (m *Set[T]) write(ctx context.Context, wait bool, set string, elems []T, put func(tx *Tx, s *siblings, key []byte)) error {
	if m.host == nil {
		return ErrDetached
	}
	keys := make([][]byte, len(elems))
	for i, e := range elems {
		key, err := m.key(set, e)
		if err != nil {
			return fmt.Errorf("model: encode element of %q: %w", set, err)
		}
		keys[i] = key
	}
	slices.SortFunc(keys, bytes.Compare)
	keys = slices.CompactFunc(keys, bytes.Equal)
	return m.host.Write(ctx, wait, func(tx *Tx) error {
		s := m.set(set)
		for _, key := range keys {
			put(tx, s, key)
		}
		return nil
	})
}

// Contains reports whether an element is in the set of this name.
func (m *Set[T]) Contains(set string, elem T) bool {
	if m.host == nil {
		return false
	}
	key, err := m.key(set, elem)
	if err != nil {
		return false
	}
	defer m.host.RUnlock(m.host.RLock())
	return anyLive(m.set(set).groups.get(string(key))) != nil
}

// Len returns the number of elements of the set of this name, those that do not decode
// included.
func (m *Set[T]) Len(set string) int {
	if m.host == nil {
		return 0
	}
	defer m.host.RUnlock(m.host.RLock())
	return m.set(set).live
}

// All iterates over the elements of the set of this name, in order of their encodings,
// as they were when the iteration began: the loop may write. Elements that the codec
// cannot decode are skipped.
func (m *Set[T]) All(set string) iter.Seq[T] {
	return func(yield func(T) bool) {
		if m.host == nil {
			return
		}
		reader := m.host.RLock()
		found := m.set(set).collect()
		m.host.RUnlock(reader)
		sortByKey(found)
		for _, u := range found {
			if elem, ok := m.elem(u.Key); ok && !yield(elem) {
				return
			}
		}
	}
}

// Names iterates over the names of all sets that have elements, in order.
func (m *Set[T]) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		if m.host == nil {
			return
		}
		reader := m.host.RLock()
		names := make([]string, 0, m.sets.len())
		for name, s := range m.sets.all() { // order: sorted below
			if s.live > 0 {
				names = append(names, name)
			}
		}
		m.host.RUnlock(reader)
		slices.Sort(names)
		for _, name := range names {
			if !yield(name) {
				return
			}
		}
	}
}

// Type implements [Typed].
func (m *Set[T]) Type() string { return "set" }

// Apply implements [Model].
func (m *Set[T]) Apply(u *Update) Effect {
	s := m.of(u)
	if s == nil {
		name, _, _ := splitKey(u.Key)
		s = new(siblings)
		m.sets.set(strings.Clone(name), s)
	}
	return s.apply(u)
}

// Discard implements [Model].
func (m *Set[T]) Discard(u *Update) {
	s := m.of(u)
	if s == nil {
		return
	}
	s.remove(u)
	if name, _, ok := splitKey(u.Key); ok && s.groups.len() == 0 {
		m.sets.remove(name)
	}
}

// Verify implements [Verifier].
func (m *Set[T]) Verify(u *Update) bool {
	s := m.of(u)
	return s != nil && s.holds(u)
}

// Supersedes implements [Model]: a was written by somebody who had seen b.
func (m *Set[T]) Supersedes(a, b *Update) bool { return hasSeen(a, b) }

// Bind implements [Handle].
func (m *Set[T]) Bind(h Host) error {
	if m.host != nil {
		return errBound
	}
	m.host, m.codec = h, m.Codec
	if m.codec == nil {
		m.codec = defaultCodec[T]()
	}
	return nil
}

// set returns the set of this name; an empty one if there is none.
func (m *Set[T]) set(name string) *siblings {
	if s := m.sets.get(name); s != nil {
		return s
	}
	return new(siblings)
}

// of returns the set that an update is about, nil if there is none yet.
func (m *Set[T]) of(u *Update) *siblings {
	name, _, ok := splitKey(u.Key)
	if !ok {
		return &m.odd
	}
	return m.sets.get(name)
}

// A key is the set's name, its length in front, and the encoded element.

func (m *Set[T]) key(set string, elem T) ([]byte, error) {
	return m.codec.Append(appendString(nil, set), elem)
}

// elem returns the element of a key, and false if it does not decode.
func (m *Set[T]) elem(key []byte) (elem T, ok bool) {
	_, b, ok := splitKey(key)
	if !ok {
		return elem, false
	}
	elem, err := m.codec.Decode(b)
	if err != nil {
		var zero T
		return zero, false
	}
	return elem, true
}

// splitKey takes a key apart. The name aliases it.
func splitKey(key []byte) (name string, elem []byte, ok bool) {
	n, size := binary.Uvarint(key)
	if size <= 0 || n > uint64(len(key)-size) {
		return "", nil, false
	}
	end := size + int(n)
	return aliasOf(key[size:end]), key[end:], true
}
