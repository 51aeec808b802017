package model

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

var (
	_ Handle   = (*Map[int])(nil)
	_ Typed    = (*Map[int])(nil)
	_ Preparer = (*Map[int])(nil)
	_ Finder   = (*Map[int])(nil)
	_ Verifier = (*Map[int])(nil)

	errBound = errors.New("model: handle is attached already")
)

// Map is a replicated map from strings to values: of the writes to one key the
// one with the largest (timestamp, replica, version) wins; a delete is a write.
// Any string is a key, the empty one included. The zero value is ready to be
// attached:
//
//	var colours model.Map[string]
//	err := node.Attach("colours", &colours)
//
// Before that it reads as empty. Once attached, methods are safe for concurrent
// use. Apply, Find, Discard, Supersedes and Bind are for the node.
type Map[V any] struct {
	// Codec encodes values. Nil: []byte and string are stored as they are,
	// everything else as msgpack. Set it before attaching.
	Codec Codec[V]

	host    Host
	drafts  DraftHost // host, if it is one
	codec   Codec[V]
	plain   aliaser[V]      // codec, if it is one
	index   index           // the retained update of every key, tombstones included
	live    int             // entries of index that show
	past    clock.Timestamp // what expires up to here does not show
	found   found           // by Find, until Apply is called
	touched uint32          // nothing; who sets it has looked
	last    [1]*Update      // backs the last Effect's Superseded
}

// Set gives key a value on this node at once, and on all others in time. It
// encodes value before it returns and keeps no reference to it. While local
// writes are throttled it waits for its turn, until ctx is done: the error wraps
// gossip.ErrThrottled and ctx's then. A value that takes the place of one that no
// other node has been sent yet does not wait. It returns [ErrDetached], the codec's
// error, or the node's: gossip.ErrTooLarge, gossip.ErrClosed.
func (m *Map[V]) Set(ctx context.Context, key string, value V) error {
	return m.set(ctx, true, key, value, 0)
}

// TrySet is [Map.Set], but where that would wait for its turn it returns
// gossip.ErrThrottled at once.
func (m *Map[V]) TrySet(ctx context.Context, key string, value V) error {
	return m.set(ctx, false, key, value, 0)
}

// Update sets key to what f makes of its value, in one step: no other write, local
// or remote, comes between. ok says whether there is a value; one that the codec
// cannot decode counts as absent. The step is atomic on this node only: of updates
// that two nodes make at the same time, the later one wins and the other is lost.
//
// f runs while the whole node waits: it must be quick, and must not call the
// node, this map or another handle of the node. It runs twice if the write has to
// wait for its turn in between; only the second result counts then. If its result cannot be
// encoded, nothing is written. Otherwise Update is like [Map.Set].
func (m *Map[V]) Update(ctx context.Context, key string, f func(old V, ok bool) V) error {
	if m.host == nil {
		return ErrDetached
	}
	return m.host.Write(ctx, true, func(tx *Tx) error {
		b, err := m.encode(key, f(m.value(m.visible(key))))
		if err != nil {
			return err
		}
		tx.Put(Draft{Key: bytesOf(key), Value: b})
		return nil
	})
}

// Get returns the value of key, and whether there is one. A value that the
// codec cannot decode counts as absent. What it returns is the caller's own; a string
// that is stored as it is shares the memory of its update, which lives as long.
//
// A value that does not expire is found without a lock, nearly always, so that Get need not
// wait for writes or a message that is being applied. Of such a message it may show a part.
func (m *Map[V]) Get(key string) (V, bool) {
	return m.value(m.lookup(key))
}

// Delete removes key. Deleting a key that this node does not know writes
// nothing and returns nil. Otherwise it is like [Map.Set].
func (m *Map[V]) Delete(ctx context.Context, key string) error {
	if m.host == nil {
		return ErrDetached
	}
	return m.host.Write(ctx, true, func(tx *Tx) error {
		if m.visible(key) != nil {
			tx.Put(Draft{Key: bytesOf(key), Kind: Tombstone})
		}
		return nil
	})
}

// Len returns the number of keys, those with values that do not decode included.
func (m *Map[V]) Len() int {
	if m.host == nil {
		return 0
	}
	defer m.host.RUnlock(m.host.RLock())
	return m.live
}

// All iterates over all keys and values in order of keys, as they were when the
// iteration began: the loop may write to the map. Values that the codec cannot
// decode are skipped. It costs O(n log n) and a pointer per key.
func (m *Map[V]) All() iter.Seq2[string, V] { return m.Prefix("") }

// Prefix is [Map.All] for the keys that begin with prefix. It looks at every key
// of the map.
func (m *Map[V]) Prefix(prefix string) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, u := range m.snapshot(prefix) {
			v, ok := m.value(u)
			if !ok {
				continue
			}
			// A copy of the key: one that aliased the update would pin its value.
			if !yield(string(u.Key), v) {
				return
			}
		}
	}
}

// Type implements [Typed].
func (m *Map[V]) Type() string { return "map" }

// Apply implements [Model]: the newest update of a key stays.
func (m *Map[V]) Apply(u *Update) Effect {
	place, old := m.take(keyOf(u))
	if old == nil {
		m.index.add(u)
		m.count(u, +1)
		return Effect{}
	}
	switch c := compare(u, old); {
	case c < 0:
		return Effect{Redundant: true}
	case c == 0:
		return Effect{}
	}
	m.index.replace(place, u)
	m.count(old, -1)
	m.count(u, +1)
	m.last[0] = old
	return Effect{Superseded: m.last[:]}
}

// Prepare implements [Preparer].
func (m *Map[V]) Prepare(u *Update) { m.touched ^= m.index.touch(keyOf(u)) }

// found is an update and its place in the index.
type found struct {
	place  uint32
	update *Update // nil: none
}

// Find implements [Finder]. Who asks is often about to write to the key: so Apply may not
// have to search again.
func (m *Map[V]) Find(key []byte) *Update {
	m.found.place, m.found.update = m.index.search(aliasOf(key))
	return m.found.update
}

// take returns the update with a key and its place, nil if there is none; and forgets what
// Find has found.
func (m *Map[V]) take(key string) (place uint32, u *Update) {
	f := m.found
	m.found = found{}
	if f.update != nil && keyOf(f.update) == key && m.index.updates.at(f.place) == f.update {
		return f.place, f.update
	}
	return m.index.search(key)
}

// Discard implements [Model].
func (m *Map[V]) Discard(u *Update) {
	if old := m.index.get(keyOf(u)); old != nil && old.Dot == u.Dot {
		m.index.remove(keyOf(u))
		m.count(old, -1)
	}
}

// Verify implements [Verifier].
func (m *Map[V]) Verify(u *Update) bool { return isHeld(m.index.get(keyOf(u)), u) }

// Supersedes implements [Model]: a is a later write to b's key.
func (m *Map[V]) Supersedes(a, b *Update) bool {
	return compare(a, b) > 0 && bytes.Equal(a.Key, b.Key)
}

// Bind implements [Handle].
func (m *Map[V]) Bind(h Host) error {
	if m.host != nil {
		return errBound
	}
	m.host, m.codec = h, m.Codec
	m.drafts, _ = h.(DraftHost)
	if s, ok := h.(SeedHost); ok {
		m.index.secret = secretOf(s.Seed())
	}
	if m.codec == nil {
		m.codec = defaultCodec[V]()
	}
	m.plain, _ = m.codec.(aliaser[V])
	return nil
}

func (m *Map[V]) set(ctx context.Context, wait bool, key string, value V, ttl time.Duration) error {
	if m.host == nil {
		return ErrDetached
	}
	b, err := m.encode(key, value)
	if err != nil {
		return err
	}
	d := Draft{Key: bytesOf(key), Value: b, TTL: ttl}
	if m.drafts != nil {
		return m.drafts.WriteDraft(ctx, wait, d)
	}
	return m.host.Write(ctx, wait, putting(d))
}

// putting returns a function that puts a draft.
func putting(d Draft) func(*Tx) error {
	return func(tx *Tx) error {
		tx.Put(d)
		return nil
	}
}

// encode returns the encoding of a value, which may be the value's own bytes.
func (m *Map[V]) encode(key string, value V) ([]byte, error) {
	if m.plain != nil {
		return m.plain.alias(value), nil
	}
	b, err := m.codec.Append(nil, value)
	if err != nil {
		return nil, fmt.Errorf("model: encode value of %q: %w", key, err)
	}
	return b, nil
}

// lookup returns the update that gives a key its value, nil if it has none. It asks whoever
// changes the map to wait only if it finds none, which it may miss while entries are moved,
// or one that expires: an update that comes too late to be shown is hidden only later in the
// step that brings it.
func (m *Map[V]) lookup(key string) *Update {
	if m.host == nil {
		return nil
	}
	if u := m.index.get(key); u != nil && u.Expires == 0 {
		if !isLive(u) {
			return nil
		}
		return u
	}
	defer m.host.RUnlock(m.host.RLock())
	return m.visible(key)
}

// visible is lookup for who has the lock.
func (m *Map[V]) visible(key string) *Update {
	if u := m.index.get(key); m.shows(u) {
		return u
	}
	return nil
}

// value returns what an update shows, or did before it expired; none, a tombstone or
// a value that does not decode show nothing.
func (m *Map[V]) value(u *Update) (v V, ok bool) {
	if !isLive(u) {
		return v, false
	}
	v, err := m.codec.Decode(u.Value)
	if err != nil {
		var zero V
		return zero, false
	}
	return v, true
}

// snapshot returns the live updates of keys with a prefix, by key. Updates never
// change, so they are sorted and read after the lock is gone.
func (m *Map[V]) snapshot(prefix string) []*Update {
	if m.host == nil {
		return nil
	}
	reader := m.host.RLock()
	found := m.collect(prefix)
	m.host.RUnlock(reader)
	slices.SortFunc(found, func(a, b *Update) int { return bytes.Compare(a.Key, b.Key) })
	return found
}

// collect is snapshot without the order and the lock.
func (m *Map[V]) collect(prefix string) []*Update {
	var found []*Update
	if prefix == "" {
		found = make([]*Update, 0, m.live)
	}
	for u := range m.index.all() { // order: whoever reads the result sorts it
		if m.shows(u) && strings.HasPrefix(keyOf(u), prefix) {
			found = append(found, u)
		}
	}
	return found
}

// count counts an update that comes (+1) or goes (-1), if it shows.
func (m *Map[V]) count(u *Update, sign int) {
	if m.shows(u) {
		m.live += sign
	}
}

// isLive reports whether there is an update, and it gives its key a value.
func isLive(u *Update) bool { return u != nil && !u.IsTombstone() }

// keyOf returns the key as a string without copying it. That is sound because
// the bytes of an update never change once it is issued, and the string keeps
// them alive.
func keyOf(u *Update) string { return unsafe.String(unsafe.SliceData(u.Key), len(u.Key)) }

// compare orders updates by (timestamp, replica, version). The version matters
// only for updates of one write, which may share a timestamp.
func compare(a, b *Update) int {
	if c := cmp.Compare(a.Time, b.Time); c != 0 {
		return c
	}
	return a.Dot.Compare(b.Dot)
}
