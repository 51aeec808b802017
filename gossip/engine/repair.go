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

// repair is the union of two nodes' retained updates, space by space, driven by
// the node that saw the need (R12). It goes through the replicas that differ in
// chunks; what is done stays done when it breaks off. Its id is that of the
// exchange that showed the need.
type repair struct {
	id      uint64
	spaces  []*space               // the first is under way
	parts   map[clock.Version]bool // numbers of the messages of hashes that are not answered yet
	todo    []Range                // of the first space, what is still to be compared
	wanted  map[clock.Dot]bool     // asked for and not here yet
	theirs  []DigestEntry          // what the peer knew at first: only that is compared
	active  time.Time
	rebases bool   // it is the union of a rebase
	clean   bool   // both sides are
	lifts   uint64 // here, when it began
}

// served is the repair that a peer drives with this node.
type served struct {
	id    uint64
	until time.Time
	space *space                 // of the latest step: it was verified
	parts map[clock.Version]bool // of its hashes: compared, each once
	clean bool                   // both sides were
	lifts uint64                 // here, when it began
}

// hashes returns the state hashes of all spaces.
func (e *Engine) hashes() []SpaceHash {
	var all []SpaceHash
	for _, s := range e.spaceOrder {
		if s.model != nil {
			all = append(all, SpaceHash{Space: s.name, Hash: s.hash, Type: typeOf(s.model)})
		} else {
			all = append(all, SpaceHash{Space: s.name, Relayed: true})
		}
	}
	return all
}

// compareHashes looks at an ACK that says that the vectors are equal, and
// starts a repair if it takes one (R12):
//   - both clean, a state hash differs: something broke; count it and unite. So if what
//     broke here is in no state hash;
//   - this node dirty, the peer clean: what explains the holes may be lost, but
//     the peer's state is right; unite, as a rebase;
//   - both dirty, a hash differs: unite, and stay dirty;
//   - only the peer dirty: it drives.
func (e *Engine) compareHashes(now time.Time, p *peer, x *exchange, m *Message, out *Output) {
	e.scrub(now, out)
	peerClean := len(m.Exceptions) == 0
	if !e.cfg.Unsafe.Classic && (!e.Clean() || e.dead() > 0) && e.agrees(m.Hashes, e.isDesperate(now)) {
		// A clean one can do better, unless it could not for long: it may relay.
		if p.agreed = e.agreement(); e.Clean() || !peerClean || e.isDesperate(now) {
			e.giveUp(now)
		}
	}
	if e.cfg.Unsafe.Classic || e.Clean() && !peerClean {
		return
	}
	var differ []*space
	for _, h := range m.Hashes {
		if s := e.spaces[h.Space]; s != nil && s.model != nil && !h.Relayed && (s.hash != h.Hash || s.torn && e.Clean()) {
			differ = append(differ, s)
		}
	}
	if e.Clean() && len(differ) > 0 {
		e.stats.Mismatches++
		e.wake()
	}
	switch {
	case !e.mayRepair(now, p):
	case e.Clean() == peerClean && len(differ) > 0:
		e.startRepair(now, p, &repair{id: x.id, theirs: x.mine, spaces: differ, clean: peerClean}, out)
	case e.Clean() != peerClean && e.startRebase(now, p, x.mine, m):
		e.startUnion(now, p, x.id, out)
	}
}

// mayRepair reports whether it is time for a repair with p.
func (e *Engine) mayRepair(now time.Time, p *peer) bool {
	return p.repair == nil && !now.Before(p.repairFrom)
}

// repairPatience is how long a step of a repair with p may take.
func (e *Engine) repairPatience(p *peer) time.Duration {
	return min(max(repairEvery, 4*p.delay), e.cfg.Timeout)
}

// endRepair breaks off a repair with p: its next exchange may begin another.
func (e *Engine) endRepair(p *peer) {
	if e.rebase.union == p.repair {
		e.rebase = rebase{}
	}
	p.repair = nil
}

// startUnion begins the second step of a rebase on p: a repair of all spaces.
func (e *Engine) startUnion(now time.Time, p *peer, id uint64, out *Output) {
	r := &repair{id: id, theirs: e.rebase.theirs, spaces: e.rebase.spaces, rebases: true}
	e.rebase.union = r
	e.startRepair(now, p, r, out)
}

// startRepair begins to drive a repair with p.
func (e *Engine) startRepair(now time.Time, p *peer, r *repair, out *Output) {
	e.stats.Repairs++
	r.lifts = e.lifts
	r.parts, r.wanted = map[clock.Version]bool{}, map[clock.Dot]bool{}
	p.repair, p.repairFrom = r, now.Add(repairEvery)
	e.repairSpace(now, p, out)
}

// allShared reports whether all updates, here and at a peer with these hashes,
// are of spaces that both have models for.
func (e *Engine) allShared(theirs []SpaceHash) bool {
	shared := map[string]bool{}
	for _, h := range theirs {
		s := e.spaces[h.Space]
		if h.Relayed || s == nil || s.model == nil {
			return false
		}
		shared[h.Space] = true
	}
	for _, s := range e.spaceOrder {
		if s.updates > 0 && !shared[s.name] {
			return false
		}
	}
	return true
}

// repairSpace begins with the next space of a repair, or ends it.
func (e *Engine) repairSpace(now time.Time, p *peer, out *Output) {
	r := p.repair
	r.active = now
	if len(r.spaces) == 0 {
		if p.repair = nil; e.rebase.union == r {
			e.united(now, p, out)
		}
		return
	}
	s := r.spaces[0]
	e.verify(s, out)
	number := clock.Version(0)
	for part := range slices.Chunk(e.replicaHashes(s, r.theirs), e.repairHashes()) {
		number++
		r.parts[number] = true
		step := &RepairStep{Phase: RepairHashes, Space: s.name, Range: Range{Through: number}, Hashes: part}
		e.sendRepair(now, p, r.id, step, out)
	}
	if number == 0 { // nothing is known by both
		s.torn, r.spaces = false, r.spaces[1:]
		e.repairSpace(now, p, out)
	}
}

// sendRepair sends a step of the repair with this id.
func (e *Engine) sendRepair(now time.Time, p *peer, id uint64, step *RepairStep, out *Output) {
	m := e.message(now, p, Repair, id)
	m.Repair, m.Same = step, e.Clean()
	out.send(p.name, e.cfg.Codec.Size(m) > e.cfg.MaxDatagram, m)
}

// onRepair handles one step of a repair. Steps that are late, repeated or of a
// repair that is over change nothing.
func (e *Engine) onRepair(now time.Time, p *peer, m *Message, out *Output) {
	s := e.spaces[m.Repair.Space]
	if s == nil {
		return
	}
	if r := p.repair; r != nil && r.id == m.Exchange && (s.model != nil || r.rebases) {
		if len(r.spaces) > 0 && r.spaces[0] == s {
			if e.rebase.union == r {
				e.rebase.until = now.Add(e.cfg.Timeout)
			}
			r.active = now
			e.drive(now, p, s, m.Repair, out)
		}
		return
	}
	if s.model != nil && e.admit(now, p, m, s) {
		e.serve(now, p, s, m, out)
	}
}

// admit reports whether this node takes part in a repair that a peer drives.
func (e *Engine) admit(now time.Time, p *peer, m *Message, s *space) bool {
	if p.served.id == m.Exchange && !p.served.until.IsZero() {
		p.served.until = now.Add(repairEvery)
		return true
	}
	x := p.its
	if m.Repair.Phase != RepairHashes || x == nil || x.id != m.Exchange || now.Before(p.served.until) {
		return false
	}
	p.served = served{id: x.id, until: now.Add(repairEvery), clean: m.Same && e.Clean(), lifts: e.lifts}
	return true
}

// serve answers a step of the driving peer.
func (e *Engine) serve(now time.Time, p *peer, s *space, m *Message, out *Output) {
	step := m.Repair
	switch step.Phase {
	case RepairHashes:
		if p.served.space != s {
			e.verify(s, out)
			p.served.space, p.served.parts = s, map[clock.Version]bool{}
		}
		if p.served.parts[step.Range.Through] || len(p.served.parts) > e.cfg.MaxReplicas/e.repairHashes() {
			return // repeated
		}
		p.served.parts[step.Range.Through] = true
		e.adoptFloors(p, step.Hashes)
		answer := &RepairStep{Phase: RepairDiffer, Space: s.name, Range: step.Range, Hashes: e.differing(s, step.Hashes)}
		e.sendRepair(now, p, m.Exchange, answer, out)
	case RepairAsk:
		if answer := e.listDots(s, step.Range); answer != nil {
			e.sendRepair(now, p, m.Exchange, answer, out)
		}
	case RepairUpdates:
		e.unite(now, s, step.Updates, p.served.clean, p.served.lifts, out)
		e.sendUpdates(now, p, m.Exchange, s, step.Range, nil, e.wanted(s, step), out)
	}
}

// drive takes an answer of the serving peer and does the next step.
func (e *Engine) drive(now time.Time, p *peer, s *space, step *RepairStep, out *Output) {
	r := p.repair
	switch step.Phase {
	case RepairDiffer:
		if !r.parts[step.Range.Through] {
			return // repeated
		}
		delete(r.parts, step.Range.Through)
		added := 0
		if !r.rebases {
			e.adoptFloors(p, step.Hashes)
		}
		e.noteFloors(r, step.Hashes)
		for _, h := range step.Hashes {
			if own := e.lookup(h.Replica); own != nil && e.hashOf(own, s, h.Through) != h.Hash {
				r.todo = append(r.todo, Range{Replica: h.Replica, Through: h.Through})
				added++
			}
		}
		if added == 0 || len(r.todo) > added {
			break // nothing new to ask, or a range is under way
		}
		e.ask(now, p, s, out)
		return
	case RepairDots:
		if !e.onDots(now, p, s, step, out) {
			return
		}
	case RepairUpdates:
		e.unite(now, s, step.Updates, r.clean || r.rebases, r.lifts, out)
		for _, u := range step.Updates {
			delete(r.wanted, u.Dot)
		}
	}
	if len(r.todo) == 0 && len(r.parts) == 0 && len(r.wanted) == 0 {
		s.torn, r.spaces = false, r.spaces[1:]
		e.repairSpace(now, p, out)
	}
}

// noteFloors notes the peer's floors, if a repair is the union of a rebase: what it does not
// retain may have been collected.
func (e *Engine) noteFloors(r *repair, theirs []ReplicaHash) {
	if e.rebase.union != r {
		return
	}
	for _, h := range theirs {
		if h.Floor > 0 {
			e.rebase.floors[h.Replica] = max(e.rebase.floors[h.Replica], h.Floor)
		}
	}
}

// ask asks for the dots of the next range.
func (e *Engine) ask(now time.Time, p *peer, s *space, out *Output) {
	step := &RepairStep{Phase: RepairAsk, Space: s.name, Range: p.repair.todo[0]}
	e.sendRepair(now, p, p.repair.id, step, out)
}

// onDots compares a run of the peer's dots with this node's, sends what the
// peer lacks, asks for what is lacking here, and goes on with the next run. Of a
// fork, the larger content goes to the other side. It reports whether the step
// was the one expected.
func (e *Engine) onDots(now time.Time, p *peer, s *space, step *RepairStep, out *Output) bool {
	rep, g := p.repair, step.Range
	r := e.lookup(g.Replica)
	if len(rep.todo) == 0 || r == nil || r.version < g.Through || g.Through <= g.From ||
		rep.todo[0].Replica != g.Replica || rep.todo[0].From != g.From {
		return false
	}
	e.noteFloors(rep, step.Hashes)
	send, only, want := e.difference(r, s, step)
	if e.rebase.union == rep && e.rebase.unsure && e.lifts > 0 {
		want = nil // it may be dead
	}
	switch {
	case !rep.rebases || !e.cfg.Collect:
		send = append(send, only...)
	case e.rebase.union == rep:
		e.noteDead(only)
	}
	for _, d := range want {
		rep.wanted[clock.Dot{Replica: r.id, Version: d.Version}] = true
	}
	e.sendUpdates(now, p, rep.id, s, g, want, send, out)
	if rep.todo[0].From = g.Through; rep.todo[0].From >= rep.todo[0].Through {
		rep.todo = rep.todo[1:]
	}
	if len(rep.todo) > 0 {
		e.ask(now, p, s, out)
	}
	return true
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
