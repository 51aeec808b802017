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
	neighbourhood
}

// link is what is kept of a link for its present life. What its far end is known to
// have or was sent of a fresh replica is in sent, or else it is the replica's base; of
// one that is not fresh it is the vector.
type link struct {
	peer   string
	sent   map[*replica]clock.Version
	flight []flight // live messages without a receipt, oldest first
	weight int      // of flight
	moved  time.Time

	refused map[*replica]bool // the far end gets them over other links
	spare   map[*replica]bool // this node does
}

// flight is a live message on its way.
type flight struct {
	number uint64
	weight int
}

// heard is what this node has had of a peer's live messages.
type heard struct {
	number uint64    // of the latest
	weight int       // since the last receipt
	mended time.Time // when it last began an exchange because something was missing
}

const (
	// liveWindow is the weight of live messages that one link carries without a receipt:
	// what is more waits in the log, where it may be superseded.
	liveWindow = 64 << 10
	// receiptEvery is the weight after which a receipt is due; both ends weigh alike, so a
	// link that is full gets one.
	receiptEvery = liveWindow / 4
	// maxWhole is how large a live message may be whose holes are closed only if it is
	// whole.
	maxWhole = 4 * chunk
)

// LiveEnvelope is a live message on its way to several peers: it is the same for all.
type LiveEnvelope struct {
	To      []string // node names
	Message *Message
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
	l := e.live.links[peer]
	if l == nil {
		return
	}
	*l = link{peer: peer, sent: map[*replica]clock.Version{}, refused: map[*replica]bool{}, spare: map[*replica]bool{}}
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

// Feed returns live messages for the links to these peers, which can take more now: one
// at most for each of them. Those that lack the same get the same message. Output.Fresh
// says that one is not enough.
func (e *Engine) Feed(now time.Time, ready []string) Output {
	var out Output
	var groups []*feeding
	for _, name := range ready {
		l := e.live.links[name]
		if l == nil || l.weight >= liveWindow {
			continue
		}
		lacked := e.lackedOn(l)
		if len(lacked) == 0 {
			continue
		}
		i := slices.IndexFunc(groups, func(g *feeding) bool { return slices.Equal(g.lacked, lacked) })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &feeding{lacked: lacked})
		}
		groups[i].links = append(groups[i].links, l)
	}
	for _, g := range groups {
		e.feed(now, g, &out)
	}
	e.settleFresh()
	return out
}

// feeding is a live message that is made for some links.
type feeding struct {
	links  []*link
	lacked []candidate
}

// lackedOn returns what the far end of a link lacks of fresh replicas.
func (e *Engine) lackedOn(l *link) []candidate {
	var all []candidate
	for _, r := range e.live.fresh {
		if from := l.cursor(r); from < r.version && e.goesTo(l, r) {
			all = append(all, candidate{r, from})
		}
	}
	return all
}

// goesTo reports whether updates of a replica go over a link: they are not the far end's
// own, which may have refused them.
func (e *Engine) goesTo(l *link, r *replica) bool {
	return r.id.Node != l.peer && !r.over && !(e.isSparse() && l.refused[r])
}

// feed makes one live message.
func (e *Engine) feed(now time.Time, g *feeding, out *Output) {
	e.live.number++
	m := e.message(now, &peer{}, Live, e.live.number)
	left := e.gather(m, g.lacked, true)
	if len(m.Digest.Entries) > 0 && e.cfg.Codec.Size(m) > e.cfg.MaxStream {
		m.Digest.Entries, m.Batches = nil, nil
		left = e.gather(m, g.lacked, false)
	}
	weight := weigh(m)
	for _, l := range g.links {
		for i, c := range g.lacked {
			l.raise(c.replica, left[i])
		}
		if len(m.Batches) == 0 {
			continue
		}
		if len(l.flight) == 0 {
			l.moved = now
		}
		l.flight = append(l.flight, flight{m.Exchange, weight})
		l.weight += weight
		out.Fresh = out.Fresh || l.weight < liveWindow && len(e.lackedOn(l)) > 0
	}
	if len(m.Batches) == 0 {
		e.hurry(now) // rounds can bring it
		return
	}
	env := LiveEnvelope{Message: m}
	for _, l := range g.links {
		env.To = append(env.To, l.peer)
	}
	out.Live = append(out.Live, env)
}

// gather fills a live message with batches without open holes, and returns up to where
// each candidate needs no other live message: what has open holes is left to rounds.
func (e *Engine) gather(m *Message, lacked []candidate, closing bool) []clock.Version {
	size := e.cfg.Codec.Size(m)
	room := min(chunk, e.cfg.MaxStream-size)
	whole := min(maxWhole, e.cfg.MaxStream-size)
	through := make([]clock.Version, len(lacked))
	for i, c := range lacked {
		through[i] = c.from
		if room <= 0 {
			continue
		}
		g := gatherer{engine: e, candidate: c, room: room, whole: whole, first: len(m.Batches) == 0, closing: closing}
		var b Batch
		b, m.Digest.Entries = g.batch(m.Digest.Entries)
		switch through[i] = b.Through; {
		case b.Through > b.From:
		case g.first:
			through[i] = c.replica.version // in no live message
			continue
		default:
			continue
		}
		room, whole = room-g.size, whole-g.size
		m.Batches = append(m.Batches, b)
		e.stats.LiveSent += uint64(len(b.Updates))
	}
	return through
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
		if l.weight >= liveWindow && now.Sub(l.moved) >= e.cfg.Timeout {
			l.flight, l.weight, l.moved = nil, 0, now
		}
	}
}

// settleFresh forgets about replicas of which all links have everything.
func (e *Engine) settleFresh() {
	e.live.fresh = slices.DeleteFunc(e.live.fresh, func(r *replica) bool {
		for _, l := range e.live.order {
			if l.cursor(r) < r.version && e.goesTo(l, r) {
				return false
			}
		}
		for _, l := range e.live.order {
			delete(l.sent, r)
		}
		r.fresh = false
		return true
	})
}

// weigh is how much a live message counts for in flow control; both ends agree on it.
func weigh(m *Message) int {
	n := 0
	for i := range m.Batches {
		for _, u := range m.Batches[i].Updates {
			n += 64 + len(u.Key) + len(u.Value)
		}
	}
	return max(n, 64)
}
