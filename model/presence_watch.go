package model

import (
	"context"
	"iter"
	"strings"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// PresenceChange is a node of a [Presence] that came, went, or has another value.
type PresenceChange[V any] struct {
	Node    string
	Value   V    // zero if Gone
	Gone    bool // it is not present any more, or has no value
	Old     V    // what this watch has shown, or found when it began; zero unless Existed
	Existed bool
	// Replica and Time are those of the write that set Value; zero if Gone.
	Replica clock.Replica
	Time    clock.Timestamp
	// More says that the next change follows at once and belongs to the same moment.
	// After one without More, all changes so far add up to the nodes as they were then.
	More bool
}

// Watch returns a loop over the nodes that come, go, or set another value, from when it
// is ranged over; WatchConfig.Prefix is about names of nodes. With [WatchConfig].State
// it first shows all that are present and have values. Coming and going is by this
// node's own membership. In everything else it is like [Map.Watch]: a slow loop misses
// what was, never what is. It keeps a pointer for each node.
func (m *Presence[V]) Watch(ctx context.Context, cfg WatchConfig) iter.Seq[PresenceChange[V]] {
	return func(yield func(PresenceChange[V]) bool) {
		if m.host == nil {
			return
		}
		w := &presenceWatcher{stateWatcher[*Update]{
			keys: func() []string { return m.names(cfg.Prefix) },
			key: func(u *Update) (string, bool) {
				return strings.Clone(nodeOf(u)), strings.HasPrefix(nodeOf(u), cfg.Prefix)
			},
			read: func(node string) (*Update, bool) {
				u := m.shown(node)
				return u, u != nil
			},
			same:  func(_ string, a, b *Update) bool { return a == b },
			state: cfg.State,
		}, cfg.Prefix}
		watchStates(ctx, m.host, w, &w.stateWatcher, m.change, func(c PresenceChange[V], more bool) bool {
			c.More = more
			return yield(c)
		})
	}
}

// change decodes what a change shows; false if that is nothing.
func (m *Presence[V]) change(c stateChange[*Update]) (shown PresenceChange[V], ok bool) {
	shown.Node = c.key
	shown.Old, shown.Existed = m.value(c.old)
	if shown.Value, ok = m.value(c.now); ok {
		shown.Replica, shown.Time = c.now.Replica, c.now.Time
	}
	shown.Gone = !ok
	return shown, ok || shown.Existed
}

// presenceWatcher is a watcher of values that members take along.
type presenceWatcher struct {
	stateWatcher[*Update]
	prefix string
}

// NoteMember implements [MemberWatcher].
func (w *presenceWatcher) NoteMember(node string) {
	if strings.HasPrefix(node, w.prefix) {
		w.look(node)
	}
}
