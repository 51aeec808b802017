package engine

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// Step handles a message. An error means that the message was refused and
// nothing changed. The engine copies what it retains of a message that no [Intake] has
// prepared; only parts of a digest are kept as they are, until the others have come
// or for a Timeout: the caller must not use their buffer again.
func (e *Engine) Step(now time.Time, m *Message) (Output, error) {
	clear(e.shown) // what it refers to may be garbage now
	out := Output{Changed: e.shown[:0]}
	e.shown = nil
	if err := e.validate(m); err != nil {
		return out, err
	}
	p := e.peer(m.From.Node)
	if p == nil {
		return out, fmt.Errorf("%w: from %v, and %d peers already", ErrMessage, m.From, e.cfg.MaxPeers)
	}
	if m.Kind != Syn && m.Kind != Live && m.To != e.self.Epoch {
		e.hear(now, p, m.HLC)
		return out, nil // meant for an earlier life: what that one knew, this one may not
	}
	if m.From.Epoch < p.epoch {
		e.onPast(now, p, m, &out)
		e.beginAnew(now, &out) // to whom its life is over it cannot say that theirs is past
		return out, nil
	}
	if p.epoch != 0 && p.epoch != m.From.Epoch {
		e.restart(p)
	}
	p.epoch = m.From.Epoch
	p.joining = m.Joining
	e.hear(now, p, m.HLC)
	e.lapse(now, &out) // a repair goes by what has expired; at the end: what came too late to be shown
	before, told := e.changes, e.live.told
	if m = e.heed(now, p, m, &out); m == nil {
		return out, nil
	}
	e.takeReports(now, m.Reports, &out)
	e.hearHeads(m.Digest.Entries)
	e.meetSelf(now, m.Digest.Entries, &out)
	e.notePublished(m.Digest.Entries)
	if m.Kind == Syn || m.Kind == Ack {
		if m = e.assemble(now, p, m); m == nil {
			return out, nil
		}
	}
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
	case Live:
		e.onLive(now, p, m, &out)
	case Receipt:
		e.onReceipt(now, p, m, &out)
	case Prune:
		e.onPrune(p, m)
	case Graft:
		e.onGraft(p, m, &out)
	}
	e.hearOnLink(m)
	if e.stolen {
		e.newEpoch(now, e.self, &out)
	}
	e.beginAnew(now, &out)
	e.bringDoom(&out)
	e.lapse(now, &out)
	if e.changes-before != e.live.told-told && !(e.catchup.paced && e.catchup.isActive(now)) {
		e.announce(now) // what is new here is new to others
	}
	e.noteSent(&out)
	if cap(out.Changed) <= maxShown {
		e.shown = out.Changed
	}
	return out, nil
}

// maxShown is for how many changes memory is kept from one Step to the next.
const maxShown = 4096

// validate refuses what no correct node sends.
func (e *Engine) validate(m *Message) error {
	d := &m.Digest
	switch {
	case m.Kind < Syn || m.Kind > Graft:
		return fmt.Errorf("%w: kind %d", ErrMessage, m.Kind)
	case m.From.Node == "" || len(m.From.Node) > MaxName:
		return fmt.Errorf("%w: sender's name has %d bytes", ErrMessage, len(m.From.Node))
	case m.From.Node == e.self.Node:
		return fmt.Errorf("%w: %v claims this node's name", ErrMessage, m.From)
	case int(m.MaxUpdate) != e.cfg.MaxUpdate:
		return fmt.Errorf("%w: %v has MaxUpdate %d, this node %d", ErrMessage, m.From, m.MaxUpdate, e.cfg.MaxUpdate)
	case !d.Full && (m.Kind == Syn || m.Kind == Ack && !m.Same):
		return fmt.Errorf("%w: %v with a partial digest", ErrMessage, m.Kind)
	case d.Parts > 1 && (d.Part >= d.Parts || m.Kind != Syn && m.Kind != Ack || int(d.Parts) > 2*e.cfg.MaxReplicas+1):
		return fmt.Errorf("%w: part %d of %d in a %v", ErrMessage, d.Part, d.Parts, m.Kind)
	case d.Parts > 1 && d.Part < d.Parts-1 && len(m.Batches) > 0:
		return fmt.Errorf("%w: updates in part %d of %d", ErrMessage, d.Part, d.Parts)
	case m.Kind == Repair && m.Repair == nil:
		return fmt.Errorf("%w: repair without a step", ErrMessage)
	}
	return nil
}

// restart forgets what was under way with an earlier life of the peer.
func (e *Engine) restart(p *peer) {
	e.end(p)
	e.forgetRebase(p)
	p.its, p.assembly, p.repair, p.served = nil, nil, nil, served{}
	p.live = heard{}
	e.resetLink(p.name)
	p.lacking, p.answered, p.hlc = 0, 0, 0
	clear(p.pulls)
	clear(p.types)
}

// hear notes the sender's clock: this node's timestamps exceed all it could
// have seen (DESIGN §4), unless that clock is too far ahead to believe.
func (e *Engine) hear(now time.Time, p *peer, hlc clock.Timestamp) {
	p.heard = now
	if hlc >= p.hlc { // a lower one is of an old message: it says nothing of the clock now
		p.hlc = hlc
		p.slow = now.Sub(hlc.Time()) > e.cfg.MaxDrift
	}
	if hlc <= clock.TimestampOf(now.Add(e.cfg.MaxDrift)) && !e.cfg.Unsafe.OwnClock {
		e.hlc.Observe(hlc)
	}
}

// message returns a message to p with everything set that all messages carry.
func (e *Engine) message(now time.Time, p *peer, kind Kind, exchange uint64) *Message {
	return &Message{
		Kind: kind, From: e.self, To: p.epoch, Exchange: exchange,
		HLC: max(e.hlc.Last(), clock.TimestampOf(now)), MaxUpdate: uint32(e.cfg.MaxUpdate), Joining: e.IsJoining(now), Relays: e.relays(),
	}
}

// relays reports whether this node retains updates of spaces that it has no model for.
func (e *Engine) relays() bool { return e.relayed > 0 }

// credit is how many bytes of updates this node accepts from p in an exchange now.
func (e *Engine) credit(now time.Time, p *peer, exchange uint64) uint32 {
	if c := &e.catchup; c.isElsewhere(now, p, exchange) && !c.again {
		return 0
	}
	return uint32(min(e.cfg.Budget, narrowCredit-1))
}

// begin starts an exchange with p: SYN.
func (e *Engine) begin(now time.Time, p *peer, out *Output) {
	e.end(p)
	e.exchanges++
	e.stats.Exchanges.Started++
	p.mine = &exchange{id: e.exchanges, mine: e.snapshot(now), at: e.changes, active: now, narrow: e.isNarrow(p)}
	m := e.message(now, p, Syn, p.mine.id)
	if m.Credit = e.credit(now, p, m.Exchange); m.Credit > 0 && p.mine.narrow {
		m.Credit = narrowCredit
	}
	m.Cleaning = e.wantsCleaning(now)
	m.Same = m.Cleaning && e.isDesperate(now)
	m.Digest = Digest{Full: true, Base: p.mine.at, Entries: e.withoutStreams(now, p.mine.mine)}
	m.ReportSum, m.RetiredSum = e.reports.sum, e.retired.sum
	m.Rates = e.rates(now)
	p.mine.rates = m.Rates
	e.tell(m, p.mine)
	e.sendDigest(p.name, m, out, e.cfg.Codec.Size)
}

// onSyn answers with what the peer lacks, and this node's digest: ACK.
func (e *Engine) onSyn(now time.Time, p *peer, m *Message, out *Output) {
	if m.Exchange <= p.answered {
		return // repeated or late: a second snapshot under one id would be confused with the first
	}
	p.answered = m.Exchange
	e.stats.Exchanges.Answered++
	x := &exchange{
		id: m.Exchange, theirs: m.Digest.Entries, base: m.Digest.Base, exceptions: m.Exceptions,
		mine: e.snapshot(now), at: e.changes, active: now, narrow: m.Credit == narrowCredit,
	}
	if x.theirs == nil {
		x.theirs = []DigestEntry{}
	}
	e.breakOff(p)
	p.its = x
	ack := e.message(now, p, Ack, x.id)
	ack.Credit = e.credit(now, p, x.id)
	ack.Rates = e.rates(now)
	ack.Admits = !ack.Joining && p.state == PeerAlive
	ack.ReportSum, ack.RetiredSum = e.reports.sum, e.retired.sum
	e.addRetirements(p, ack, m.RetiredSum)
	e.addReports(ack, m.ReportSum)
	if same(x.theirs, x.mine) {
		p.lacking = 0
		e.share(now, p, false, ack.Rates, m.Rates, 0)
		e.scrub(now, out)
		e.agree(ack)
		out.send(p.name, e.cfg.Codec.Size(ack) > e.cfg.MaxDatagram, ack)
		return
	}
	_, p.lacking = e.lacking(now, x.theirs, 0)
	lacked := e.lackedBy(x.theirs)
	pending := e.pending(lacked)
	e.share(now, p, false, ack.Rates, m.Rates, pending)
	ack.Rates.Pending = uint32(min(pending, math.MaxUint32))
	ack.Digest = Digest{Full: true, Base: x.at, Entries: e.withoutStreams(now, x.mine)}
	if ack.Cleaning = m.Cleaning && (e.Clean() || m.Same && (!e.zombies || e.isDesperate(now))) && e.serveCleaning(now, x); ack.Cleaning {
		ack.Exceptions = e.exceptions()
		x.told = ack.Exceptions
		if len(ack.Exceptions) == 0 && !e.Clean() {
			ack.Exceptions = []clock.Entry{{Replica: e.self}} // it stands for being dirty
		}
		ack.Unsure = e.zombies
		e.vouch(ack)
	}
	e.tell(ack, x)
	e.sendDigest(p.name, ack, out, func(ack *Message) int {
		if ack.Cleaning {
			return e.fillFromSnapshot(ack, x)
		}
		return e.fill(ack, x, lacked, m.Credit)
	})
}

// agree makes an ACK say that the vectors are the same, with the state hashes, as
// many as fit, and one exception if there is any: it stands for being dirty.
func (e *Engine) agree(ack *Message) {
	ack.Same = true
	ack.Exceptions = e.exceptions()
	ack.Exceptions = ack.Exceptions[:min(1, len(ack.Exceptions))]
	if len(ack.Exceptions) == 0 && !e.Clean() {
		ack.Exceptions = []clock.Entry{{Replica: e.self}}
	}
	hashes := e.hashes()
	fit := sort.Search(len(hashes), func(i int) bool {
		ack.Hashes = hashes[:i+1]
		return e.cfg.Codec.Size(ack) > e.cfg.MaxStream
	})
	ack.Hashes = hashes[:fit]
}

// vouch adds the state hashes to an ACK that serves a cleaning exchange, if they
// leave room for updates: they tell the peer which spaces this node can vouch for.
func (e *Engine) vouch(ack *Message) {
	size := -e.cfg.Codec.Size(&Message{})
	ack.Hashes = e.hashes()
	size += e.cfg.Codec.Size(&Message{Hashes: ack.Hashes})
	if size > e.halfMessage() {
		ack.Hashes = nil
	}
}

// onAck takes what was lacking here and sends what the peer lacks: FIN.
func (e *Engine) onAck(now time.Time, p *peer, m *Message, out *Output) {
	x := p.mine
	if x == nil || x.id != m.Exchange || x.theirs != nil {
		e.applyAll(now, p, m, nil, out) // late: its exchange is over
		return
	}
	p.width.note(x, true)
	e.join(m)
	if len(m.Hashes) > 0 {
		own := *m
		own.Hashes = e.hearTypes(p, m.Hashes)
		m = &own
	}
	if m.Same {
		e.share(now, p, true, x.rates, m.Rates, 0)
		e.settle(now, p, x.id, x.mine)
		e.bringDoom(out) // before the states are compared
		p.mine = nil
		e.stats.Exchanges.Equal++
		e.finish(now, p, x, m, nil, out)
		e.published = max(e.published, versionOf(x.mine, e.self))
		if x.at == e.changes {
			p.lacking = 0
			e.relax()
			e.compareHashes(now, p, x, m, out)
		}
		return
	}
	p.answersAfter(now.Sub(x.active))
	x.active = now
	x.theirs, x.base, x.exceptions = m.Digest.Entries, m.Digest.Base, m.Exceptions
	if x.theirs == nil {
		x.theirs = []DigestEntry{}
	}
	e.settle(now, p, x.id, x.theirs)
	if m.Cleaning && (!e.Clean() || e.reset) {
		e.cleaning = cleaning{peer: p, exchange: x.id}
		e.stats.Cleanings++
		if e.startRebase(now, p, x.theirs, m) && len(m.Exceptions) > 0 {
			e.rebase.dirty = true
			e.raiseExceptions(m.Exceptions)
		}
	}
	e.keepCleaning(now, p, x.id)
	e.applyAll(now, p, m, x.theirs, out)
	lacked := e.lackedBy(x.theirs)
	x.toPull = m.Credit > 0 && !x.narrow && e.isBulk(versionsOf(lacked))
	e.share(now, p, true, x.rates, m.Rates, max(e.pending(lacked), int(m.Rates.Pending)))
	e.finish(now, p, x, m, lacked, out)
	e.goOn(now, p, x, true, out)
}

// finish answers an ACK with what the peer lacks, and reports: FIN. Without either
// there is none.
func (e *Engine) finish(now time.Time, p *peer, x *exchange, ack *Message, lacked []candidate, out *Output) {
	if (len(lacked) == 0 || ack.Credit == 0) && ack.ReportSum == e.reports.sum && ack.RetiredSum == e.retired.sum {
		return
	}
	fin := e.message(now, p, Fin, x.id)
	fin.Credit = e.credit(now, p, x.id)
	fin.Digest = Digest{Base: x.at, Entries: changed(x.mine, e.snapshot(now))}
	e.addRetirements(p, fin, ack.RetiredSum)
	e.addReports(fin, ack.ReportSum)
	size := e.fill(fin, x, lacked, ack.Credit)
	if len(fin.Batches) == 0 { // the rest needs nothing else
		fin.Digest.Entries, fin.Exceptions, fin.Reports = nil, nil, nil
		e.addReports(fin, ack.ReportSum)
		size = e.cfg.Codec.Size(fin)
	}
	if len(fin.Batches)+len(fin.Reports)+len(fin.Retired) > 0 {
		out.send(p.name, size > e.cfg.MaxDatagram, fin)
	}
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
	e.keepCleaning(now, p, x.id)
	delta := *m
	delta.Exceptions = slices.Concat(x.exceptions, m.Exceptions)
	was := e.applyAll(now, p, &delta, x.theirs, out)
	switch paced := e.catchup.isPaced(now, p, x.id); {
	case paced && m.CatchUp:
		e.onPortion(now, p, x, m, was, out)
	case paced || !m.CatchUp:
		e.goOn(now, p, x, was.moved, out)
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
