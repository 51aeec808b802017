package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// live is what the engine keeps for live updates: those that go out at once over
// links, connections that the caller keeps to peers (DESIGN §7).
type live struct {
	links  map[string]*link
	order  []*link // ascending by peer
	fresh  []*replica
	number uint64 // of the last live message
	told   uint64 // changes of the vector that others hear of without this node's rounds
	relays bool   // what is applied now is passed on

	rest    time.Time       // when the first of the links that rest, and lack something, goes on; zero: none does
	each    float64         // weight of an own update, smoothed
	room    int             // see Room
	spread  clock.Version   // see Spread
	rooms   []int           // measure's
	cursors []clock.Version // measure's, too
	neighbourhood
}

// link is what is kept of a link for its present life. What its far end is known to
// have or was sent of a fresh replica is in sent, or else it is the replica's base; of
// one that is not fresh it is the vector.
type link struct {
	peer   string
	sent   map[*replica]clock.Version
	talked time.Time // when a live message last came or went
	window

	refused map[*replica]bool // the far end gets them over other links
	spare   map[*replica]bool // this node does
}

// SetLink tells that there is a link to a peer: a connection over which messages arrive
// in order until it breaks. Called again for a link that is there it means that that
// one broke, and another took its place. The first of the two ends by name begins an
// exchange, and who has sent something that may be lost, or waits to be admitted: what was
// lost with an earlier link comes with it.
func (e *Engine) SetLink(now time.Time, peer string, up bool) Output {
	var out Output
	i, ok := slices.BinarySearchFunc(e.live.order, peer, func(l *link, n string) int { return strings.Compare(l.peer, n) })
	if !up && !ok {
		return out
	}
	lost := ok && e.live.order[i].weight > 0
	if ok {
		e.loseSource(now, peer, &out)
	}
	switch {
	case !up:
		delete(e.live.links, peer)
		e.live.order = slices.Delete(e.live.order, i, i+1)
	case !ok:
		if e.live.links == nil {
			e.live.links = map[string]*link{}
		}
		l := &link{peer: peer}
		e.live.links[peer] = l
		e.live.order = slices.Insert(e.live.order, i, l)
	}
	e.live.stale = true
	e.resetLink(peer)
	e.measure(now)
	p := e.peers[peer]
	switch {
	case p == nil || p.state == PeerRemoved:
	case !up && lost, up && e.isBusy(now, p):
		e.hurry(now)
	case up && (lost || e.self.Node < peer || e.IsJoining(now)):
		e.begin(now, p, &out)
	}
	return out
}

// Links returns how many links there are.
func (e *Engine) Links() int { return len(e.live.order) }

// resetLink begins a new life of a link: of what was sent before nothing is known. What
// comes from now on is sent, all else is left to exchanges.
func (e *Engine) resetLink(peer string) {
	e.stopStreams(peer)
	l := e.live.links[peer]
	if l == nil {
		return
	}
	*l = link{
		peer: peer, window: window{size: liveWindow},
		sent: map[*replica]clock.Version{}, refused: map[*replica]bool{}, spare: map[*replica]bool{},
	}
	for _, r := range e.live.fresh {
		l.sent[r] = r.version
	}
}

// freshen notes that what follows in a replica is to go out over links.
func (e *Engine) freshen(r *replica, out *Output) {
	if len(e.live.order) == 0 {
		return
	}
	if !r.fresh {
		r.fresh, r.base = true, r.version
		e.live.fresh = append(e.live.fresh, r)
	}
	out.Fresh = true
}

// noteApplied notes that a replica has changed since before. Others need no rounds to hear
// of it if this node passes it on over links, or if its writer has links to this node and, as
// far as one can know, to all others. What is not passed on no link lacks.
func (e *Engine) noteApplied(r *replica, before uint64) {
	if r.fresh && !e.live.relays {
		for _, l := range e.live.order {
			l.raise(r, r.version)
		}
	}
	p := e.peers[r.id.Node]
	switch {
	case !e.isLinked():
	case e.live.relays, !e.isSparse() && p != nil && p.epoch == r.id.Epoch && e.live.links[p.name] != nil:
		e.live.told += e.changes - before
	}
}

// cursor returns up to where the far end of a link has, or was sent, a replica.
func (l *link) cursor(r *replica) clock.Version {
	switch v, ok := l.sent[r]; {
	case ok:
		return v
	case r.fresh:
		return r.base
	default:
		return r.version
	}
}

// raise notes that the far end of a link has, or was sent, a replica up to a version.
func (l *link) raise(r *replica, version clock.Version) {
	if r.fresh && version > l.cursor(r) {
		l.sent[r] = version
	}
}

// noteSent notes what is sent to peers with links in exchanges. It goes over the link,
// too, so that it does not come before or after its time.
func (e *Engine) noteSent(out *Output) {
	for i := range out.Send {
		env := &out.Send[i]
		l := e.live.links[env.To]
		if l == nil || len(env.Message.Batches) == 0 {
			continue
		}
		env.Stream = true
		for j := range env.Message.Batches {
			b := &env.Message.Batches[j]
			if r := e.lookup(b.Replica); r != nil {
				l.raise(r, b.Through)
			}
		}
	}
}

// hearOnLink notes what a message shows that its sender knows.
func (e *Engine) hearOnLink(m *Message) {
	l := e.live.links[m.From.Node]
	if l == nil {
		return
	}
	for _, r := range e.live.fresh {
		l.raise(r, versionOf(m.Digest.Entries, r.id))
	}
	for i := range m.Batches {
		if r := e.lookup(m.Batches[i].Replica); r != nil {
			l.raise(r, m.Batches[i].Through)
		}
	}
}

// forgetLive forgets a replica of which nothing is known any more.
func (e *Engine) forgetLive(r *replica) {
	if r.fresh {
		e.live.fresh = slices.DeleteFunc(e.live.fresh, func(o *replica) bool { return o == r })
	}
	for _, l := range e.live.order {
		delete(l.sent, r)
		delete(l.refused, r)
		delete(l.spare, r)
	}
}

// expireLinks lets links go on that are full, and whose receipts seem to be lost.
func (e *Engine) expireLinks(now time.Time) {
	for _, l := range e.live.order {
		l.expire(now, e.cfg.Timeout)
	}
	e.measure(now)
}
