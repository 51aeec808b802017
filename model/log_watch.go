package model

import (
	"context"
	"iter"
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

var _ Watcher = (*logWatcher)(nil)

// Watch returns a loop that shows every event once: first those that are there when it
// is ranged over and that a vector does not cover, see [Log.Since], in order; then each
// that is appended, here or elsewhere, when it becomes known. One that was written
// meanwhile elsewhere may so come after one that is later in order. Events that do not
// decode are skipped; what is truncated before it was its turn is not shown.
//
// It ends when ctx is done, when the node is closed and its last event was shown, or at
// once if the log is not attached. Leaving it frees everything. The body may take its
// time, and may write: what waits for a slow loop is a pointer for each event that is
// still in the log.
func (m *Log[T]) Watch(ctx context.Context, since clock.Vector) iter.Seq[Event[T]] {
	return func(yield func(Event[T]) bool) {
		if m.host == nil {
			return
		}
		w := &logWatcher{lists: m.lists, supersedes: m.Supersedes, since: since}
		for range m.host.Watch(ctx, w) {
			for i, u := range w.taken {
				w.taken[i] = nil // it may be garbage now
				if e, ok := m.event(u); ok && (ctx.Err() != nil || !yield(e)) {
					return
				}
			}
		}
	}
}

// logWatcher gathers events that a watch has not shown yet.
type logWatcher struct {
	lists      func() [][]logEntry
	supersedes func(a, b *Update) bool
	since      clock.Vector

	pending, taken []*Update
}

// Start implements [Watcher].
func (w *logWatcher) Start() {
	for u := range merge(w.lists()) {
		if !w.since.Covers(u.Dot) {
			w.pending = append(w.pending, u)
		}
	}
}

// Note implements [Watcher].
func (w *logWatcher) Note(c Change) {
	switch u := c.New; {
	case u == nil: // taken out by a repair
		w.pending = slices.DeleteFunc(w.pending, func(o *Update) bool { return o.Dot == c.Old.Dot })
	case u.IsTombstone():
		w.pending = slices.DeleteFunc(w.pending, func(o *Update) bool { return w.supersedes(u, o) })
	case c.Old != nil: // it was issued again
		if i := slices.IndexFunc(w.pending, func(o *Update) bool { return o.Dot == c.Old.Dot }); i >= 0 {
			w.pending[i] = u
		}
	case !w.since.Covers(u.Dot):
		w.pending = append(w.pending, u)
	}
}

// Take implements [Watcher].
func (w *logWatcher) Take() bool {
	w.taken, w.pending = w.pending, nil
	return len(w.taken) > 0
}

// Len implements [Watcher].
func (w *logWatcher) Len() int { return len(w.pending) + len(w.taken) }
