package engine

import (
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

const (
	// repairEvery is the least time between two repairs that one node drives with
	// one peer, or serves to it.
	repairEvery = time.Second
	// dotSize and hashSize are more than a dot and a replica's hash take on the wire.
	dotSize  = 24
	hashSize = MaxName + 64
)

// repairDots is how many dots one step lists: at most a chunk of them, and half
// a message, so that an update fits beside them.
func (e *Engine) repairDots() int { return max(1, min(chunk, e.halfMessage())/dotSize) }

// repairHashes is how many replicas one step of hashes names.
func (e *Engine) repairHashes() int { return max(1, min(chunk, e.halfMessage())/hashSize) }

// halfMessage is half of what a message has beside the largest update.
func (e *Engine) halfMessage() int { return (e.cfg.MaxStream - e.cfg.MaxUpdate) / 2 }

// repair is the union of two nodes' retained updates of one space, driven by
// the node that saw the hashes differ (R12). It goes through the replicas that
// differ in chunks; what is done stays done when it breaks off.
type repair struct {
	id     uint64
	space  string
	todo   []Range // what is still to be compared
	active time.Time
}

// served is the repair of this node that a peer drives.
type served struct {
	id    uint64
	space string
	until time.Time
}

// hashes returns the state hashes of the attached spaces.
func (e *Engine) hashes() []SpaceHash {
	var all []SpaceHash
	for _, s := range e.spaceOrder {
		if s.model != nil {
			all = append(all, SpaceHash{s.name, s.hash})
		}
	}
	return all
}

// compareHashes checks the state hashes of a clean peer with an equal vector, and
// starts to repair the first space that differs (R12).
func (e *Engine) compareHashes(now time.Time, p *peer, theirs []SpaceHash, out *Output) {
	if !e.Clean() {
		return
	}
	for _, h := range theirs {
		s := e.spaces[h.Space]
		if s == nil || s.model == nil || s.hash == h.Hash {
			continue
		}
		e.stats.Mismatches++
		if p.repair == nil && !now.Before(p.repairFrom) {
			e.startRepair(now, p, s, out)
		}
		return
	}
}

func (e *Engine) startRepair(now time.Time, p *peer, s *space, out *Output) {
	e.stats.Repairs++
	e.exchanges++
	p.repair = &repair{id: e.exchanges, space: s.name, active: now}
	p.repairFrom = now.Add(repairEvery)
	e.verify(s)
	hashes := e.replicaHashes(s)
	for part := range slices.Chunk(hashes, e.repairHashes()) {
		e.sendRepair(now, p, p.repair.id, &RepairStep{Phase: RepairHashes, Space: s.name, Hashes: part}, out)
	}
}

// verify drops retained updates of a space whose content is no longer what was
// retained.
func (e *Engine) verify(s *space) {
	for _, r := range e.order {
		for _, en := range slices.Collect(r.log.after(0)) {
			if en.update.Space == s.name && e.hasher.content(en.update) != en.content {
				e.stats.Repaired++
				e.discard(r, en)
			}
		}
	}
}

// replicaHashes returns, per replica, the hash of all that is retained of it in
// a space, tombstones included.
func (e *Engine) replicaHashes(s *space) []ReplicaHash {
	var all []ReplicaHash
	for _, r := range e.order {
		if r.version > 0 {
			all = append(all, ReplicaHash{r.id, r.version, r.floor, e.hashOf(r, s, r.version)})
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

func (e *Engine) sendRepair(now time.Time, p *peer, id uint64, step *RepairStep, out *Output) {
	m := e.message(now, Repair, id)
	m.Repair = step
	out.send(p.name, e.cfg.Codec.Size(m) > e.cfg.MaxDatagram, m)
}

// onRepair handles one step of a repair. Steps that are late, repeated or of a
// repair that is over change nothing.
func (e *Engine) onRepair(now time.Time, p *peer, m *Message, out *Output) {
	step := m.Repair
	s := e.spaces[step.Space]
	if s == nil || s.model == nil || !e.Clean() {
		return
	}
	switch step.Phase {
	case RepairHashes:
		if p.served.id != m.Exchange {
			if now.Before(p.served.until) {
				return
			}
			e.verify(s)
		}
		p.served = served{m.Exchange, s.name, now.Add(repairEvery)}
		e.answerHashes(now, p, m.Exchange, s, step.Hashes, out)
		return
	case RepairAsk:
		if p.served.id == m.Exchange && p.served.space == s.name {
			e.answerAsk(now, p, m.Exchange, s, step.Range, out)
		}
		return
	case RepairUpdates:
		if p.served.id == m.Exchange && p.served.space == s.name {
			e.unite(s, step.Updates, out)
			e.sendWanted(now, p, m.Exchange, s, step.Range, step.Dots, out)
			return
		}
	}
	r := p.repair
	if r == nil || r.id != m.Exchange || r.space != s.name {
		return
	}
	r.active = now
	switch step.Phase {
	case RepairDiffer:
		for _, h := range step.Hashes {
			r.todo = append(r.todo, Range{Replica: h.Replica, Through: h.Through})
		}
		e.askNext(now, p, out)
	case RepairDots:
		e.onDots(now, p, s, step, out)
	case RepairUpdates:
		e.unite(s, step.Updates, out)
		if len(r.todo) == 0 {
			p.repair = nil
		}
	}
}

// answerHashes names the replicas whose hash differs here.
func (e *Engine) answerHashes(now time.Time, p *peer, id uint64, s *space, theirs []ReplicaHash, out *Output) {
	var differ []ReplicaHash
	for _, h := range theirs {
		r := e.lookup(h.Replica)
		if r == nil || r.version < h.Through {
			continue
		}
		if own := e.hashOf(r, s, h.Through); own != h.Hash {
			differ = append(differ, ReplicaHash{r.id, h.Through, r.floor, own})
		}
	}
	e.sendRepair(now, p, id, &RepairStep{Phase: RepairDiffer, Space: s.name, Hashes: differ}, out)
}

// askNext asks for the dots of the next range, or ends the repair.
func (e *Engine) askNext(now time.Time, p *peer, out *Output) {
	if r := p.repair; len(r.todo) > 0 {
		e.sendRepair(now, p, r.id, &RepairStep{Phase: RepairAsk, Space: r.space, Range: r.todo[0]}, out)
	} else {
		p.repair = nil
	}
}

// answerAsk lists the retained dots of a range, or of its beginning.
func (e *Engine) answerAsk(now time.Time, p *peer, id uint64, s *space, g Range, out *Output) {
	r := e.lookup(g.Replica)
	if r == nil || r.version < g.Through || g.From >= g.Through {
		return
	}
	p.served.until = now.Add(repairEvery)
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
	e.sendRepair(now, p, id, &RepairStep{Phase: RepairDots, Space: s.name, Range: g, Dots: dots}, out)
}

// onDots compares a run of the peer's dots with this node's, sends what the
// peer lacks and asks for what is lacking here. Of a fork, the larger content
// goes to the other side.
func (e *Engine) onDots(now time.Time, p *peer, s *space, step *RepairStep, out *Output) {
	rep, g := p.repair, step.Range
	if len(rep.todo) == 0 || rep.todo[0].Replica != g.Replica || rep.todo[0].From != g.From || g.Through <= g.From {
		return // repeated
	}
	r := e.lookup(g.Replica)
	if r == nil || r.version < g.Through {
		return
	}
	theirs := make(map[clock.Version]uint64, len(step.Dots))
	for _, d := range step.Dots {
		theirs[d.Version] = d.Content
	}
	var send []*model.Update
	for en := range r.log.after(g.From) {
		u := en.update
		if u.Version > g.Through {
			break
		}
		if u.Space != s.name {
			continue
		}
		content, both := theirs[u.Version]
		if !both || content < en.content {
			send = append(send, u)
		}
		if both && content <= en.content {
			delete(theirs, u.Version)
		}
	}
	var want []RepairDot
	for _, d := range step.Dots {
		if _, ok := theirs[d.Version]; ok {
			want = append(want, d)
		}
	}
	e.sendUpdates(now, p, rep.id, s, g, want, send, out)
	if rep.todo[0].From = g.Through; rep.todo[0].From >= rep.todo[0].Through {
		rep.todo = rep.todo[1:]
	}
	if len(rep.todo) > 0 || len(want) == 0 {
		e.askNext(now, p, out)
	}
}

// sendWanted sends the updates of a range that a peer asked for.
func (e *Engine) sendWanted(now time.Time, p *peer, id uint64, s *space, g Range, wanted []RepairDot, out *Output) {
	r := e.lookup(g.Replica)
	if r == nil || len(wanted) == 0 {
		return
	}
	var send []*model.Update
	for _, d := range wanted {
		if en, ok := r.log.get(d.Version); ok && en.update.Space == s.name {
			send = append(send, en.update)
		}
	}
	e.sendUpdates(now, p, id, s, g, nil, send, out)
}

// sendUpdates sends updates and wishes in as many messages as the limits need.
func (e *Engine) sendUpdates(now time.Time, p *peer, id uint64, s *space, g Range, want []RepairDot, updates []*model.Update, out *Output) {
	for len(want) > 0 || len(updates) > 0 {
		step := &RepairStep{Phase: RepairUpdates, Space: s.name, Range: g, Dots: want}
		want = nil
		for size := 0; len(updates) > 0; updates = updates[1:] {
			size += e.cfg.Codec.UpdateSize(updates[0])
			if len(step.Updates) > 0 && size > min(chunk, e.cfg.MaxUpdate) {
				break
			}
			step.Updates = append(step.Updates, updates[0])
		}
		e.sendRepair(now, p, id, step, out)
	}
}

// unite adds updates that another node retains and this one does not, in
// versions that this one covers: the model decides whether they count (R12).
// Nothing is removed because it is absent elsewhere.
func (e *Engine) unite(s *space, updates []*model.Update, out *Output) {
	for _, u := range updates {
		r := e.lookup(u.Replica)
		if r == nil || u.Space != s.name || u.Version > r.version || u.IsTombstone() && u.Version <= r.floor {
			continue
		}
		content := e.hasher.content(u)
		if have, ok := r.log.get(u.Version); ok {
			if content != have.content {
				e.stats.Repaired++
				e.fork(r, have, u, content)
			}
			continue
		}
		e.stats.Repaired++
		e.integrate(r, s, entry{retain(u, s.name), content}, out)
	}
}
