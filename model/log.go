package model

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

var (
	_ Handle   = (*Log[int])(nil)
	_ Typed    = (*Log[int])(nil)
	_ Verifier = (*Log[int])(nil)
)

// Log is a replicated log: events are only ever appended, and all nodes show them in
// one order, by (timestamp, replica); what a node truncates of its own events goes
// everywhere.
//
//	var audit model.Log[Event]
//	err := node.Attach("audit", &audit)
//
// An event is later than all that its writer had seen; one that was written elsewhere
// meanwhile may come before it, and so between events that were shown already. The
// order of two events never changes, except that an event whose node had to take
// another identity (R1) may move back.
//
// The zero value is ready to be attached; before that it reads as empty. Once
// attached, methods are safe for concurrent use. Apply, Discard, Supersedes and Bind are
// for the node.
type Log[T any] struct {
	// Codec encodes events. Nil: []byte and string are stored as they are, everything
	// else as msgpack. Set it before attaching.
	Codec Codec[T]

	host  Host
	self  SelfHost
	codec Codec[T]
	nodes table[*nodeLog]
	count int
	last  []*Update // backs the last Effect's Superseded
}

// Event is one event of a [Log].
type Event[T any] struct {
	Value   T
	Replica clock.Replica // who appended it, and
	Version clock.Version // the number of that write
	Time    clock.Timestamp
}

// Append appends events, in their order, here at once and on all other nodes in time.
// It returns what [Map.Set] does, under the same conditions; with an error, nothing was
// appended.
func (m *Log[T]) Append(ctx context.Context, events ...T) error { return m.append(ctx, true, events) }

// TryAppend is [Log.Append], but where that would wait for its turn it returns
// gossip.ErrThrottled at once.
func (m *Log[T]) TryAppend(ctx context.Context, events ...T) error {
	return m.append(ctx, false, events)
}

func (m *Log[T]) append(ctx context.Context, wait bool, events []T) error {
	if m.host == nil {
		return ErrDetached
	}
	values := make([][]byte, len(events))
	for i, e := range events {
		b, err := m.codec.Append(nil, e)
		if err != nil {
			return fmt.Errorf("model: encode event: %w", err)
		}
		values[i] = b
	}
	return m.host.Write(ctx, wait, func(tx *Tx) error {
		self := m.self.Self()
		seq := m.node(self.Node).life(self.Epoch).next()
		for i, b := range values {
			tx.Put(Draft{Key: eventKey(self.Epoch, seq+uint64(i)), Value: b})
		}
		return nil
	})
}

// Truncate keeps the newest events, as many as keep says, of all nodes together as seen
// here. Of the older ones, those that this node appended, in this life or another, are
// deleted on all nodes; so are, if this node is the first by name of those present,
// those of nodes that are gone for good. Other nodes delete theirs when they call
// Truncate: where all do, about keep events are left. It is like [Log.Append] in
// everything else; if there is nothing to delete it writes nothing.
func (m *Log[T]) Truncate(ctx context.Context, keep int) error {
	if m.host == nil {
		return ErrDetached
	}
	all := m.snapshot()
	drop := -max(keep, 0)
	for _, events := range all {
		drop += len(events)
	}
	var first *Update // that is kept
	for u := range merge(all) {
		if drop <= 0 {
			first = u
			break
		}
		drop--
	}
	return m.truncate(ctx, all, func(u *Update) bool { return first == nil || compare(u, first) < 0 })
}

// TruncateBefore is [Log.Truncate], but it keeps events by age: those since a moment,
// by the clocks of those who appended them.
func (m *Log[T]) TruncateBefore(ctx context.Context, since time.Time) error {
	if m.host == nil {
		return ErrDetached
	}
	return m.truncate(ctx, m.snapshot(), func(u *Update) bool { return u.Time < clock.TimestampOf(since) })
}

// truncate deletes the events of which old is true, and all that are older than the
// newest one of these by the same node.
func (m *Log[T]) truncate(ctx context.Context, all [][]logEntry, old func(*Update) bool) error {
	cuts := map[string]cut{}
	var nodes []string
	for _, events := range all {
		for _, e := range events {
			if !old(e.update) {
				break
			}
			node := e.update.Replica.Node
			c, known := cuts[node]
			if !known {
				nodes = append(nodes, node)
			}
			if !c.covers(e.update) {
				cuts[node] = cutAt(e.update)
			}
		}
	}
	slices.Sort(nodes)
	return m.host.Write(ctx, true, func(tx *Tx) error {
		for _, node := range nodes {
			if n := m.nodes.get(node); n != nil && n.cut.compare(cuts[node]) < 0 && m.mayTruncate(node, cuts[node].time) {
				tx.Put(Draft{Key: []byte(node), Kind: Tombstone, Value: cuts[node].append(nil)})
			}
		}
		return nil
	})
}

// mayTruncate reports whether this node may delete what another one appended up to some
// time.
func (m *Log[T]) mayTruncate(node string, heard clock.Timestamp) bool {
	if node == m.self.Self().Node {
		return true
	}
	h, ok := m.host.(MemberHost)
	return ok && h.Standing(node, heard) == Removed && h.First()
}

// Len returns the number of events, those that do not decode included.
func (m *Log[T]) Len() int {
	if m.host == nil {
		return 0
	}
	defer m.host.RUnlock(m.host.RLock())
	return m.count
}

// All iterates over all events, the oldest first, as they were when the iteration
// began: the loop may write. Events that do not decode are skipped. It costs no copy
// of them.
func (m *Log[T]) All() iter.Seq[Event[T]] { return m.Since(clock.Vector{}) }

// Since is [Log.All] for the events that a vector does not cover: a Status.Vector of
// the node, or one into which the Replica and Version of all events were entered that
// were dealt with.
func (m *Log[T]) Since(v clock.Vector) iter.Seq[Event[T]] {
	return func(yield func(Event[T]) bool) {
		for u := range merge(m.snapshot()) {
			if v.Covers(u.Dot) {
				continue
			}
			if e, ok := m.event(u); ok && !yield(e) {
				return
			}
		}
	}
}

// event decodes an event.
func (m *Log[T]) event(u *Update) (Event[T], bool) {
	v, err := m.codec.Decode(u.Value)
	return Event[T]{v, u.Replica, u.Version, u.Time}, err == nil
}

// snapshot returns all events, each of the lists in order.
func (m *Log[T]) snapshot() [][]logEntry {
	if m.host == nil {
		return nil
	}
	defer m.host.RUnlock(m.host.RLock())
	return m.lists()
}

// Type implements [Typed].
func (m *Log[T]) Type() string { return "log" }

// Apply implements [Model].
func (m *Log[T]) Apply(u *Update) Effect {
	clear(m.last)
	m.last = m.last[:0]
	effect := m.apply(u)
	if cap(m.last) > reuse {
		m.last = nil // the effect keeps it for as long as it is valid
	}
	return effect
}

func (m *Log[T]) apply(u *Update) Effect {
	if u.IsTombstone() {
		return m.applyMark(u)
	}
	n := m.keep(u.Replica.Node)
	if n.mark != nil && n.cut.covers(u) {
		return Effect{Redundant: true}
	}
	epoch, seq := eventID(u)
	switch old := n.keep(epoch).put(logEntry{seq, u}); {
	case old == nil:
		m.count++
		return Effect{}
	case old.Dot == u.Dot:
		return Effect{}
	case compare(old, u) > 0:
		return Effect{Redundant: true}
	default:
		m.last = append(m.last, old)
		return Effect{Superseded: m.last}
	}
}

func (m *Log[T]) applyMark(u *Update) Effect {
	n := m.keep(keyOf(u))
	if n.mark != nil {
		switch c := compareMarks(u, n.mark); {
		case c < 0:
			return Effect{Redundant: true}
		case c == 0:
			return Effect{}
		}
		m.last = append(m.last, n.mark)
	}
	n.mark, n.cut = u, cutOf(u)
	begin := len(m.last)
	m.last = n.drop(m.last)
	m.count -= len(m.last) - begin
	return Effect{Superseded: m.last}
}

// Discard implements [Model].
func (m *Log[T]) Discard(u *Update) {
	name := u.Replica.Node
	if u.IsTombstone() {
		name = keyOf(u)
	}
	n := m.nodes.get(name)
	switch {
	case n == nil:
		return
	case !u.IsTombstone():
		if epoch, seq := eventID(u); n.remove(epoch, seq, u.Dot) {
			m.count--
		}
	case n.mark != nil && n.mark.Dot == u.Dot:
		n.mark, n.cut = nil, cut{}
	}
	if n.mark == nil && len(n.lives) == 0 {
		m.nodes.remove(name)
	}
}

// Verify implements [Verifier].
func (m *Log[T]) Verify(u *Update) bool {
	if u.IsTombstone() {
		n := m.node(keyOf(u))
		return isHeld(n.mark, u) && n.cut == cutOf(u)
	}
	epoch, seq := eventID(u)
	l := m.node(u.Replica.Node).life(epoch)
	i, ok := l.search(seq)
	return ok && isHeld(l.events[i].update, u)
}

// Supersedes implements [Model]: a truncation all events of its node up to its time, and
// those of before; an event that was issued again the one that it was.
func (m *Log[T]) Supersedes(a, b *Update) bool {
	switch {
	case a.IsTombstone() && b.IsTombstone():
		return string(a.Key) == string(b.Key) && compareMarks(a, b) > 0
	case a.IsTombstone():
		return string(a.Key) == b.Replica.Node && cutOf(a).covers(b)
	case b.IsTombstone():
		return false
	}
	epochA, seqA := eventID(a)
	epochB, seqB := eventID(b)
	return a.Replica.Node == b.Replica.Node && epochA == epochB && seqA == seqB && compare(a, b) > 0
}

// Bind implements [Handle].
func (m *Log[T]) Bind(h Host) error {
	if m.host != nil {
		return errBound
	}
	self, ok := h.(SelfHost)
	if !ok {
		return errNoSelf
	}
	m.host, m.self, m.codec = h, self, m.Codec
	if m.codec == nil {
		m.codec = defaultCodec[T]()
	}
	return nil
}
