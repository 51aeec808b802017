package model

import (
	"context"
	"iter"
	"strings"
)

// CounterChange is a change of the value of one counter of a [Counter].
type CounterChange struct {
	Name  string
	Value int64
	Old   int64 // what this watch has shown, or found when it began; 0 for a new counter
	// More says that the next change follows at once and belongs to the same moment.
	// After one without More, all changes so far add up to the counters as they were
	// then.
	More bool
}

// Watch returns a loop over the counters whose value changes, by adds and resets made
// here or elsewhere, from when it is ranged over. With [WatchConfig].State it first
// shows all that are there. In everything else it is like [Map.Watch]: a slow loop
// misses values, never the latest. It keeps a number for each counter.
func (m *Counter) Watch(ctx context.Context, cfg WatchConfig) iter.Seq[CounterChange] {
	return func(yield func(CounterChange) bool) {
		if m.host == nil {
			return
		}
		w := &stateWatcher[int64]{
			keys: func() []string { return m.names(cfg.Prefix) },
			key: func(u *Update) (string, bool) {
				return string(u.Key), strings.HasPrefix(keyOf(u), cfg.Prefix)
			},
			read:  func(name string) (int64, bool) { return m.read(name), m.index.get(name) != nil },
			same:  func(_ string, a, b int64) bool { return a == b },
			state: cfg.State,
		}
		watchStates(ctx, m.host, w, w, func(c stateChange[int64]) (CounterChange, bool) {
			return CounterChange{Name: c.key, Value: c.now, Old: c.old}, true
		}, func(c CounterChange, more bool) bool {
			c.More = more
			return yield(c)
		})
	}
}
