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
// (R1).
func (e *Engine) meetSelf(now time.Time, digest []DigestEntry, out *Output) {
	i, _ := slices.BinarySearchFunc(digest, e.self, func(d DigestEntry, r clock.Replica) int { return d.Replica.Compare(r) })
	newest := e.self
	for ; i < len(digest) && digest[i].Replica.Node == e.self.Node && digest[i].Replica.Epoch < math.MaxUint64; i++ {
		d := digest[i]
		switch {
		case d.Replica != e.self:
			newest = d.Replica
		case d.Version > e.lookup(e.self).version:
			e.stolen = true
		}
	}
	if newest != e.self || e.stolen {
		e.newEpoch(now, newest, out)
	}
}

// notePublished notes how much of what was written here has arrived where this digest comes
// from.
func (e *Engine) notePublished(digest []DigestEntry) {
	if v := versionOf(digest, e.self); v <= e.lookup(e.self).version {
		e.published = max(e.published, v)
	}
}

// newEpoch makes this node a new replica, later than newest, and issues the
// updates of the old one that still count again under the new one. If the old
// identity was stolen, what this node wrote under it is forgotten, and the thief's
// updates come by gossip; until then this node is dirty, for it no longer knows
// what it told others. At most one new epoch is taken per Timeout, so that two
// nodes of one name do not flood the cluster with replicas.
func (e *Engine) newEpoch(now time.Time, newest clock.Replica, out *Output) {
	if !e.epochAt.IsZero() && now.Sub(e.epochAt) < e.cfg.Timeout {
		return
	}
	// Who has met another life of its name has a clock that stepped back, or a double. Then
	// there may be still others of which no one told, with epochs near this one.
	next := clock.Replica{Node: e.self.Node, Epoch: max(uint64(max(now.UnixMilli(), 0)), newest.Epoch+1)}
	if e.stolen || newest.Epoch > e.self.Epoch || next.Epoch == newest.Epoch+1 {
		next.Epoch += uint64(e.cfg.Rand.Int63n(1 << 16))
	}
	self := e.replica(next)
	if self == nil {
		return
	}
	old := e.lookup(e.self)
	own := slices.Collect(old.log.after(e.outlives()))
	if e.stolen {
		had := old.version
		for _, en := range own {
			e.discard(old, en, out)
		}
		e.forgetHeirs()
		e.rebase = rebase{}
		e.advance(old, 0)
		e.raise(old, had)
		e.dirtySince = now
	}
	e.stats.Epochs++
	e.self, e.epochAt, e.stolen, e.published = next, now, false, 0
	renamed := map[clock.Dot]clock.Dot{}
	for _, en := range own {
		s := e.spaces[en.update.Space]
		if s.model == nil {
			continue
		}
		u := *en.update
		u.Dot = clock.Dot{Replica: e.self, Version: self.version + 1}
		u.Time = e.hlc.Next(now)
		deps := slices.Clone(u.Deps.All())
		for i, d := range deps {
			if d, ok := renamed[d]; ok {
				deps[i] = d
			}
		}
		u.Deps = clock.NewDots(deps)
		renamed[en.update.Dot] = u.Dot
		e.issue(self, s, []*model.Update{&u}, out)
	}
	e.announce(now)
}

// outlives returns up to which version this node's updates need not be issued again
// when it takes a new epoch: 0, unless its life is over for others. Then they know those
// up to here, and may have dropped them since.
func (e *Engine) outlives() clock.Version {
	if final, ok := e.final(e.self); ok {
		return final
	}
	if e.isOver(e.self) {
		return e.published
	}
	return 0
}

// beginAnew makes this node a new replica if its life is over for others (R13).
func (e *Engine) beginAnew(now time.Time, out *Output) {
	if e.departed || !e.isOver(e.self) {
		return
	}
	t, _ := e.retired.find(e.self.Node)
	old := e.self
	e.newEpoch(now, clock.Replica{Node: old.Node, Epoch: t.latest()}, out)
	if e.self == old {
		return // not yet
	}
	e.stats.Anew++
	e.cut(now, t.Retirement, out)
	e.vanish(now, t.Retirement)
}

// versionOf returns the version of a replica in a digest, 0 when it has none.
func versionOf(digest []DigestEntry, id clock.Replica) clock.Version {
	i, ok := slices.BinarySearchFunc(digest, id, func(d DigestEntry, r clock.Replica) int { return d.Replica.Compare(r) })
	if !ok {
		return 0
	}
	return digest[i].Version
}
