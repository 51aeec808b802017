package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// pullEntries is how many replicas one pull asks for.
const pullEntries = 256

// Step handles a message. An error means that the message was refused and
// nothing changed.
func (e *Engine) Step(now time.Time, m *Message) (Output, error) {
	var out Output
	if err := e.validate(m); err != nil {
		return out, err
	}
	p := e.peer(m.From.Node)
	if p == nil {
		return out, fmt.Errorf("%w: from %v, and %d peers already", ErrMessage, m.From, e.cfg.MaxPeers)
	}
	if p.epoch != 0 && p.epoch != m.From.Epoch {
		e.restart(p)
	}
	p.epoch = m.From.Epoch
	e.hear(now, p, m.HLC)
	e.meetSelf(now, m.Digest.Entries, &out)
	if m.Kind == Syn || m.Kind == Ack {
		if m = p.assemble(m); m == nil {
			return out, nil
		}
	}
	before := e.changes
	switch m.Kind {
	case Syn:
		e.onSyn(now, p, m, &out)
	case Ack:
		e.onAck(now, p, m, &out)
	case Fin, Push:
		e.onDelta(now, p, m, &out)
	case Pull:
		e.onPull(now, p, m, &out)
	case Repair:
		e.onRepair(now, p, m, &out)
	}
	if e.changes != before {
		e.hurry(now) // what is new here is new to others
	}
	return out, nil
}

// validate refuses what no correct node sends.
func (e *Engine) validate(m *Message) error {
	d := &m.Digest
	switch {
	case m.Kind < Syn || m.Kind > Repair:
		return fmt.Errorf("%w: kind %d", ErrMessage, m.Kind)
	case m.From.Node == "" || len(m.From.Node) > MaxName:
		return fmt.Errorf("%w: sender's name has %d bytes", ErrMessage, len(m.From.Node))
	case m.From.Node == e.self.Node:
		return fmt.Errorf("%w: %v claims this node's name", ErrMessage, m.From)
	case int(m.MaxUpdate) != e.cfg.MaxUpdate:
		return fmt.Errorf("%w: %v has MaxUpdate %d, this node %d", ErrMessage, m.From, m.MaxUpdate, e.cfg.MaxUpdate)
	case !d.Full && (m.Kind == Syn || m.Kind == Ack && !m.Same):
		return fmt.Errorf("%w: %v with a partial digest", ErrMessage, m.Kind)
	case d.Parts > 1 && (d.Part >= d.Parts || m.Kind != Syn && m.Kind != Ack):
		return fmt.Errorf("%w: part %d of %d in a %v", ErrMessage, d.Part, d.Parts, m.Kind)
	case m.Kind == Repair && m.Repair == nil:
		return fmt.Errorf("%w: repair without a step", ErrMessage)
	}
	return nil
}

// restart forgets what was under way with an earlier life of the peer.
func (e *Engine) restart(p *peer) {
	e.end(p)
	p.its, p.assembly, p.repair = nil, nil, nil
	p.mark, p.lacking, p.answered = 0, 0, 0
	clear(p.pulls)
}

// hear notes the sender's clock: this node's timestamps exceed all it could
// have seen (DESIGN §4), unless that clock is too far ahead to believe.
func (e *Engine) hear(now time.Time, p *peer, hlc clock.Timestamp) {
	p.heard = now
	p.slow = now.Sub(hlc.Time()) > e.cfg.MaxDrift
	if hlc <= clock.TimestampOf(now.Add(e.cfg.MaxDrift)) {
		e.hlc.Observe(hlc)
	}
}

// message returns a message with everything set that all messages carry.
func (e *Engine) message(now time.Time, kind Kind, exchange uint64) *Message {
	return &Message{
		Kind: kind, From: e.self, Exchange: exchange,
		HLC: max(e.hlc.Last(), clock.TimestampOf(now)), MaxUpdate: uint32(e.cfg.MaxUpdate),
	}
}

// credit is how many bytes of updates this node accepts from p now.
func (e *Engine) credit(now time.Time, p *peer) uint32 {
	if c := e.catchup; c.peer != nil && c.peer != p && now.Before(c.until) {
		return 0
	}
	return uint32(min(e.cfg.Budget, 1<<32-1))
}

// begin starts an exchange with p: SYN.
func (e *Engine) begin(now time.Time, p *peer, out *Output) {
	e.end(p)
	e.exchanges++
	e.stats.Exchanges.Started++
	p.mine = &exchange{id: e.exchanges, mine: e.snapshot(now), at: e.changes, active: now}
	m := e.message(now, Syn, p.mine.id)
	m.Credit = e.credit(now, p)
	m.Digest = Digest{Full: true, Base: p.mine.at, Entries: p.mine.mine}
	e.sendDigest(p.name, m, out, e.cfg.Codec.Size)
}

// onSyn answers with what the peer lacks, and this node's digest: ACK.
func (e *Engine) onSyn(now time.Time, p *peer, m *Message, out *Output) {
	if m.Exchange <= p.answered {
		return // repeated or late: a second snapshot under one id would be confused with the first
	}
	p.answered = m.Exchange
	e.stats.Exchanges.Answered++
	x := &exchange{id: m.Exchange, theirs: m.Digest.Entries, base: m.Digest.Base, mine: e.snapshot(now), at: e.changes, active: now}
	p.its = x
	ack := e.message(now, Ack, x.id)
	ack.Credit = e.credit(now, p)
	if same(x.theirs, x.mine) {
		p.mark, p.lacking = e.changes, 0
		ack.Same = true
		ack.Hashes = e.hashes()
		ack.Exceptions = e.exceptions()
		out.send(p.name, e.cfg.Codec.Size(ack) > e.cfg.MaxDatagram, ack)
		return
	}
	_, p.lacking = e.lacking(now, x.theirs, 0)
	ack.Digest = Digest{Full: true, Base: x.at, Entries: x.mine}
	e.sendDigest(p.name, ack, out, func(ack *Message) int {
		return e.fill(ack, x, e.lackedBy(x.theirs), m.Credit)
	})
}

// onAck takes what was lacking here and sends what the peer lacks: FIN.
func (e *Engine) onAck(now time.Time, p *peer, m *Message, out *Output) {
	x := p.mine
	if x == nil || x.id != m.Exchange || x.theirs != nil {
		e.applyAll(now, p, m, nil, out) // late: its exchange is over
		return
	}
	if m.Same {
		p.mine = nil
		e.stats.Exchanges.Equal++
		e.published = max(e.published, versionOf(x.mine, e.self))
		if x.at == e.changes {
			p.mark, p.lacking = e.changes, 0
			e.relax()
			e.compareHashes(now, p, m, out)
		}
		return
	}
	x.active = now
	x.theirs, x.base = m.Digest.Entries, m.Digest.Base
	if x.theirs == nil {
		x.theirs = []DigestEntry{}
	}
	e.applyAll(now, p, m, x.theirs, out)
	if lacked := e.lackedBy(x.theirs); len(lacked) > 0 && m.Credit > 0 {
		fin := e.message(now, Fin, x.id)
		fin.Credit = e.credit(now, p)
		fin.Digest = Digest{Base: x.at, Entries: changed(x.mine, e.snapshot(now))}
		if size := e.fill(fin, x, lacked, m.Credit); len(fin.Batches) > 0 {
			out.send(p.name, size > e.cfg.MaxDatagram, fin)
		}
	}
	e.goOn(now, p, x, true, out)
}

// onDelta takes the updates of a FIN or PUSH.
func (e *Engine) onDelta(now time.Time, p *peer, m *Message, out *Output) {
	x := p.exchange(m.Exchange)
	if x == nil || x.theirs == nil || x.base != m.Digest.Base {
		e.applyAll(now, p, m, nil, out) // what it knew is not known here
		return
	}
	x.active = now
	x.theirs = patched(x.theirs, m.Digest.Entries)
	moved := e.applyAll(now, p, m, x.theirs, out)
	e.goOn(now, p, x, moved, out)
}

// onPull answers with more of the replicas that it names: PUSH.
func (e *Engine) onPull(now time.Time, p *peer, m *Message, out *Output) {
	x := p.exchange(m.Exchange)
	if x == nil || x.sent >= e.cfg.Budget {
		return // rounds bring the rest
	}
	x.active = now
	push := e.message(now, Push, x.id)
	push.Digest = Digest{Base: x.at, Entries: changed(x.mine, e.snapshot(now))}
	size := e.fill(push, x, e.askedFor(m.Digest.Entries), m.Credit)
	if len(push.Batches) > 0 {
		out.send(p.name, size > e.cfg.MaxDatagram, push)
	}
}

// exchange returns the conversation with this id, whoever initiated it.
func (p *peer) exchange(id uint64) *exchange {
	switch {
	case p.mine != nil && p.mine.id == id:
		return p.mine
	case p.its != nil && p.its.id == id:
		return p.its
	}
	return nil
}

// fill packs what the peer lacks into m, as the exchange's budget and the peer's
// credit allow, and returns m's size. A message whose digest and exceptions
// leave no room for an update carries none.
func (e *Engine) fill(m *Message, x *exchange, lacked []candidate, credit uint32) int {
	room := min(chunk, e.cfg.Budget-x.sent, int(credit))
	if room <= 0 || len(lacked) == 0 {
		return e.cfg.Codec.Size(m)
	}
	m.Exceptions = e.exceptions()
	if !e.hasRoom(m) {
		m.Exceptions = nil
		return e.cfg.Codec.Size(m)
	}
	span(e.cfg.Rand, lacked)
	done := e.pack(m, lacked, x.theirs, room)
	x.sent += done.used
	return done.size
}

// goOn asks for more when the peer is known to have more and the last message
// brought something; otherwise the exchange is over.
func (e *Engine) goOn(now time.Time, p *peer, x *exchange, moved bool, out *Output) {
	ask, versions := e.lacking(now, x.theirs, pullEntries)
	p.lacking = versions
	if versions > 0 && moved && e.credit(now, p) > 0 {
		if versions > bulk {
			e.catchup = catchup{peer: p, until: now.Add(stall)}
		}
		e.sendPull(now, p, x.id, ask, out)
		return
	}
	if e.catchup.peer == p {
		e.catchup = catchup{}
	}
	if versions == 0 && len(e.lackedBy(x.theirs)) == 0 {
		p.mark = e.changes
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

func (e *Engine) sendPull(now time.Time, p *peer, exchange uint64, ask []DigestEntry, out *Output) {
	pull := e.message(now, Pull, exchange)
	pull.Credit = uint32(min(chunk, e.cfg.Budget))
	pull.Digest.Entries = ask
	e.stats.Pulls++
	out.send(p.name, e.cfg.Codec.Size(pull) > e.cfg.MaxDatagram, pull)
}

// pullGaps asks once for what a batch left out: at most one pull is under way
// for each peer and replica (R3).
func (e *Engine) pullGaps(now time.Time, p *peer, exchange uint64, gaps []*replica, out *Output) {
	var ask []DigestEntry
	for _, r := range gaps {
		if at, ok := p.pulls[r.id]; ok && now.Sub(at) < e.cfg.Timeout {
			continue
		}
		if len(ask) == pullEntries {
			break
		}
		p.pulls[r.id] = now
		ask = append(ask, DigestEntry{Entry: clock.Entry{Replica: r.id, Version: r.version}})
	}
	if len(ask) > 0 {
		slices.SortFunc(ask, func(a, b DigestEntry) int { return a.Replica.Compare(b.Replica) })
		e.sendPull(now, p, exchange, ask, out)
	}
}
