package model

import (
	"context"
	"iter"
	"slices"
	"strings"
)

// RegisterChange is a change of one register of a [Register].
type RegisterChange[V any] struct {
	Name   string
	Values []Sibling[V] // as of [Register.Values]; none: it was deleted
	// More says that the next change follows at once and belongs to the same moment.
	// After one without More, all changes so far add up to the registers as they were
	// then.
	More bool
}

// Watch returns a loop over the registers whose values change, by writes made here or
// elsewhere, from when it is ranged over. With [WatchConfig].State it first shows all
// that have values. In everything else it is like [Map.Watch]. It keeps what each
// register shows.
func (m *Register[V]) Watch(ctx context.Context, cfg WatchConfig) iter.Seq[RegisterChange[V]] {
	return func(yield func(RegisterChange[V]) bool) {
		if m.host == nil {
			return
		}
		w := &stateWatcher[[]*Update]{
			keys: func() []string { return m.names(cfg.Prefix) },
			key: func(u *Update) (string, bool) {
				return string(u.Key), strings.HasPrefix(keyOf(u), cfg.Prefix)
			},
			read: func(name string) ([]*Update, bool) {
				shown := distinct(m.all.groups.get(name))
				return shown, len(shown) > 0
			},
			same:  func(_ string, a, b []*Update) bool { return slices.Equal(a, b) },
			state: cfg.State,
		}
		watchStates(ctx, m.host, w, w, func(c stateChange[[]*Update]) (RegisterChange[V], bool) {
			return RegisterChange[V]{Name: c.key, Values: m.siblings(c.now)}, true
		}, func(c RegisterChange[V], more bool) bool {
			c.More = more
			return yield(c)
		})
	}
}

// names returns the names of all registers that have values, in order.
func (m *Register[V]) names(prefix string) []string {
	var names []string
	for name, group := range m.all.groups.all() { // order: sorted below
		if strings.HasPrefix(name, prefix) && anyLive(group) != nil {
			names = append(names, strings.Clone(name))
		}
	}
	slices.Sort(names)
	return names
}
