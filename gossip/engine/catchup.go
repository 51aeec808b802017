package engine

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"
)

// catchup is a conversation in which this node pulls a lot: meanwhile it accepts
// no updates from others, which would mostly be the same ones.
//
// With Config.Window it is paced by credit. The first PULL names what is lacking and
// grants a window of bytes; the peer sends message after message while it has credit,
// and each says how much that is by now. When half of the window is used another PULL
// grants more. Both numbers are totals, modulo 2^32, so that what is lost or repeated
// does no harm. After a gap the next PULL names anew what is lacking.
type catchup struct {
	peer     *peer
	exchange uint64
	until    time.Time // a stalled one ends by itself
	paced    bool      // by credit
	again    bool      // asked anew, and nothing came since: others may help meanwhile
	want     uint64    // versions that the peer has and this node lacked at the start, or the peer got since
}

// credit is what a PULL granted and a PUSH says was sent, in bytes of updates, both in
// all since the exchange began.
type credit struct{ granted, sent uint32 }

// left is what may still be sent; below zero if the last message was longer.
func (c credit) left() int { return int(int32(c.granted - c.sent)) }

const (
	// stall is how long a catch-up may stand still before others may help.
	stall = time.Second
	// bulk is how many missing versions make a conversation a catch-up …
	bulk = 1024
	// … or fewer, if these are more than a window of updates of this size.
	smallUpdate = 128
	// portions is how many messages fill a window, unless they would be larger than a
	// chunk.
	portions = 4
	// portionUpdates is how many updates a message has at most: so the receiver's readers
	// wait for no more than about a millisecond, however small updates are.
	portionUpdates = 2048
	// lively is for how long after a live message more of them are expected on its link.
	lively = time.Second
	// courtesy is how long a node with such links pauses after each message of a catch-up,
	// and courteous by how much smaller than the largest it is at most. So others' writes
	// seldom wait for a processor or the lock: while a newcomer fetches a million keys, 99 %
	// of them are everywhere after 1.3 ms instead of 2.2; it takes 3 s instead of 1.5.
	courtesy  = time.Millisecond
	courteous = 2
)

// isBulk reports whether so many missing versions make a conversation a catch-up.
func (e *Engine) isBulk(versions uint64) bool {
	if e.cfg.Window == 0 {
		return versions > bulk
	}
	return versions > uint64(min(bulk, e.cfg.Window/smallUpdate))
}

// versionsOf counts the versions that are to come of candidates.
func versionsOf(all []candidate) (n uint64) {
	for _, c := range all {
		n += uint64(c.replica.version - c.from)
	}
	return n
}

// CatchUp is how far a node has got that catches up. The zero value means that it does
// not, or with nobody in particular.
type CatchUp struct {
	From string // the peer that sends
	Have uint64 // versions that came, of …
	Want uint64 // … those that From had and this node did not
}

// CatchUp returns how far this node has got in catching up.
func (e *Engine) CatchUp(now time.Time) CatchUp {
	c := &e.catchup
	if !c.isActive(now) {
		return CatchUp{}
	}
	return CatchUp{From: c.peer.name, Have: c.want - min(c.want, c.peer.lacking), Want: c.want}
}

// isActive reports whether the conversation goes on.
func (c *catchup) isActive(now time.Time) bool { return c.peer != nil && now.Before(c.until) }

// isPaced reports whether this exchange is a catch-up, paced by credit, of this node.
func (c *catchup) isPaced(now time.Time, p *peer, exchange uint64) bool {
	return c.isActive(now) && c.paced && c.peer == p && c.exchange == exchange
}

// isElsewhere reports whether this node catches up in another exchange.
func (c *catchup) isElsewhere(now time.Time, p *peer, exchange uint64) bool {
	return c.isActive(now) && (c.peer != p || c.paced && c.exchange != exchange)
}

// startCatchUp asks a peer for all that it has and this node lacks.
func (e *Engine) startCatchUp(now time.Time, p *peer, x *exchange, out *Output) {
	e.stats.CatchUps++
	e.catchup = catchup{peer: p, exchange: x.id, paced: true, want: p.lacking, again: true}
	e.askAnew(now, p, x, out)
}

// askAnew names all that is lacking, and grants a window from what has come.
func (e *Engine) askAnew(now time.Time, p *peer, x *exchange, out *Output) {
	ask, _ := e.lacking(now, x.theirs, e.cfg.MaxReplicas)
	for _, d := range ask[:min(len(ask), pullEntries)] {
		p.pulls[d.Replica] = now // what is under way follows on what was lost
	}
	e.grant(now, p, x, ask, out)
}

// grant lets the peer send until a window is under way; ask says where it is to go on,
// if that is not where it is.
func (e *Engine) grant(now time.Time, p *peer, x *exchange, ask []DigestEntry, out *Output) {
	e.catchup.until = now.Add(stall)
	x.mayGet.granted = x.mayGet.sent + uint32(e.cfg.Window)
	pull := e.message(now, p, Pull, x.id)
	pull.CatchUp, pull.Credit = true, x.mayGet.granted
	e.fitEntries(pull, ask, e.cfg.MaxStream)
	e.stats.Pulls++
	out.send(p.name, true, pull) // in order with what else goes over the link
}

// fitEntries gives a PULL as many entries as fit into a message of at most limit bytes.
func (e *Engine) fitEntries(pull *Message, ask []DigestEntry, limit int) {
	fit := sort.Search(len(ask), func(i int) bool {
		pull.Digest.Entries = ask[:i+1]
		return e.cfg.Codec.Size(pull) > limit
	})
	pull.Digest.Entries = ask[:fit]
}

// breakOff ends a catch-up in an exchange that the peer began and has forgotten, for it
// begins another one: there it can go on.
func (e *Engine) breakOff(p *peer) {
	if c := &e.catchup; c.paced && c.peer == p && p.its != nil && p.its.id == c.exchange {
		*c = catchup{}
	}
}

// onPortion goes on after one message of a catch-up was applied.
func (e *Engine) onPortion(now time.Time, p *peer, x *exchange, m *Message, was applied, out *Output) {
	c := &e.catchup
	_, versions := e.lacking(now, x.theirs, 0)
	c.want += versions - min(versions, p.lacking) // what the peer got meanwhile
	p.lacking = versions
	if credit := (credit{m.Credit, x.mayGet.sent}); credit.left() > 0 {
		x.mayGet.sent = m.Credit
	}
	if was.moved {
		c.until, c.again = now.Add(stall), false
	}
	switch {
	case was.refused && !was.moved: // it would be again: rounds find another way
		e.goOn(now, p, x, false, out)
	case was.gap && !c.again:
		c.again = true
		e.askAnew(now, p, x, out)
	case x.mayGet.left() <= e.cfg.Window/2:
		e.grant(now, p, x, nil, out)
	}
}

// serving is what this node still has to send to a peer that catches up.
type serving struct {
	credit
	left    []candidate // in the order in which they go
	portion int         // bytes of one message
	queued  bool
}

// turnOf is a place in the queue of those that catch up.
type turnOf struct {
	peer     *peer
	exchange *exchange
}

// onGrant notes what a peer that catches up lets this node send. One message of it
// goes at once, if none has gone just now, the others whenever Tick is called, with those
// of all who catch up in turn.
func (e *Engine) onGrant(now time.Time, p *peer, x *exchange, m *Message, out *Output) {
	s := x.serving
	x.toPull = false
	if s == nil {
		s = &serving{portion: max(1, min(chunk, int(m.Credit)/portions))}
		x.serving = s
	}
	x.active = now
	if len(m.Digest.Entries) > 0 {
		s.left = inAge(e.askedFor(m.Digest.Entries))
	}
	if more := (credit{m.Credit, s.granted}); more.left() > 0 {
		s.granted = m.Credit
	}
	if !s.queued && s.isReady() {
		s.queued = true
		e.toServe = append(e.toServe, turnOf{p, x})
	}
	e.serveNext(now, out)
}

// isReady reports whether there is something to send, and credit for it.
func (s *serving) isReady() bool { return len(s.left) > 0 && s.credit.left() > 0 }

// inAge puts candidates into the order of their first pending updates' ages: the first
// half of Hybrid.
func inAge(all []candidate) []candidate {
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.firstTime(), b.firstTime()) })
	return all
}

// endServing tells a peer that nothing more will come, so that it need not wait.
func (e *Engine) endServing(now time.Time, p *peer, exchange uint64, out *Output) {
	push := e.message(now, p, Push, exchange)
	out.send(p.name, true, push)
}

// serveNext sends the next message to the first one in the queue of those that catch up.
func (e *Engine) serveNext(now time.Time, out *Output) {
	if now.Before(e.serveAt) {
		return
	}
	for len(e.toServe) > 0 {
		t := e.toServe[0]
		e.toServe = e.toServe[1:]
		x := t.exchange
		s := x.serving
		if t.peer.exchange(x.id) != x || !s.isReady() {
			s.queued = false
			continue
		}
		smaller, pause := 1, time.Duration(0)
		if e.isLively(now) {
			smaller, pause = courteous, courtesy
		}
		e.sendPortion(now, t.peer, x, smaller, out)
		if s.queued = s.isReady(); s.queued {
			e.toServe = append(e.toServe, t)
		}
		e.serveAt = now.Add(pause)
		return
	}
}

// isLively reports whether live messages come or go over links of others than those that
// catch up here.
func (e *Engine) isLively(now time.Time) bool {
	return slices.ContainsFunc(e.live.order, func(l *link) bool {
		return now.Sub(l.talked) < lively && !e.serves(l.peer)
	})
}

// serves reports whether a peer catches up here.
func (e *Engine) serves(name string) bool {
	p := e.peers[name]
	if p == nil {
		return false
	}
	for _, x := range []*exchange{p.mine, p.its} {
		if x != nil && x.serving != nil && len(x.serving.left) > 0 {
			return true
		}
	}
	return false
}

// sendPortion sends one message of what a peer lacks: PUSH, so many times smaller than the
// largest. The last one does not say that this is a catch-up.
func (e *Engine) sendPortion(now time.Time, p *peer, x *exchange, smaller int, out *Output) {
	s := x.serving
	x.active = now
	push := e.message(now, p, Push, x.id)
	push.Digest = Digest{Base: x.at, Entries: changed(x.mine, e.snapshot(now))}
	push.Credit = math.MaxUint32 // the widest
	var size int
	if gapless, ok := e.explain(push, x); ok && !gapless {
		push.Unsure = e.zombies
		done := e.packNext(push, s, smaller, x.theirs)
		s.sent += uint32(done.used)
		size = done.size
	} else { // little can go: as the answer to an ordinary pull
		size = e.fill(push, x, slices.DeleteFunc(s.left, e.isPast), chunk)
		s.left = nil
	}
	if len(push.Batches) == 0 { // nothing goes: the peer need not wait
		push.Digest.Entries, push.Exceptions, size, s.left = nil, nil, 0, nil
	}
	push.CatchUp, push.Credit = len(s.left) > 0, s.sent
	out.Send = append(out.Send, Envelope{To: p.name, Stream: true, Size: size, Message: push})
}

// isPast reports whether nothing is to come of a candidate any more: it has vanished, or
// was cut, meanwhile.
func (e *Engine) isPast(c candidate) bool {
	return c.replica.over || e.lookup(c.replica.id) != c.replica || c.from >= c.replica.version
}

// packNext fills m with what is next.
func (e *Engine) packNext(m *Message, s *serving, smaller int, theirs []DigestEntry) packed {
	p := e.packing(m)
	base := p.size
	limit := min(base+min(s.portion, chunk/smaller), e.cfg.MaxStream)
	most := portionUpdates / smaller
	done := 0
	for i := range s.left {
		if p.updates == most {
			break
		}
		c := &s.left[i]
		if e.isPast(*c) {
			done++
			continue
		}
		t := turn{candidate: *c, most: most - p.updates, sent: c.from}
		begun := len(p.batches)
		whole := p.run(&t, limit)
		if len(p.batches) > begun {
			c.from = p.batches[begun].Through
		}
		if !whole {
			break
		}
		if c.from < c.replica.version {
			break // there are as many as a message may have
		}
		done++
	}
	s.left = s.left[done:]
	return e.finishPacking(p, base, theirs)
}
