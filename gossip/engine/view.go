package engine

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// view is what this node takes for the cluster at one moment: the members, and what
// is known of the replicas of all others (R6, R10).
type view struct {
	members []*slot           // newest reports of the others; nil for one that has not reported
	names   []string          // of the same
	hash    Hash              // of names and epochs, this node's own included
	outside Hash              // of the vector over replicas that are no member's
	lacking clock.Replica     // outside; something of it is known to exist and is not here
	known   int               // nodes that ever wrote or are members, and are not gone (R13)
	idle    bool              // some replica may vanish when all members know that
	proof   uint64            // names what this view and outside are
	current map[string]uint64 // the epochs of the members
}

// isMember reports whether a node counts as a member: it is alive, or failed not
// long ago (R10). One that left in order does not.
func (e *Engine) isMember(now time.Time, p *peer) bool {
	return p.state == PeerAlive || p.state == PeerFailed && now.Sub(p.failed) < e.cfg.RemoveAfter
}

// look returns the view of now: O(replicas).
func (e *Engine) look(now time.Time) *view {
	current := map[string]uint64{e.self.Node: e.self.Epoch}
	v := &view{hash: e.hasher.member(clock.Dot{Replica: e.self}, 0).Plus(e.retired.gone), current: current}
	for _, p := range e.peerOrder {
		if !e.isMember(now, p) {
			continue
		}
		s, _ := e.reports.find(p.name)
		id := clock.Replica{Node: p.name, Epoch: max(p.epoch, e.lastEpoch(p.name))}
		if s != nil && s.Member.Epoch >= id.Epoch {
			id = s.Member
		} else {
			s = nil // of an earlier life, if at all
		}
		current[p.name] = id.Epoch
		v.names = append(v.names, p.name)
		v.members = append(v.members, s)
		v.hash = v.hash.Plus(e.hasher.member(clock.Dot{Replica: id}, 0))
	}
	v.known = len(current)
	last := ""
	for _, r := range e.order {
		epoch, member := current[r.id.Node]
		if member && epoch == r.id.Epoch || r.head == 0 && r.version == 0 || r.over {
			continue
		}
		v.idle = v.idle || e.isIdle(r, v)
		if r.version > 0 {
			v.outside = v.outside.Plus(e.hasher.member(clock.Dot{Replica: r.id, Version: r.version}, 0))
		}
		if r.version < max(r.head, r.horizon) {
			v.lacking = r.id
		}
		if !member && r.id.Node != last && !e.isGone(r.id) {
			v.known++
			last = r.id.Node
		}
	}
	for id := range e.heads { // order: the first by name is said
		if epoch, member := current[id.Node]; (!member || epoch != id.Epoch) && (v.lacking == clock.Replica{} || id.Compare(v.lacking) < 0) {
			v.lacking = id
		}
	}
	v.proof = e.hasher.proof(v.hash, v.outside)
	return v
}

// complete is a time up to which this node knows all that the members wrote: while
// clean, the earliest of the others' reports that count (R6); 0 if one is missing.
func (e *Engine) complete(v *view) clock.Timestamp {
	if !e.Clean() {
		return 0
	}
	least := e.hlc.Last()
	for _, s := range v.members {
		if s == nil || e.versionOf(s.Member) < s.Head {
			return 0
		}
		least = min(least, s.HLC)
	}
	return least
}

// isGone reports whether a replica's node left in order, or was declared lost.
func (e *Engine) isGone(id clock.Replica) bool {
	s, _ := e.retired.find(id.Node)
	return s != nil && id.Epoch <= s.Gone
}

// versionOf returns what is known of a replica.
func (e *Engine) versionOf(id clock.Replica) clock.Version {
	if r := e.lookup(id); r != nil {
		return r.version
	}
	return 0
}

// stable returns the time up to which every member knows everything (R7), or 0 and
// what stands against it.
func (e *Engine) stable(v *view) (clock.Timestamp, []string) {
	var why []string
	against := func(format string, args ...any) { why = append(why, fmt.Sprintf(format, args...)) }
	if !e.Clean() {
		against("this node is not clean")
	}
	if e.headless {
		against("there are more replicas than MaxReplicas")
	}
	if 2*(len(v.members)+1) <= v.known && !e.cfg.Unsafe.Minority {
		against("%d of %d known nodes are members: no majority", len(v.members)+1, v.known)
	}
	if v.lacking != (clock.Replica{}) {
		against("updates of %v, no member's, are known to exist and not here", v.lacking)
	}
	least := e.complete(v)
	for i, s := range v.members {
		switch {
		case s == nil:
			against("%s has not reported", v.names[i])
			continue
		case e.versionOf(s.Member) < s.Head:
			against("not all of %s is known here", v.names[i])
		case s.View != v.hash:
			against("%s reported with other members", v.names[i])
		case s.Outside != v.outside:
			against("%s reported with other updates of former members", v.names[i])
		case s.Safe == 0:
			against("%s had not heard from all others when it reported", v.names[i])
		}
		least = min(least, s.Safe)
	}
	if len(why) > 0 {
		return 0, why
	}
	return least, nil
}

// lastEpoch returns the highest epoch of a node of which this node knows updates, 0 if
// of none.
func (e *Engine) lastEpoch(node string) uint64 {
	i, _ := slices.BinarySearchFunc(e.order, clock.Replica{Node: node, Epoch: math.MaxUint64}, func(r *replica, id clock.Replica) int { return r.id.Compare(id) })
	if i < len(e.order) && e.order[i].id.Node == node {
		i++
	}
	for ; i > 0 && e.order[i-1].id.Node == node; i-- {
		if e.order[i-1].version > 0 {
			return e.order[i-1].id.Epoch
		}
	}
	return 0
}
