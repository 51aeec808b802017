package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// PeerState is what membership says of a peer.
type PeerState uint8

// The states of a peer.
const (
	PeerAlive   PeerState = iota // gossip with it (alive or suspect)
	PeerFailed                   // try it now and then: partitions heal
	PeerRemoved                  // forget it: it left, or failed long ago
)

// peer is what the engine keeps about another node, bounded by a constant plus
// the digests of the exchanges under way.
type peer struct {
	name    string
	state   PeerState       // PeerRemoved: never announced, or removed; only answered
	epoch   uint64          // of its latest message
	heard   time.Time       // when that came
	failed  time.Time       // when membership said so
	hlc     clock.Timestamp // the highest that this life of it has shown
	slow    bool            // its clock was more than MaxDrift behind this node's
	joining bool            // it may not write yet
	delay   time.Duration   // smoothed, from a SYN to its ACK; 0: not known

	answered uint64    // the last exchange of the peer that was answered: its ids grow
	mine     *exchange // initiated here
	its      *exchange // initiated there
	assembly *assembly // of a digest that comes in parts
	pulls    map[clock.Replica]time.Time

	lacking uint64    // versions it knew and this node did not, after its last message
	agreed  agreement // when it was last seen to know and show the same

	retireTries int               // exchanges since the peer last knew the same to be over
	types       map[string]string // of its models, by space, where this node has another one or none

	live  heard // of its live messages
	width width // of the way to it

	repair     *repair   // driven by this node
	repairFrom time.Time // no repair with it before
	served     served
}

// exchange is one push-pull conversation.
type exchange struct {
	id     uint64
	mine   []DigestEntry // the digest sent
	theirs []DigestEntry // the digest received, patched by what came later; nil until then
	at     uint64        // the engine's changes when mine was sent: identifies it
	base   uint64        // the peer's Base of theirs
	sent   int           // bytes of batches sent
	done   bool          // counted; the peer may still pull
	toPull bool          // … and is likely to catch up in it
	narrow bool          // its messages are to fit into datagrams
	rates  Rates         // what the SYN said of this node's

	told       []clock.Entry // exceptions sent with mine, because they need messages of their own
	exceptions []clock.Entry // the peer's, received with theirs

	serving *serving // what the peer catches up with; nil: it does not
	mayGet  credit   // what the peer may send while this node catches up

	snapshot []run     // what a cleaning exchange still has to send (R5); nil in others
	active   time.Time // of the last message
}

// SetPeer tells what membership says of a node. The engine starts exchanges with
// nodes it was told of only, but answers everybody.
func (e *Engine) SetPeer(now time.Time, name string, s PeerState) {
	if name == e.self.Node {
		return
	}
	if s == PeerRemoved {
		e.dropPeer(name)
		return
	}
	if len(e.peers) >= e.cfg.MaxPeers && e.peers[name] == nil {
		e.evictStranger()
	}
	p := e.peer(name)
	if p == nil || p.state == s {
		return
	}
	if p.state = s; s == PeerFailed {
		p.failed = now
		if e.catchup.paced && e.catchup.peer == p {
			e.catchup = catchup{} // go on with another one
			e.hurry(now)
		}
	}
	e.schedule.ring = nil
	e.live.stale = true
	if s == PeerAlive {
		e.hurry(now) // it may lack anything
	}
}

// evictStranger makes room for a member: of those that are only answered, the
// one that was silent for longest goes.
func (e *Engine) evictStranger() {
	var oldest *peer
	for _, p := range e.peerOrder {
		if p.state == PeerRemoved && (oldest == nil || p.heard.Before(oldest.heard)) {
			oldest = p
		}
	}
	if oldest != nil {
		e.dropPeer(oldest.name)
	}
}

// answersAfter notes how long the peer took to answer.
func (p *peer) answersAfter(d time.Duration) {
	if p.delay == 0 {
		p.delay = d
	} else {
		p.delay += (d - p.delay) / 4
	}
}

// isBusy reports whether an exchange with p may still be answered: a new one
// would break it off. An answer is waited for four times as long as usual, and
// for at most an Interval, and so is the first PULL of a peer that lacks much; catching up,
// in either direction, goes on for longer.
func (e *Engine) isBusy(now time.Time, p *peer) bool {
	if c := &e.catchup; c.paced && c.peer == p && c.isActive(now) {
		return true
	}
	if p.mine != nil && p.mine.serving != nil && len(p.mine.serving.left) > 0 && now.Sub(p.mine.active) < stall {
		return true
	}
	if p.mine == nil || p.mine.done && !p.mine.toPull {
		return false
	}
	patience := e.cfg.Interval
	if p.delay > 0 {
		patience = min(patience, max(4*p.delay, e.cfg.MinInterval))
	}
	return now.Sub(p.mine.active) < patience
}

// peer returns what is kept about a node, nil when the limit of peers is reached.
func (e *Engine) peer(name string) *peer {
	if p := e.peers[name]; p != nil {
		return p
	}
	if len(e.peers) >= e.cfg.MaxPeers {
		return nil
	}
	p := &peer{name: name, state: PeerRemoved, pulls: map[clock.Replica]time.Time{}}
	e.peers[name] = p
	i, _ := e.searchPeer(name)
	e.peerOrder = slices.Insert(e.peerOrder, i, p)
	return p
}

func (e *Engine) dropPeer(name string) {
	p := e.peers[name]
	if p == nil {
		return
	}
	e.end(p)
	delete(e.peers, name)
	if i, ok := e.searchPeer(name); ok {
		e.peerOrder = slices.Delete(e.peerOrder, i, i+1)
	}
	e.schedule.ring = nil
	e.forgetRebase(p)
	if e.catchup.peer == p {
		e.catchup = catchup{}
	}
	e.live.stale = true
}

func (e *Engine) searchPeer(name string) (int, bool) {
	return slices.BinarySearchFunc(e.peerOrder, name, func(p *peer, n string) int { return strings.Compare(p.name, n) })
}

// end counts how the exchange initiated with p ended, and forgets it.
func (e *Engine) end(p *peer) {
	switch x := p.mine; {
	case x == nil || x.done:
	case x.theirs == nil:
		e.stats.Exchanges.Timeout++
		p.width.note(x, false)
	default:
		e.stats.Exchanges.Partial++
	}
	p.mine = nil
}

// expire ends what has been silent for too long.
func (e *Engine) expire(now time.Time) {
	e.expireLinks(now)
	for _, p := range slices.Clone(e.peerOrder) {
		if p.mine != nil && now.Sub(p.mine.active) >= e.cfg.Timeout {
			e.end(p)
		}
		if p.its != nil && now.Sub(p.its.active) >= e.cfg.Timeout {
			p.its = nil
		}
		if p.repair != nil && now.Sub(p.repair.active) >= e.repairPatience(p) {
			e.endRepair(p)
		}
		if p.assembly != nil && now.Sub(p.assembly.active) >= e.cfg.Timeout {
			p.assembly = nil
		}
		if p.mine == nil && p.its == nil {
			clear(p.pulls)
			if p.state == PeerRemoved && p.repair == nil && now.Sub(p.heard) >= e.cfg.Timeout {
				e.dropPeer(p.name)
			}
		}
	}
}
