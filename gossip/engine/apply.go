package engine

import (
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// applied says what became of a message's batches.
type applied struct {
	moved   bool // something was applied
	gap     bool // something begins after what is known
	refused bool
}

// applyAll applies the batches of a message from p. theirs is the sender's
// vector when it encoded the message, nil when it is not known; then batches
// with open holes are refused (R4).
func (e *Engine) applyAll(now time.Time, p *peer, m *Message, theirs []DigestEntry, out *Output) applied {
	before, refused, clean := e.changes, e.stats.BatchesRefused, e.Clean()
	room := e.roomFor(nil, nil, m.Batches)
	expectChanges(out, m.Batches)
	e.relaysFrom(m)
	var gaps []DigestEntry
	open, closed := false, false
	for _, x := range m.Exceptions {
		e.hearHead(x.Replica, x.Version)
	}
	for i := range m.Batches {
		b := &m.Batches[i]
		e.hearHead(b.Replica, b.Through)
		e.collecting = e.collecting || b.Floor > 0
		if e.IsVanished(b.Replica) {
			e.stats.UpdatesRedundant += uint64(len(b.Updates))
			continue
		}
		if final, ok := e.final(b.Replica); ok && b.Through > final {
			e.stats.BatchesRefused++
			continue
		}
		r := e.lookup(b.Replica)
		if r == nil && b.From == 0 {
			r = e.replica(b.Replica)
		}
		switch {
		case r == nil && b.From == 0:
			e.stats.BatchesRefused++
			continue
		case r == nil || b.From > r.version:
			e.stats.Gaps++
			gaps = append(gaps, e.entryOf(b.Replica))
			continue
		case b.Replica == e.self && b.Through > r.version:
			e.stolen = true // somebody else writes under this identity (R1)
			continue
		}
		delete(p.pulls, b.Replica)
		e.findForks(r, b, out)
		if b.Through <= r.version || e.isHeld(now, r) {
			e.stats.UpdatesRedundant += uint64(len(b.Updates))
			continue
		}
		through := e.believed(now, r, b, m.HLC)
		if hasHoleUpTo(b, r.version, through) {
			if m.Kind != Live || len(m.Digest.Entries) > 0 {
				r.alien = max(r.alien, b.Through)
			}
			switch {
			case b.Closed && room:
				closed = true
			case theirs == nil, !e.roomFor(theirs, m.Exceptions, nil),
				e.isCleaning(now) && !e.cleansWith(now, p, m.Exchange):
				e.stats.BatchesRefused++
				continue
			case b.Floor > r.version && !e.passFloor(now, p, m, r, b.Floor):
				e.stats.BatchesRefused++
				continue
			default:
				e.stats.OpenHoles++
				open = true
				if m.Unsure {
					e.needReset(now)
				}
			}
		}
		e.apply(now, r, b, through, m, out)
		if e.live.relays && m.Kind != Live {
			e.missLive(now, r, out)
		}
	}
	if open && !e.cfg.Unsafe.Classic {
		e.raiseAll(theirs, m.Exceptions)
	}
	if closed && !e.cfg.Unsafe.Classic {
		e.raiseBatches(m)
	}
	if clean && !e.Clean() {
		e.dirtySince = now
	}
	if m.Kind != Live && !e.catchup.isPaced(now, p, m.Exchange) {
		e.pullGaps(now, p, m.Exchange, gaps, out)
	}
	return applied{moved: e.changes != before, gap: len(gaps) > 0, refused: e.stats.BatchesRefused != refused}
}

// expectChanges makes room for the changes that batches make.
func expectChanges(out *Output, batches []Batch) {
	n := 0
	for i := range batches {
		n += len(batches[i].Updates)
	}
	out.Changed = slices.Grow(out.Changed, n)
}

// entryOf returns what this node knows of a replica.
func (e *Engine) entryOf(id clock.Replica) DigestEntry {
	d := DigestEntry{Entry: clock.Entry{Replica: id}}
	if r := e.lookup(id); r != nil {
		d.Version = r.version
	}
	return d
}

// hasHole reports whether a version in (known, b.Through] has no update in b.
func hasHole(b *Batch, known clock.Version) bool { return hasHoleUpTo(b, known, b.Through) }

// hasHoleUpTo reports whether a version in (known, through] has no update in b.
func hasHoleUpTo(b *Batch, known, through clock.Version) bool {
	n := 0
	for i := len(b.Updates) - 1; i >= 0 && b.Updates[i].Version > known; i-- {
		if b.Updates[i].Version <= through {
			n++
		}
	}
	return through > known && clock.Version(n) != through-known
}

// doubt is what a message said of a replica when its clock was too far ahead to believe.
type doubt struct {
	version clock.Version   // it is older …
	hlc     clock.Timestamp // … than this
}

// believed returns how far a batch may be applied whose message shows this clock: what this
// node writes next must be later than all that it knows (DESIGN §4). A hole is older than
// the update after it, and than its message. If neither can be believed yet, it waits until
// the node's own clock has come near what the message showed.
func (e *Engine) believed(now time.Time, r *replica, b *Batch, hlc clock.Timestamp) clock.Version {
	limit := clock.TimestampOf(now.Add(e.cfg.MaxDrift))
	if hlc <= limit {
		return b.Through
	}
	through := r.version
	if r.doubt.version > r.version && r.doubt.hlc <= limit {
		e.hlc.Observe(r.doubt.hlc)
		through = min(r.doubt.version, b.Through)
	}
	for _, u := range b.Updates {
		if u.Time > limit {
			break
		}
		through = max(through, u.Version)
	}
	if through < b.Through && r.doubt.version <= through {
		r.doubt = doubt{b.Through, hlc}
	}
	return through
}

// roomFor reports whether state for all of these replicas fits the limit.
func (e *Engine) roomFor(theirs []DigestEntry, exceptions []clock.Entry, batches []Batch) bool {
	room := e.cfg.MaxReplicas - len(e.order)
	if len(theirs)+len(exceptions)+len(batches) <= room {
		return true
	}
	need := func(id clock.Replica) {
		if e.lookup(id) == nil {
			room--
		}
	}
	for i := range theirs {
		need(theirs[i].Replica)
	}
	for i := range exceptions {
		need(exceptions[i].Replica)
	}
	for i := range batches {
		need(batches[i].Replica)
	}
	return room >= 0
}

// raiseBatches raises the horizon to the last updates of a message's batches: a closed
// hole was superseded by one of them. When all batches were applied this changes
// nothing; when one was not, this node is dirty until it is.
func (e *Engine) raiseBatches(m *Message) {
	for i := range m.Batches {
		updates := m.Batches[i].Updates
		if len(updates) == 0 {
			continue
		}
		if r := e.replica(m.Batches[i].Replica); r != nil {
			e.raise(r, updates[len(updates)-1].Version)
		}
	}
}

// raiseAll raises the horizon to everything that the sender of an open hole
// knew, or had behind its own horizon (R4).
func (e *Engine) raiseAll(theirs []DigestEntry, exceptions []clock.Entry) {
	for _, d := range theirs {
		if r := e.replica(d.Replica); r != nil {
			e.raise(r, d.Version)
		}
	}
	e.raiseExceptions(exceptions)
}

// raiseExceptions raises the horizon to what another node's was above its vector.
func (e *Engine) raiseExceptions(exceptions []clock.Entry) {
	for _, x := range exceptions {
		if r := e.replica(x.Replica); r != nil {
			e.raise(r, x.Version)
		}
	}
}

// apply integrates the updates of a batch that are above the vector and moves
// the vector through what is believed of it, or to just before the first update that must
// wait.
//
// A node that relays some spaces retains what is dead in them. What all members know can
// be new here only if this node was no member then: it cannot tell what is dead (R14).
func (e *Engine) apply(now time.Time, r *replica, b *Batch, through clock.Version, m *Message, out *Output) {
	before := e.changes
	if e.live.relays {
		e.freshen(r, out)
	}
	defer func() { e.noteApplied(r, before) }()
	limit := clock.TimestampOf(now.Add(e.cfg.MaxDrift))
	var s *space
	for i, u := range b.Updates {
		if i%prepared == 0 {
			e.prepare(b.Updates[i:min(i+prepared, len(b.Updates))])
		}
		if u.Version <= r.version {
			e.stats.UpdatesRedundant++
			continue
		}
		if u.Time > limit {
			e.stats.Held++
			e.hold(r, u.Time.Reached().Add(-e.cfg.MaxDrift), clock.Dot{})
			return
		}
		e.hlc.Observe(u.Time)
		if s == nil || s.name != u.Space {
			s = e.space(u.Space)
		}
		if s == nil {
			e.stats.BatchesRefused++
			e.advance(r, u.Version-1)
			e.hold(r, now.Add(e.cfg.Interval), clock.Dot{})
			return
		}
		if i := slices.IndexFunc(u.Deps.All(), func(d clock.Dot) bool { return !e.isKnown(d) }); i >= 0 {
			e.stats.BatchesRefused++
			e.advance(r, u.Version-1)
			e.hold(r, now.Add(e.cfg.Timeout), u.Deps.All()[i])
			return
		}
		if m.Relays && s.model != nil && u.Time <= e.reports.safe {
			e.needReset(now)
		}
		kept := e.hasher.take(b, i)
		kept.update.Replica, kept.update.Space = r.id, s.name // names are shared
		e.advance(r, u.Version)
		e.integrate(r, s, kept, out)
		e.stats.UpdatesApplied++
	}
	e.advance(r, max(r.version, through))
	if !r.held.IsZero() {
		r.held, r.awaited = time.Time{}, clock.Dot{}
		e.changes++
	}
}

// prepared is how many updates models are told of before the first of them is applied:
// about as many as a processor can wait for at once.
const prepared = 16

// prepare tells models which updates come next.
func (e *Engine) prepare(next []*model.Update) {
	for _, u := range next {
		if s := e.lookupSpace(u.Space); s != nil && s.preparer != nil {
			s.preparer.Prepare(u)
		}
	}
}

// retain copies an update out of its message, names shared.
func retain(r *replica, s *space, u *model.Update) *model.Update {
	kept := u.Clone()
	kept.Replica, kept.Space = r.id, s.name
	return kept
}

// depsKnown reports whether everything that u builds on is known.
func (e *Engine) depsKnown(u *model.Update) bool {
	return !slices.ContainsFunc(u.Deps.All(), func(d clock.Dot) bool { return !e.isKnown(d) })
}

// isKnown reports whether an update is known, or does not count any more (R13).
func (e *Engine) isKnown(d clock.Dot) bool {
	if final, ok := e.final(d.Replica); ok && d.Version > final || e.IsVanished(d.Replica) {
		return true
	}
	r := e.lookup(d.Replica)
	return r != nil && r.version >= d.Version
}

// findForks looks in a batch for updates that are retained here with another
// content: two writers used one identity (R1).
func (e *Engine) findForks(r *replica, b *Batch, out *Output) {
	for _, u := range b.Updates {
		if u.Version > r.version {
			return
		}
		if en, ok := r.log.get(u.Version); ok {
			if content := e.hasher.content(u); content != en.content {
				e.fork(r, en, u, content, out)
			}
		}
	}
}

// fork settles two contents of one dot: the larger hash wins, here and, by
// repair, everywhere. If it is this node's own identity, it needs another.
func (e *Engine) fork(r *replica, have entry, u *model.Update, content uint64, out *Output) {
	e.stats.Forks++
	if r.id == e.self {
		e.stolen = true // all of it is about to be issued again under another
		return
	}
	if content < have.content {
		return
	}
	e.discard(r, have, out)
	e.forgetHeirs()
	if s := e.space(u.Space); s != nil {
		e.integrate(r, s, e.hasher.ofEntry(entry{retain(r, s, u), content}), out)
	}
}

// forgetHeirs makes all holes open: what is remembered to have replaced
// something may be gone.
func (e *Engine) forgetHeirs() {
	for _, r := range e.order {
		r.replaced = nil
	}
}

// discard removes a retained update from the log and from its model, without
// another taking its place.
func (e *Engine) discard(r *replica, en entry, out *Output) {
	s := e.spaces[en.update.Space]
	if s.model != nil {
		s.model.Discard(en.update)
		s.show(nil, []*model.Update{en.update}, out)
	}
	e.forget(s, r, en.update)
}
