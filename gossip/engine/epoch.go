package engine

import (
	"math"
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// meetSelf looks in a peer's digest for replicas of this node's name. One that
// is newer than this one, or is this one with updates that this one never wrote,
// shows an incarnation that this one does not descend from: take a new epoch
// (R1). Otherwise the digest shows how much of what was written here has arrived
// there.
func (e *Engine) meetSelf(now time.Time, digest []DigestEntry, out *Output) {
	i, _ := slices.BinarySearchFunc(digest, e.self, func(d DigestEntry, r clock.Replica) int { return d.Replica.Compare(r) })
	for ; i < len(digest) && digest[i].Replica.Node == e.self.Node; i++ {
		d := digest[i]
		if d.Replica.Epoch < e.self.Epoch || d.Replica.Epoch == math.MaxUint64 {
			continue
		}
		if d.Replica == e.self && d.Version <= e.replica(e.self).version {
			e.published = max(e.published, d.Version)
			continue
		}
		e.newEpoch(now, d.Replica, out)
	}
}

// newEpoch makes this node a new replica, later than seen, and issues the
// updates of the old one that still count again under the new one. If seen is the
// old one itself, somebody else wrote under its id: what this node wrote there is
// forgotten, and the other's updates come by gossip.
func (e *Engine) newEpoch(now time.Time, seen clock.Replica, out *Output) {
	old := e.replica(e.self)
	own := slices.Collect(old.log.after(0))
	if seen == e.self {
		for _, en := range own {
			e.discard(old, en)
		}
		e.advance(old, 0)
	}
	e.stats.Epochs++
	e.published = 0
	e.self.Epoch = max(seen.Epoch+1, uint64(max(now.UnixMilli(), 0)))
	self := e.replica(e.self)
	for _, en := range own {
		s := e.spaces[en.update.Space]
		if self == nil || s.model == nil {
			continue
		}
		u := *en.update
		u.Dot = clock.Dot{Replica: e.self, Version: self.version + 1}
		u.Time = e.hlc.Next(now)
		e.issue(self, s, []*model.Update{&u}, out)
	}
	e.hurry(now)
}

// versionOf returns the version of a replica in a digest, 0 when it has none.
func versionOf(digest []DigestEntry, id clock.Replica) clock.Version {
	i, ok := slices.BinarySearchFunc(digest, id, func(d DigestEntry, r clock.Replica) int { return d.Replica.Compare(r) })
	if !ok {
		return 0
	}
	return digest[i].Version
}
