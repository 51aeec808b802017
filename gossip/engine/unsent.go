package engine

import (
	"github.com/zeebo/xxh3"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Unsent reports whether this node has written a key of a space after a version of
// its own: a new write to the key takes the place of that update, if it is retained. Where
// the model cannot say that, of very many keys it remembers those that were written last only.
func (e *Engine) Unsent(space string, key []byte, after clock.Version) bool {
	if s := e.lookupSpace(space); s != nil && s.finder != nil {
		u := s.finder.Find(key)
		return u != nil && u.Replica == e.self && u.Version > after
	}
	self := e.lookup(e.self)
	if self == nil {
		return false
	}
	if w := &e.written; w.by != e.self {
		*w = written{by: e.self, sets: make([][writtenWays]writing, writtenSets)}
		for en := range self.log.after(self.version - min(self.version, writtenSets*writtenWays)) {
			e.noteWritten(en.update)
		}
	}
	return e.written.version(e.hasher.key(space, key)) > after
}

// noteWritten remembers an update of this replica, newer than all before.
func (e *Engine) noteWritten(u *model.Update) {
	if e.written.by == e.self {
		e.written.note(e.hasher.key(u.Space, u.Key), u.Version)
	}
}

// written remembers the versions of a replica's latest updates by the hash of what
// they write to. Each hash has a set, in which it takes the place of the one that was
// written longest ago. The zero value, before somebody asks, remembers nothing.
type written struct {
	by   clock.Replica
	sets [][writtenWays]writing
}

// writing is an update. Zero: none.
type writing struct {
	hash    uint64
	version clock.Version
}

const (
	writtenSets = 1 << 9
	writtenWays = 8
)

// note notes an update that is newer than all before.
func (w *written) note(hash uint64, version clock.Version) {
	set, oldest := &w.sets[hash%writtenSets], 0
	for i := range set {
		if set[i].hash == hash {
			oldest = i
			break
		}
		if set[i].version < set[oldest].version {
			oldest = i
		}
	}
	set[oldest] = writing{hash, version}
}

// version returns the version of the newest update with a hash, 0 if there is none.
func (w *written) version(hash uint64) clock.Version {
	set := &w.sets[hash%writtenSets]
	for i := range set {
		if set[i].hash == hash {
			return set[i].version
		}
	}
	return 0
}

// key is the hash of what an update writes to.
func (h *hasher) key(space string, key []byte) uint64 {
	h.buf = appendSized(appendSized(h.buf[:0], space), key)
	return xxh3.HashSeed(h.buf, h.seed)
}
