package engine

import (
	"slices"
	"time"
)

// pullEntries is how many replicas one pull asks for.
const pullEntries = 256

// onPull answers with more of the replicas that it names: PUSH.
func (e *Engine) onPull(now time.Time, p *peer, m *Message, out *Output) {
	x := p.exchange(m.Exchange)
	switch {
	case x == nil && m.CatchUp:
		e.endServing(now, p, m.Exchange, out)
		return
	case x == nil:
		return // rounds bring the rest
	case m.CatchUp && x.snapshot == nil:
		e.onGrant(now, p, x, m, out)
		return
	}
	x.active = now
	push := e.message(now, p, Push, x.id)
	if x.snapshot != nil {
		x.skip(m.Digest.Entries)
		push.Digest.Base = x.at
		if size := e.fillFromSnapshot(push, x); len(push.Batches) > 0 {
			out.send(p.name, size > e.cfg.MaxDatagram, push)
		}
		return
	}
	push.Digest = Digest{Base: x.at, Entries: changed(x.mine, e.snapshot(now))}
	size := e.fill(push, x, e.askedFor(m.Digest.Entries), m.Credit)
	if len(push.Batches) == 0 { // the budget is used up: the peer need not wait
		push.Digest.Entries = nil
		size = e.cfg.Codec.Size(push)
	}
	out.send(p.name, size > e.cfg.MaxDatagram, push)
}

// goOn asks for more when the peer is known to have more and the last message
// brought something; otherwise the exchange is over.
func (e *Engine) goOn(now time.Time, p *peer, x *exchange, moved bool, out *Output) {
	ask, versions := e.lacking(now, x.theirs, pullEntries)
	p.lacking = versions
	if versions > 0 && moved && !e.catchup.isElsewhere(now, p, x.id) {
		cleans := e.cleansWith(now, p, x.id)
		if e.cfg.Window > 0 && e.isBulk(versions) && !cleans && !x.narrow {
			e.startCatchUp(now, p, x, out)
			return
		}
		if e.isBulk(versions) || cleans {
			e.catchup = catchup{peer: p, until: now.Add(stall)}
		}
		e.sendPull(now, p, x.id, ask, out)
		return
	}
	if c := &e.catchup; c.peer == p && (!c.paced || c.exchange == x.id) {
		if c.paced {
			e.hurry(now) // others may have still more, or the peer has forgotten this exchange
		}
		*c = catchup{}
	}
	if e.cleansWith(now, p, x.id) {
		e.cleaning = cleaning{}
		if (!e.Clean() || e.reset) && versions == 0 && e.isRebasing(now, p) && e.mayRepair(now, p) {
			e.startUnion(now, p, x.id, out) // what is missing is not above the vector
		}
	}
	if x == p.mine && !x.done {
		x.done = true
		if versions == 0 {
			e.stats.Exchanges.Complete++
		} else {
			e.stats.Exchanges.Partial++
		}
	}
}

// sendPull asks for what follows these entries, as many as fit into a message.
func (e *Engine) sendPull(now time.Time, p *peer, exchange uint64, ask []DigestEntry, out *Output) {
	pull := e.message(now, p, Pull, exchange)
	pull.Credit = uint32(min(chunk, e.cfg.Budget))
	limit := e.cfg.MaxStream
	if x := p.exchange(exchange); x != nil && x.narrow {
		pull.Credit, limit = narrowCredit, e.cfg.MaxDatagram
	}
	e.fitEntries(pull, ask, limit)
	e.stats.Pulls++
	out.send(p.name, e.cfg.Codec.Size(pull) > e.cfg.MaxDatagram, pull)
}

// pullGaps asks once for what batches left out: at most one pull is under way
// for each peer and replica (R3).
func (e *Engine) pullGaps(now time.Time, p *peer, exchange uint64, gaps []DigestEntry, out *Output) {
	var ask []DigestEntry
	for _, d := range gaps {
		at, ok := p.pulls[d.Replica]
		if ok && now.Sub(at) < e.cfg.Timeout || !ok && len(p.pulls) == pullEntries {
			continue
		}
		p.pulls[d.Replica] = now
		ask = append(ask, d)
	}
	if len(ask) > 0 {
		slices.SortFunc(ask, func(a, b DigestEntry) int { return a.Replica.Compare(b.Replica) })
		e.sendPull(now, p, exchange, ask, out)
	}
}
