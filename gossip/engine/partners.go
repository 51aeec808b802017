package engine

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// schedule says with whom each node begins an exchange in each round, so that all nodes
// together spread what is new as fast as can be. They stand on a ring, in an order that is
// drawn anew for every cycle. In its rounds each node turns to the one …, 9, 3, 1 places
// ahead. It is turned to from as far behind: so three nodes know after a round what one
// knew before it, all know it after about log3 N rounds, hardly anything comes twice, and
// nobody takes part in more exchanges than others, or in fewer.
//
// Order and round follow from names and wall clocks. Nodes that do not know the same
// members, or whose clocks differ by more than a cycle, draw from different orders: then each
// partner is a random one.
type schedule struct {
	cycle uint64
	ring  []*peer // living peers and, as nil, this node; nil: to be drawn
	self  int     // this node's place
}

// scheduled returns the peer whom the schedule has for a round at now, or so many rounds
// further on in the same cycle, nil when there is no living one.
func (e *Engine) scheduled(now time.Time, ahead uint64) *peer {
	s := &e.schedule
	living := 1
	for _, p := range e.peerOrder {
		if p.state == PeerAlive {
			living++
		}
	}
	rounds, longest := uint64(1), 1
	for reach := 3; reach < living; reach *= 3 {
		rounds, longest = rounds+1, reach
	}
	round := uint64(now.UnixNano()) / uint64(e.interval)
	if cycle := round / rounds; s.ring == nil || s.cycle != cycle {
		s.cycle = cycle
		e.drawRing(living)
	}
	stride := longest
	for range (round + ahead) % rounds {
		stride /= 3
	}
	return s.ring[(s.self+stride)%living]
}

// drawRing draws the order of the schedule's cycle.
func (e *Engine) drawRing(living int) {
	type place struct {
		at   uint64
		name string
		peer *peer
	}
	cycle := strconv.FormatUint(e.schedule.cycle, 36)
	places := make([]place, 0, living)
	stand := func(name string, p *peer) { places = append(places, place{e.hasher.names(name, cycle), name, p}) }
	stand(e.self.Node, nil)
	for _, p := range e.peerOrder {
		if p.state == PeerAlive {
			stand(p.name, p)
		}
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.name, b.name)) })
	e.schedule.ring = make([]*peer, living)
	for i, p := range places {
		e.schedule.ring[i] = p.peer
		if p.peer == nil {
			e.schedule.self = i
		}
	}
}

// failedEvery is how often, in rounds, a failed peer is tried: partitions heal.
const failedEvery = 10

// choose returns the peer of the next round, nil when there is none or each has
// an exchange under way, and whether this node is alone.
func (e *Engine) choose(now time.Time) (p *peer, alone bool) {
	var failed []*peer
	alone, idle := true, false
	for _, p := range e.peerOrder {
		alone = alone && p.state == PeerRemoved
		switch {
		case e.isBusy(now, p):
		case p.state == PeerAlive:
			idle = true
		case p.state == PeerFailed:
			failed = append(failed, p)
		}
	}
	rng := e.cfg.Rand
	if len(failed) > 0 && (!idle || rng.Intn(failedEvery) == 0) {
		return failed[rng.Intn(len(failed))], alone
	}
	return e.partner(now, 0), alone
}

// partner returns the living peer that the schedule has for a round at now, or for one
// further on, or if that has an exchange under way another one at random, nil if all have.
func (e *Engine) partner(now time.Time, ahead uint64) *peer {
	var idle []*peer
	for _, p := range e.peerOrder {
		if p.state == PeerAlive && !e.isBusy(now, p) {
			idle = append(idle, p)
		}
	}
	if len(idle) == 0 {
		return nil
	}
	if p := e.scheduled(now, ahead); !e.isBusy(now, p) {
		return p
	}
	return idle[e.cfg.Rand.Intn(len(idle))]
}
