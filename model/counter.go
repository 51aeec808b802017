package model

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

var (
	_ Handle   = (*Counter)(nil)
	_ Typed    = (*Counter)(nil)
	_ Verifier = (*Counter)(nil)
)

// ErrOverflow is returned by writes to a [Counter] that an int64 cannot hold.
var ErrOverflow = errors.New("model: counter overflow")

// kindReset marks the update of a Counter that resets; others add.
const kindReset Kind = 1

// Counter is any number of replicated counters, each under a name: a counter is the
// sum of all that was ever added, wherever and in whatever life of a node, less what
// resets had seen when they were made. Any string is a name. A counter that nobody
// has added to is 0.
//
//	var hits model.Counter
//	err := node.Attach("hits", &hits)
//
// The zero value is ready to be attached; before that all counters are 0. Once
// attached, methods are safe for concurrent use. Apply, Discard, Supersedes and Bind
// are for the node.
//
// Every replica keeps one update for each counter that it added to, however often:
// it carries the replica's total, and the next one takes its place. So a counter costs
// an update for each start of each node that added to it, until it is reset. A reset
// carries the totals that it saw, takes the place of them all, and stays.
//
// An add that its writer sees overflow an int64 is an error. Nodes that add at the
// same time may do together what each of them may do alone: then the value is the
// largest int64, or the smallest one, until enough was taken back; nothing is
// forgotten meanwhile.
type Counter struct {
	host  Host
	self  SelfHost
	index table[*count]
	last  []*Update // backs the last Effect's Superseded
}

// count is one counter.
type count struct {
	adds   []tally // ascending by replica; none that seen covers
	resets []reset // of which none has seen all that another has; nearly always one at most
	seen   []tally // by any of them
}

type reset struct {
	update *Update
	seen   []tally
}

// Add adds n to the counter of this name, here at once and on all other nodes in
// time; n may be negative, and 0 writes nothing. It returns an error that wraps
// [ErrOverflow] if the value known here, or all that this node ever added, would not
// fit; and otherwise what [Map.Set] does, under the same conditions.
func (m *Counter) Add(ctx context.Context, name string, n int64) error {
	return m.add(ctx, true, name, n)
}

// TryAdd is [Counter.Add], but where that would wait for its turn it returns
// gossip.ErrThrottled at once.
func (m *Counter) TryAdd(ctx context.Context, name string, n int64) error {
	return m.add(ctx, false, name, n)
}

func (m *Counter) add(ctx context.Context, wait bool, name string, n int64) error {
	if m.host == nil {
		return ErrDetached
	}
	return m.host.Write(ctx, wait, func(tx *Tx) error {
		if n == 0 {
			return nil
		}
		var sum wide
		own := tally{by: m.self.Self()}
		if c := m.index.get(name); c != nil {
			sum = c.sum()
			own = c.own(own)
		}
		if n > 0 {
			sum.shift(uint64(n), 0)
		} else {
			sum.shift(0, -uint64(n))
		}
		further := n > 0 == (sum.high >= 0)
		if !sum.isExact() && further || !own.add(n) {
			return fmt.Errorf("%w: add %d to %q", ErrOverflow, n, name)
		}
		tx.Put(Draft{Key: []byte(name), Value: own.append(nil)})
		return nil
	})
}

// Reset takes away from the counter of this name what this node sees of it: it is 0
// here, and everywhere once the reset has arrived, but for what was added elsewhere
// and had not arrived here. Resetting a counter to which nothing was added since the
// last time writes nothing. Otherwise it is like [Map.Set].
func (m *Counter) Reset(ctx context.Context, name string) error {
	if m.host == nil {
		return ErrDetached
	}
	return m.host.Write(ctx, true, func(tx *Tx) error {
		c := m.index.get(name)
		if c == nil || len(c.adds) == 0 {
			return nil
		}
		seen := slices.Clone(c.seen)
		for _, t := range c.adds {
			seen = raise(seen, t)
		}
		tx.Put(Draft{Key: []byte(name), Kind: kindReset, Value: appendTallies(nil, seen)})
		return nil
	})
}

// Value returns the counter of this name; the nearest int64 if none can be that.
func (m *Counter) Value(name string) int64 {
	if m.host == nil {
		return 0
	}
	defer m.host.RUnlock(m.host.RLock())
	return m.read(name)
}

// Len returns how many counters there are: those that were ever added to.
func (m *Counter) Len() int {
	if m.host == nil {
		return 0
	}
	defer m.host.RUnlock(m.host.RLock())
	return m.index.len()
}

// All iterates over all counters, in order of names, as they were when the iteration
// began: the loop may write.
func (m *Counter) All() iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		for _, c := range m.snapshot() {
			if !yield(c.name, c.value) {
				return
			}
		}
	}
}

type namedValue struct {
	name  string
	value int64
}

func (m *Counter) snapshot() []namedValue {
	if m.host == nil {
		return nil
	}
	reader := m.host.RLock()
	all := make([]namedValue, 0, m.index.len())
	for name, c := range m.index.all() { // order: sorted below
		all = append(all, namedValue{name, c.sum().clamp()})
	}
	m.host.RUnlock(reader)
	slices.SortFunc(all, func(a, b namedValue) int { return strings.Compare(a.name, b.name) })
	return all
}

// read is Value without the lock.
func (m *Counter) read(name string) int64 {
	if c := m.index.get(name); c != nil {
		return c.sum().clamp()
	}
	return 0
}

// Type implements [Typed].
func (m *Counter) Type() string { return "counter" }

// Apply implements [Model].
func (m *Counter) Apply(u *Update) Effect {
	c := m.index.get(keyOf(u))
	if c == nil {
		c = new(count)
		m.index.set(string(u.Key), c) // a copy of the key: updates come and go
	}
	clear(m.last)
	m.last = m.last[:0]
	if u.Kind == kindReset {
		return m.applyReset(c, u)
	}
	t := tallyOf(u)
	i, ok := find(c.adds, t.by)
	switch {
	case len(c.seen) > 0 && covers(c.seen, t):
		return Effect{Redundant: true}
	case !ok:
		c.adds = slices.Insert(c.adds, i, t)
		return Effect{}
	}
	old := c.adds[i]
	switch d := compareAdds(t, old); {
	case d < 0:
		return Effect{Redundant: true}
	case d == 0:
		return Effect{}
	}
	c.adds[i] = t
	m.last = append(m.last, old.update)
	return Effect{Superseded: m.last}
}

func (m *Counter) applyReset(c *count, u *Update) Effect {
	r := reset{u, talliesOf(u)}
	for _, old := range c.resets {
		switch {
		case old.update.Dot == u.Dot:
			return Effect{}
		case supersedesReset(old, r):
			return Effect{Redundant: true}
		}
	}
	c.resets = slices.DeleteFunc(c.resets, func(old reset) bool {
		gone := supersedesReset(r, old)
		if gone {
			m.last = append(m.last, old.update)
		}
		return gone
	})
	c.adds = slices.DeleteFunc(c.adds, func(t tally) bool {
		gone := covers(r.seen, t)
		if gone {
			m.last = append(m.last, t.update)
		}
		return gone
	})
	if len(c.adds) == 0 {
		c.adds = nil // there may have been many
	}
	c.resets = append(c.resets, r)
	c.see()
	return Effect{Superseded: m.last}
}

// Discard implements [Model].
func (m *Counter) Discard(u *Update) {
	c := m.index.get(keyOf(u))
	if c == nil {
		return
	}
	if u.Kind == kindReset {
		c.resets = slices.DeleteFunc(c.resets, func(r reset) bool { return r.update.Dot == u.Dot })
		c.see()
	} else if i, ok := find(c.adds, tallyOf(u).by); ok && c.adds[i].update.Dot == u.Dot {
		c.adds = slices.Delete(c.adds, i, i+1)
	}
	if len(c.adds) == 0 && len(c.resets) == 0 {
		m.index.remove(keyOf(u))
	}
}

// Verify implements [Verifier].
func (m *Counter) Verify(u *Update) bool {
	c := m.index.get(keyOf(u))
	if c == nil {
		return false
	}
	if u.Kind == kindReset {
		i := slices.IndexFunc(c.resets, func(r reset) bool { return r.update.Dot == u.Dot })
		return i >= 0 && isHeld(c.resets[i].update, u) && slices.Equal(c.resets[i].seen, talliesOf(u))
	}
	t := tallyOf(u)
	i, ok := find(c.adds, t.by)
	return ok && isHeld(c.adds[i].update, u) && c.adds[i].compare(t) == 0
}

// Supersedes implements [Model]: of two totals of one replica the larger one; a reset
// all totals that it has seen, and resets that have seen no more.
func (m *Counter) Supersedes(a, b *Update) bool {
	if !bytes.Equal(a.Key, b.Key) {
		return false
	}
	switch {
	case a.Kind != kindReset && b.Kind != kindReset:
		s, t := tallyOf(a), tallyOf(b)
		return s.by == t.by && compareAdds(s, t) > 0
	case a.Kind != kindReset:
		return false
	case b.Kind != kindReset:
		return covers(talliesOf(a), tallyOf(b))
	}
	return supersedesReset(reset{a, talliesOf(a)}, reset{b, talliesOf(b)})
}

// compareAdds orders the adds of one replica. Two with the same total are one that was
// issued again, under another identity of its node (R1).
func compareAdds(s, t tally) int {
	if d := s.compare(t); d != 0 {
		return d
	}
	return compare(s.update, t.update)
}

// supersedesReset: of two that have seen the same, the later one counts.
func supersedesReset(a, b reset) bool {
	return coversAll(a.seen, b.seen) && (!coversAll(b.seen, a.seen) || compare(a.update, b.update) > 0)
}

// Bind implements [Handle].
func (m *Counter) Bind(h Host) error {
	if m.host != nil {
		return errBound
	}
	self, ok := h.(SelfHost)
	if !ok {
		return errNoSelf
	}
	m.host, m.self = h, self
	return nil
}

// own returns the latest total known of a replica, which may have been reset.
func (c *count) own(t tally) tally {
	for _, known := range [][]tally{c.seen, c.adds} {
		if i, ok := find(known, t.by); ok && known[i].compare(t) > 0 {
			t = known[i]
		}
	}
	t.update = nil
	return t
}

// sum returns the counter: what was added, less what resets have seen.
func (c *count) sum() wide {
	var w wide
	for _, t := range c.adds {
		w.add(t)
		if i, ok := find(c.seen, t.by); ok {
			w.sub(c.seen[i]) // the total includes what was reset
		}
	}
	return w
}

// see brings seen up to date.
func (c *count) see() {
	c.seen = nil
	if len(c.resets) == 1 {
		c.seen = c.resets[0].seen
		return
	}
	for _, r := range c.resets {
		for _, t := range r.seen {
			c.seen = raise(c.seen, t)
		}
	}
}

// names returns all names with a prefix, in order.
func (m *Counter) names(prefix string) []string {
	var names []string
	for name := range m.index.all() { // order: sorted below
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
