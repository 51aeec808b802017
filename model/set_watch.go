package model

import (
	"context"
	"iter"
	"slices"
	"strings"
)

// SetChange is an element that came into a set of a [Set], or went.
type SetChange[T any] struct {
	Set     string
	Elem    T
	Deleted bool // it is not in the set any more
	// More says that the next change follows at once and belongs to the same moment.
	// After one without More, all changes so far add up to the sets as they were then.
	More bool
}

// Watch returns a loop over the elements that come and go, by writes made here or
// elsewhere, from when it is ranged over; WatchConfig.Prefix is about names of sets.
// With [WatchConfig].State it first shows all that are there. An add of what is there
// already is no change. Elements that do not decode are not shown. In everything else
// it is like [Map.Watch]: a slow loop misses what came and went, never what is. It
// keeps the encoding of each element.
func (m *Set[T]) Watch(ctx context.Context, cfg WatchConfig) iter.Seq[SetChange[T]] {
	return func(yield func(SetChange[T]) bool) {
		if m.host == nil {
			return
		}
		w := &stateWatcher[struct{}]{
			keys: func() []string { return m.keys(cfg.Prefix) },
			key: func(u *Update) (string, bool) {
				name, _, ok := splitKey(u.Key)
				return string(u.Key), ok && strings.HasPrefix(name, cfg.Prefix)
			},
			read: func(key string) (struct{}, bool) {
				name, _, _ := splitKey([]byte(key))
				return struct{}{}, anyLive(m.set(name).groups.get(key)) != nil
			},
			same:  func(string, struct{}, struct{}) bool { return true },
			state: cfg.State,
		}
		watchStates(ctx, m.host, w, w, func(c stateChange[struct{}]) (SetChange[T], bool) {
			name, _, _ := splitKey([]byte(c.key))
			elem, ok := m.elem([]byte(c.key))
			return SetChange[T]{Set: name, Elem: elem, Deleted: !c.is}, ok
		}, func(c SetChange[T], more bool) bool {
			c.More = more
			return yield(c)
		})
	}
}

// keys returns the keys of all elements of sets whose names have a prefix, in order.
func (m *Set[T]) keys(prefix string) []string {
	var keys []string
	for name, s := range m.sets.all() { // order: sorted below
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		for _, u := range s.collect() {
			keys = append(keys, string(u.Key))
		}
	}
	slices.Sort(keys)
	return keys
}
