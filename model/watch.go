package model

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

var _ Watcher = (*mapWatcher)(nil)

// WatchConfig says what a watch shows. The zero value: every change from the
// beginning of the loop on.
type WatchConfig struct {
	Prefix string // only keys that begin with it
	State  bool   // first all keys there are, in their order, as if each were set just then
}

// MapChange is a change of one key of a [Map], made here or elsewhere. Its values
// are the receiver's own.
type MapChange[V any] struct {
	Key     string
	Value   V    // zero if Deleted
	Deleted bool // the key has no value any more
	Old     V    // the last value of the key that this watch has shown; zero unless Existed
	Existed bool // this watch has shown a value of the key, and not that it was deleted
	// Replica and Time are those of the write that did it: a Set, Update or Delete.
	// Both are zero if none did: see [Map.Watch] on what expires, and on repairs.
	Replica clock.Replica
	Time    clock.Timestamp
	// More says that the next change follows at once and belongs to the same moment.
	// After one without More, all changes so far add up to the map as it was then.
	More bool
}

// Watch returns a loop over the changes of the map, local and remote ones alike,
// that begins when it is ranged over; each loop is a watch of its own. It ends when
// ctx is done, when the node is closed and its last change was shown, or at once
// if the map is not attached. Leaving it frees everything. The body may take its
// time, and may write to the map:
//
//	for c := range colours.Watch(ctx, model.WatchConfig{State: true}) {
//		if c.Deleted {
//			delete(mine, c.Key)
//		} else {
//			mine[c.Key] = c.Value
//		}
//	}
//
// What it shows is exact. With State, no change is missing between the state and
// what follows, and none is there twice; all changes, applied in order, add up to
// the map at a moment, again and again (see MapChange.More), and at last to the
// newest. A write of the value that a key has already is a change too. A value
// that the codec cannot decode is shown as deleted, or not at all.
//
// A loop that is slower than the writes never holds them up: it is shown, of the
// changes to one key, only the last one, in the place of that. So what the
// node keeps for it is bounded: an entry for each key that was shown or has
// a value now, twice, because the changes that the body is busy with stand still
// while others gather. A key that was set and deleted without having been shown
// takes no entry. An entry keeps the updates alive to which it refers.
//
// When a value expires the watch shows, at that time, a delete without Replica and
// Time. So it does when a repair takes back a write that others have proved to be
// dead, or that was damaged here.
func (m *Map[V]) Watch(ctx context.Context, cfg WatchConfig) iter.Seq[MapChange[V]] {
	return func(yield func(MapChange[V]) bool) {
		if m.host == nil {
			return
		}
		w := &mapWatcher{prefix: cfg.Prefix}
		if cfg.State {
			w.collect = m.collect
		}
		for range m.host.Watch(ctx, w) {
			if !m.show(ctx, w.sorted(), yield) {
				return
			}
		}
	}
}

// show yields the changes of one moment and reports whether to go on.
func (m *Map[V]) show(ctx context.Context, changes []Change, yield func(MapChange[V]) bool) bool {
	var next MapChange[V]
	found := false
	for i := range changes {
		c, ok := m.change(changes[i])
		changes[i] = Change{} // its updates may be garbage now
		if !ok {
			continue
		}
		if found {
			next.More = true
			if ctx.Err() != nil || !yield(next) {
				return false
			}
		}
		next, found = c, true
	}
	return !found || ctx.Err() == nil && yield(next)
}

// kept returns the update whose key an index may alias for as long as it has the
// change.
func (c Change) kept() *Update {
	if c.Old != nil {
		return c.Old
	}
	return c.New
}

// change decodes what a change shows; false if that is nothing.
func (m *Map[V]) change(c Change) (shown MapChange[V], ok bool) {
	u := c.update()
	if u == nil {
		return shown, false
	}
	shown.Key = string(u.Key) // a copy: one that aliased the update would pin its value
	shown.Old, shown.Existed = m.value(c.Old)
	shown.Value, ok = m.value(c.New)
	shown.Deleted = !ok
	if c.New != nil {
		shown.Replica, shown.Time = c.New.Replica, c.New.Time
	}
	return shown, ok || shown.Existed
}

// reuse is how many entries the buffers of a watch have room for when they are
// used again; larger ones are left to the garbage collector.
const reuse = 1024

// mapWatcher gathers the changes that a watch has not shown yet, one per key. A
// change that is noted while its key has no entry finds the watch up to date with
// the key: then Old of the change is what the watch has shown.
type mapWatcher struct {
	prefix  string
	collect func(prefix string) []*Update // nil: the state is not wanted

	state []Change // to be taken first; in no order
	// noted is in the order of each key's latest change. Old is what the watch has
	// shown of the key, New what there is now; at least one of them is live. The zero
	// Change is a gap: the key has a later place, or nothing to show.
	noted []Change
	index map[string]int // the place of each key in noted; see key

	taken    []Change // the loop's, gaps included
	held     int      // entries of taken
	unsorted bool     // taken is the state
}

// Start implements [Watcher].
func (w *mapWatcher) Start() {
	w.index = make(map[string]int)
	if w.collect == nil {
		return
	}
	found := w.collect(w.prefix)
	w.state = make([]Change, len(found))
	for i, u := range found {
		w.state[i].New = u
	}
}

// Note implements [Watcher].
func (w *mapWatcher) Note(c Change) {
	u := c.update()
	if u == nil || !strings.HasPrefix(keyOf(u), w.prefix) {
		return
	}
	if i, ok := w.index[keyOf(u)]; ok {
		c.Old = w.noted[i].Old
		// Not overwritten, but removed: the entry's key may alias an update that is
		// garbage now.
		delete(w.index, keyOf(u))
		w.noted[i] = Change{}
	} else if !isLive(c.Old) {
		c.Old = nil
	}
	if c.Old == nil && !isLive(c.New) {
		return
	}
	w.index[keyOf(c.kept())] = len(w.noted)
	w.noted = append(w.noted, c)
	if len(w.noted) > 2*len(w.index)+reuse {
		w.compact()
	}
}

// Take implements [Watcher]. How long it takes does not depend on how much there is.
func (w *mapWatcher) Take() bool {
	spare := w.taken[:0] // the loop has emptied it
	if cap(spare) > 4*reuse {
		spare = nil
	}
	w.unsorted = len(w.state) > 0
	switch {
	case w.unsorted:
		w.taken, w.held, w.state = w.state, len(w.state), nil
	case len(w.index) > 0:
		w.taken, w.held, w.noted = w.noted, len(w.index), spare
		w.renew(cap(w.taken))
	default:
		w.taken, w.held, w.noted = spare, 0, w.noted[:0]
		if room := cap(w.noted); room > 4*reuse {
			w.noted = nil
			w.renew(room)
		}
	}
	return w.held > 0
}

// renew empties the index, which was for at most so many changes.
func (w *mapWatcher) renew(room int) {
	if room > 4*reuse {
		w.index = make(map[string]int)
	}
	clear(w.index)
}

// Len implements [Watcher].
func (w *mapWatcher) Len() int { return len(w.state) + len(w.index) + w.held }

// sorted returns what was taken, the state in the order of its keys. It is the
// loop's part, which nobody waits for.
func (w *mapWatcher) sorted() []Change {
	if w.unsorted {
		slices.SortFunc(w.taken, func(a, b Change) int { return bytes.Compare(a.New.Key, b.New.Key) })
	}
	return w.taken
}

// compact closes the gaps, so that what is kept depends on the keys, not on how
// often they changed.
func (w *mapWatcher) compact() {
	n := 0
	for _, c := range w.noted {
		if c.update() == nil {
			continue
		}
		w.noted[n] = c
		w.index[keyOf(c.kept())] = n
		n++
	}
	clear(w.noted[n:])
	w.noted = w.noted[:n]
}
