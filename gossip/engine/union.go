package engine

import (
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// verify drops retained updates of a space whose content is no longer what was
// retained.
func (e *Engine) verify(s *space, out *Output) {
	var damaged []entry
	for _, r := range e.order {
		for en := range r.log.after(0) {
			if en.update.Space == s.name && e.hasher.isDamaged(en) {
				damaged = append(damaged, en)
			}
		}
	}
	e.discardDamaged(damaged, out)
}

// replicaHashes returns, per replica, the hash of all that is retained of it in
// a space, tombstones included, up to what both this node and a peer know.
func (e *Engine) replicaHashes(s *space, theirs []DigestEntry) []ReplicaHash {
	var all []ReplicaHash
	i := 0
	for _, r := range e.order {
		for i < len(theirs) && theirs[i].Replica.Compare(r.id) < 0 {
			i++
		}
		if i == len(theirs) || theirs[i].Replica != r.id || r.over {
			continue
		}
		if through := min(r.version, theirs[i].Version); through > 0 {
			all = append(all, ReplicaHash{r.id, through, r.floor, e.hashOf(r, s, through)})
		}
	}
	return all
}

func (e *Engine) hashOf(r *replica, s *space, through clock.Version) Hash {
	var h Hash
	for en := range r.log.after(0) {
		if en.update.Version > through {
			break
		}
		if en.update.Space == s.name {
			h = h.Plus(e.hasher.member(en.update.Dot, en.content))
		}
	}
	return h
}

// adoptFloors raises floors to those of the peer of a repair: both drop what either
// proved to be known to all (R12).
func (e *Engine) adoptFloors(p *peer, theirs []ReplicaHash) {
	if !e.Clean() {
		return
	}
	for _, h := range theirs {
		if r := e.lookup(h.Replica); r != nil {
			e.raiseFloor(r, h.Floor, p.hlc)
		}
	}
}

// differing returns the replicas whose hash differs here.
func (e *Engine) differing(s *space, theirs []ReplicaHash) []ReplicaHash {
	var differ []ReplicaHash
	for i, h := range theirs {
		r := e.lookup(h.Replica)
		if r == nil || r.version < h.Through || i > 0 && theirs[i-1].Replica.Compare(h.Replica) >= 0 {
			continue
		}
		if own := e.hashOf(r, s, h.Through); own != h.Hash || r.floor > h.Floor {
			differ = append(differ, ReplicaHash{r.id, h.Through, r.floor, own})
		}
	}
	return differ
}

// listDots lists the retained dots of a range, or of its beginning.
func (e *Engine) listDots(s *space, g Range) *RepairStep {
	r := e.lookup(g.Replica)
	if r == nil || r.version < g.Through || g.From >= g.Through {
		return nil
	}
	var dots []RepairDot
	for en := range r.log.after(g.From) {
		if en.update.Version > g.Through {
			break
		}
		if en.update.Space != s.name {
			continue
		}
		if len(dots) == e.repairDots() {
			g.Through = dots[len(dots)-1].Version
			break
		}
		dots = append(dots, RepairDot{en.update.Version, en.content})
	}
	step := &RepairStep{Phase: RepairDots, Space: s.name, Range: g, Dots: dots}
	if r.floor > 0 { // it may have risen since the hashes
		step.Hashes = []ReplicaHash{{Replica: r.id, Floor: r.floor}}
	}
	return step
}

// difference compares a run of r with a peer's: of forks here the larger, what only
// this node retains, and what is wanted from the peer.
func (e *Engine) difference(r *replica, s *space, step *RepairStep) (send, only []*model.Update, want []RepairDot) {
	theirs := make(map[clock.Version]uint64, len(step.Dots))
	for _, d := range step.Dots {
		theirs[d.Version] = d.Content
	}
	for en := range r.log.after(step.Range.From) {
		u := en.update
		if u.Version > step.Range.Through {
			break
		}
		if u.Space != s.name {
			continue
		}
		content, both := theirs[u.Version]
		switch {
		case !both:
			only = append(only, u)
		case content < en.content:
			send = append(send, u)
		}
		if both && content <= en.content {
			delete(theirs, u.Version)
		}
	}
	for _, d := range step.Dots {
		if _, ok := theirs[d.Version]; ok {
			want = append(want, d)
		}
	}
	return send, only, want
}

// wanted returns the updates that a step asks for.
func (e *Engine) wanted(s *space, step *RepairStep) []*model.Update {
	r := e.lookup(step.Range.Replica)
	if r == nil {
		return nil
	}
	var send []*model.Update
	for _, d := range step.Dots[:min(len(step.Dots), e.repairDots())] {
		if en, ok := r.log.get(d.Version); ok && en.update.Space == s.name {
			send = append(send, en.update)
		}
	}
	return send
}

// unite adds updates that another node retains and this one does not, in
// versions that this one covers: the model decides whether they count (R12).
// Nothing is removed because it is absent elsewhere.
//
// What was collected here is not retained again, but what it supersedes goes: between two
// dirty nodes that may be back, and the other, which has the tombstone, never takes it.
//
// What was collected here may hide in what a dirty node sends, or one that has not
// heard of it yet: clean tells whether both were clean when the repair began, and
// lifts how often a floor had risen here then.
func (e *Engine) unite(now time.Time, s *space, updates []*model.Update, clean bool, lifts uint64, out *Output) {
	if lifts != e.lifts {
		return
	}
	for _, u := range updates {
		r := e.lookup(u.Replica)
		if r == nil || r.over || u.Space != s.name || u.Version > r.version {
			continue
		}
		content := e.hasher.content(u)
		if have, ok := r.log.get(u.Version); ok {
			if content != have.content {
				e.stats.Repaired++
				e.fork(r, have, u, content, out)
			}
			continue
		}
		retained := s.updates
		e.integrate(r, s, e.hasher.ofEntry(entry{retain(r, s, u), content}), out)
		if en, ok := r.log.get(u.Version); ok && u.Version <= r.floor && s.isDead(u) {
			e.discard(r, en, out)
			if s.updates == retained {
				continue
			}
		}
		e.stats.Repaired++
		e.stats.RepairedBytes += uint64(bytesOf(u))
		if clean {
			continue
		}
		e.rebase = rebase{} // it did not look at this one
		if e.lifts > 0 {
			e.needReset(now)
		}
	}
}
