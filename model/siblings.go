package model

import (
	"bytes"
	"slices"
	"unsafe"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// siblings are updates by key, of each key those that no other one has seen. What an
// update has seen is its context: a version vector of its key. It has the dots that
// its writer saw there, and what those had seen, so that "has seen" is transitive even
// where what came in between is gone. The dots alone would not be enough; the engine's
// vector would be too much, for it covers what came with other keys (DESIGN §5).
type siblings struct {
	// groups are ascending by compare and never changed in place: who has one may keep
	// it. Their keys alias the key of an update in the group.
	groups table[[]*Update]
	live   int       // groups that show something: that have more than tombstones
	last   []*Update // backs the last Effect's Superseded
}

// hasSeen is Supersedes of such models.
func hasSeen(a, b *Update) bool {
	return a.Dot != b.Dot && a.Context.Covers(b.Dot) && bytes.Equal(a.Key, b.Key)
}

// apply is Model.Apply.
func (s *siblings) apply(u *Update) Effect {
	group := s.groups.get(keyOf(u))
	for _, old := range group {
		switch {
		case old.Dot == u.Dot:
			return Effect{}
		case old.Context.Covers(u.Dot):
			return Effect{Redundant: true}
		}
	}
	clear(s.last)
	s.last = s.last[:0]
	stay := make([]*Update, 0, len(group)+1)
	for _, old := range group {
		if u.Context.Covers(old.Dot) {
			s.last = append(s.last, old)
		} else {
			stay = append(stay, old)
		}
	}
	i, _ := slices.BinarySearchFunc(stay, u, compare)
	s.put(u, group, slices.Insert(stay, i, u))
	return Effect{Superseded: s.last}
}

// remove is Model.Discard.
func (s *siblings) remove(u *Update) {
	group := s.groups.get(keyOf(u))
	i := slices.IndexFunc(group, func(o *Update) bool { return o.Dot == u.Dot })
	if i < 0 {
		return
	}
	s.put(u, group, slices.Delete(slices.Clone(group), i, i+1))
}

// holds is Verifier.Verify.
func (s *siblings) holds(u *Update) bool {
	return slices.ContainsFunc(s.groups.get(keyOf(u)), func(held *Update) bool { return isHeld(held, u) })
}

// put makes a group that of u's key, in the place of another one. An old key that may
// alias an update which is garbage now goes.
func (s *siblings) put(u *Update, old, group []*Update) {
	if anyLive(old) != nil {
		s.live--
	}
	if anyLive(group) != nil {
		s.live++
	}
	if len(old) > 0 && len(group) <= len(old) {
		s.groups.remove(keyOf(u))
	}
	if len(group) > 0 {
		s.groups.set(keyOf(group[0]), group)
	}
}

// context returns the context of a new update of a key, which takes the place of all
// that there is. What an update that every member has applied had seen is left out: no
// member retains any of that. The update's own dot is not: members retain it.
func (s *siblings) context(key string, stable clock.Timestamp) clock.Vector {
	var entries []clock.Entry
	for _, u := range s.groups.get(key) {
		entries = append(entries, clock.Entry(u.Dot))
		if u.Time <= stable {
			continue
		}
		for i := range u.Context.Len() {
			entries = append(entries, u.Context.At(i))
		}
	}
	return clock.NewVector(entries)
}

// collect returns the newest of what each group shows, in no order.
func (s *siblings) collect() []*Update {
	found := make([]*Update, 0, s.live)
	for _, group := range s.groups.all() { // order: whoever reads the result sorts it
		if u := anyLive(group); u != nil {
			found = append(found, u)
		}
	}
	return found
}

// anyLive returns an update of a group that is no tombstone, the newest one; nil if
// there is none.
func anyLive(group []*Update) *Update {
	for _, u := range slices.Backward(group) {
		if !u.IsTombstone() {
			return u
		}
	}
	return nil
}

// stableOf returns the host's stable time, 0 if it knows none.
func stableOf(h Host) clock.Timestamp {
	if s, ok := h.(StableHost); ok {
		return s.Stable()
	}
	return 0
}

// sortByKey sorts updates of different keys.
func sortByKey(us []*Update) {
	slices.SortFunc(us, func(a, b *Update) int { return bytes.Compare(a.Key, b.Key) })
}

// aliasOf returns bytes that never change as a string, without copying them.
func aliasOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf returns a string as bytes without copying them: they must never change.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
