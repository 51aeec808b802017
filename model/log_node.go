package model

import (
	"cmp"
	"container/heap"
	"encoding/binary"
	"iter"
	"slices"
	"strings"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// nodeLog is what one node appended to a Log, in all its lives.
type nodeLog struct {
	lives []*lifeLog // ascending by epoch, none empty
	mark  *Update    // the latest truncation; nil: none
	cut   cut        // of mark
}

// lifeLog is what a node appended as one replica. Events are numbered, so that one that
// is issued again by a later replica (R1) is known to be the same.
type lifeLog struct {
	epoch uint64
	// events are ascending by number. The slice is not changed in place but behind its
	// end: who has it may keep it.
	events  []logEntry
	dropped int  // events that its array still has in front
	mixed   bool // the times may not ascend
}

type logEntry struct {
	seq    uint64
	update *Update
}

// An event's key is the epoch of the replica that appended it, and its number there; a
// truncation's key is the name of the node whose events it deletes.

func eventKey(epoch, seq uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, epoch), seq)
}

func eventID(u *Update) (epoch, seq uint64) {
	r := reader{u.Key}
	return r.uint(), r.uint()
}

// cut is where a truncation ends: the place in the order, of one node's events, of the
// last one that it deletes. The zero value is before all.
type cut struct {
	time    clock.Timestamp
	epoch   uint64
	version clock.Version
}

func cutAt(u *Update) cut { return cut{u.Time, u.Replica.Epoch, u.Version} }

func cutOf(mark *Update) cut {
	r := reader{mark.Value}
	return cut{clock.Timestamp(r.uint()), r.uint(), clock.Version(r.uint())}
}

func (c cut) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(c.time))
	b = binary.AppendUvarint(b, c.epoch)
	return binary.AppendUvarint(b, uint64(c.version))
}

func (c cut) compare(o cut) int {
	return cmp.Or(cmp.Compare(c.time, o.time), cmp.Compare(c.epoch, o.epoch), cmp.Compare(c.version, o.version))
}

// covers reports whether a truncation deletes an event of its node.
func (c cut) covers(u *Update) bool { return cutAt(u).compare(c) <= 0 }

// compareMarks tells which of two truncations of one node says more.
func compareMarks(a, b *Update) int {
	return cmp.Or(cutOf(a).compare(cutOf(b)), compare(a, b))
}

// node returns what is known of a node, for reading.
func (m *Log[T]) node(name string) *nodeLog {
	if n := m.nodes.get(name); n != nil {
		return n
	}
	return new(nodeLog)
}

// keep is node for what is to stay.
func (m *Log[T]) keep(name string) *nodeLog {
	n := m.nodes.get(name)
	if n == nil {
		n = new(nodeLog)
		m.nodes.set(strings.Clone(name), n)
	}
	return n
}

// lists returns the events of all lives, each list in order.
func (m *Log[T]) lists() [][]logEntry {
	all := make([][]logEntry, 0, m.nodes.len())
	for _, n := range m.nodes.all() { // order: merge puts the events in order
		for _, l := range n.lives {
			all = append(all, l.sorted())
		}
	}
	return all
}

// search returns where the life of an epoch is, or belongs.
func (n *nodeLog) search(epoch uint64) (int, bool) {
	if last := len(n.lives) - 1; last >= 0 && n.lives[last].epoch == epoch {
		return last, true
	}
	return slices.BinarySearchFunc(n.lives, epoch, func(l *lifeLog, epoch uint64) int { return cmp.Compare(l.epoch, epoch) })
}

// life returns what is known of a life, for reading.
func (n *nodeLog) life(epoch uint64) *lifeLog {
	if i, ok := n.search(epoch); ok {
		return n.lives[i]
	}
	return new(lifeLog)
}

// keep is life for what is to stay.
func (n *nodeLog) keep(epoch uint64) *lifeLog {
	i, ok := n.search(epoch)
	if !ok {
		n.lives = slices.Insert(n.lives, i, &lifeLog{epoch: epoch})
	}
	return n.lives[i]
}

// drop takes all events away that were truncated, and appends them to gone.
func (n *nodeLog) drop(gone []*Update) []*Update {
	n.lives = slices.DeleteFunc(n.lives, func(l *lifeLog) bool {
		if l.mixed {
			stay := make([]logEntry, 0, len(l.events))
			for _, e := range l.events {
				if !n.cut.covers(e.update) {
					stay = append(stay, e)
				} else {
					gone = append(gone, e.update)
				}
			}
			l.events, l.dropped = stay, 0
			return len(stay) == 0
		}
		k := 0
		for ; k < len(l.events) && n.cut.covers(l.events[k].update); k++ {
			gone = append(gone, l.events[k].update)
		}
		l.events = l.events[k:]
		if l.dropped += k; l.dropped > len(l.events) {
			l.events, l.dropped = slices.Clone(l.events), 0
		}
		return len(l.events) == 0
	})
	return gone
}

// remove takes an event away and reports whether it was there.
func (n *nodeLog) remove(epoch, seq uint64, dot clock.Dot) bool {
	i, ok := n.search(epoch)
	if !ok {
		return false
	}
	l := n.lives[i]
	at, ok := l.search(seq)
	if !ok || l.events[at].update.Dot != dot {
		return false
	}
	if last := len(l.events) - 1; at == last {
		l.events = l.events[:last:last] // the next one must not overwrite it for who has the slice
	} else {
		l.events, l.dropped = slices.Delete(slices.Clone(l.events), at, at+1), 0
	}
	if len(l.events) == 0 {
		n.lives = slices.Delete(n.lives, i, i+1)
	}
	return true
}

func (l *lifeLog) search(seq uint64) (int, bool) {
	if n := len(l.events); n == 0 || l.events[n-1].seq < seq {
		return n, false
	}
	return slices.BinarySearchFunc(l.events, seq, func(e logEntry, seq uint64) int { return cmp.Compare(e.seq, seq) })
}

// next returns the number of the next event.
func (l *lifeLog) next() uint64 {
	if n := len(l.events); n > 0 {
		return l.events[n-1].seq + 1
	}
	return 1
}

// put enters an event, in the place of an earlier one with its number, and returns what
// had that number before.
func (l *lifeLog) put(e logEntry) *Update {
	i, ok := l.search(e.seq)
	if ok && compare(e.update, l.events[i].update) <= 0 {
		return l.events[i].update
	}
	if i > 0 && compare(l.events[i-1].update, e.update) > 0 {
		l.mixed = true
	}
	switch {
	case ok:
		old := l.events[i].update
		l.events, l.dropped = slices.Clone(l.events), 0
		l.events[i] = e
		l.mixed = l.mixed || i+1 < len(l.events) && compare(e.update, l.events[i+1].update) > 0
		return old
	case i == len(l.events):
		l.events = append(l.events, e)
	default:
		l.mixed = l.mixed || compare(e.update, l.events[i].update) > 0
		l.events, l.dropped = slices.Insert(slices.Clone(l.events), i, e), 0
	}
	return nil
}

// sorted returns the events in order.
func (l *lifeLog) sorted() []logEntry {
	if !l.mixed {
		return l.events
	}
	return slices.SortedFunc(slices.Values(l.events), func(a, b logEntry) int { return compare(a.update, b.update) })
}

// merge iterates over the events of many lists, each in order, in order.
func merge(lists [][]logEntry) iter.Seq[*Update] {
	return func(yield func(*Update) bool) {
		h := make(heads, 0, len(lists))
		for _, l := range lists {
			if len(l) > 0 {
				h = append(h, l)
			}
		}
		heap.Init(&h)
		for len(h) > 0 {
			if !yield(h[0][0].update) {
				return
			}
			if h[0] = h[0][1:]; len(h[0]) == 0 {
				h[0] = h[len(h)-1]
				h = h[:len(h)-1]
			}
			if len(h) > 1 {
				heap.Fix(&h, 0)
			}
		}
	}
}

// heads are lists in the order of their first events: a heap.
type heads [][]logEntry

func (h heads) Len() int           { return len(h) }
func (h heads) Less(i, j int) bool { return compare(h[i][0].update, h[j][0].update) < 0 }
func (h heads) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *heads) Push(any)          {} // lists only go
func (h *heads) Pop() any          { return nil }
