package model

import (
	"context"
	"slices"
)

var _ Watcher = (*stateWatcher[int])(nil)

// stateWatcher gathers what a watch has not shown yet, one entry per key, for models
// where the update that changed a key does not tell what the key shows: after each
// change it asks the model. What a watch has shown it remembers, so that it knows a
// change from a write that changes nothing.
type stateWatcher[S any] struct {
	keys  func() []string               // all that show something, in order; called once, by Start
	key   func(*Update) (string, bool)  // which one an update is about; false: none that is watched
	read  func(key string) (S, bool)    // what it shows, if anything; neither locks nor writes
	same  func(key string, a, b S) bool // whether two states show the same
	state bool                          // what Start finds is shown, too

	shown   table[S] // what the loop has been given, or found
	pending []stateChange[S]
	index   map[string]int // the place of each key in pending
	gaps    int            // of pending: keys that have a later place, or nothing to show
	taken   []stateChange[S]
	held    int // entries of taken that are no gaps
}

// stateChange is what a key shows now, and what it was before.
type stateChange[S any] struct {
	key      string
	now, old S
	is, was  bool // whether there is a state now, and was one; neither: a gap
}

// Start implements [Watcher].
func (w *stateWatcher[S]) Start() {
	w.index = make(map[string]int)
	for _, key := range w.keys() {
		if w.state {
			w.look(key)
		} else if s, ok := w.read(key); ok {
			w.shown.set(key, s)
		}
	}
}

// Note implements [Watcher].
func (w *stateWatcher[S]) Note(c Change) {
	if u := c.update(); u != nil {
		if key, ok := w.key(u); ok {
			w.look(key)
		}
	}
}

// look notes what a key shows now.
func (w *stateWatcher[S]) look(key string) {
	c := stateChange[S]{key: key}
	c.now, c.is = w.read(key)
	c.old, c.was = w.shown.find(key)
	i, waits := w.index[key]
	if waits && c.is == w.pending[i].is && (!c.is || w.same(key, c.now, w.pending[i].now)) {
		w.pending[i].now = c.now
		return // it waits already
	}
	if waits {
		delete(w.index, key)
		w.pending[i] = stateChange[S]{}
		w.gaps++
	}
	if c.is != c.was || c.is && !w.same(key, c.now, c.old) {
		w.index[key] = len(w.pending)
		w.pending = append(w.pending, c)
	}
	if w.gaps > len(w.index)+reuse {
		w.compact()
	}
}

// Take implements [Watcher].
func (w *stateWatcher[S]) Take() bool {
	w.taken, w.held = w.pending, len(w.index)
	w.pending, w.gaps = nil, 0
	for key, i := range w.index { // order: all of them
		if c := &w.taken[i]; c.is {
			w.shown.set(key, c.now)
		} else {
			w.shown.remove(key)
		}
	}
	w.index = make(map[string]int)
	return w.held > 0
}

// Len implements [Watcher].
func (w *stateWatcher[S]) Len() int { return len(w.index) + w.held }

// compact closes the gaps.
func (w *stateWatcher[S]) compact() {
	w.pending = slices.DeleteFunc(w.pending, func(c stateChange[S]) bool { return !c.is && !c.was })
	w.gaps = 0
	for i := range w.pending {
		w.index[w.pending[i].key] = i
	}
}

// watchStates is the loop of a watch that is told, or is, w: it gives show each change,
// and whether another one of the same moment follows. show is given what convert makes
// of a change, which says false for what users cannot see.
func watchStates[S, C any](ctx context.Context, h Host, told Watcher, w *stateWatcher[S], convert func(stateChange[S]) (C, bool), show func(c C, more bool) bool) {
	for range h.Watch(ctx, told) {
		changes := w.taken
		var next C
		found := false
		for i := range changes {
			c, ok := changes[i], changes[i].is || changes[i].was
			changes[i] = stateChange[S]{} // what it refers to may be garbage now
			if !ok {
				continue
			}
			shown, ok := convert(c)
			if !ok {
				continue
			}
			if found && (ctx.Err() != nil || !show(next, true)) {
				return
			}
			next, found = shown, true
		}
		if found && (ctx.Err() != nil || !show(next, false)) {
			return
		}
	}
}
