package engine

import (
	"slices"
	"sort"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// snapshot returns this node's vector as digest entries. The slice is shared by
// everything that happens until the vector changes, and never written again.
func (e *Engine) snapshot(now time.Time) []DigestEntry {
	if e.digestAt == e.changes {
		return e.digest
	}
	entries := make([]DigestEntry, 0, len(e.order))
	held := false
	for _, r := range e.order {
		r.arrivals.note(r.version, now)
		h := e.isHeld(now, r)
		held = held || h
		if (r.version > 0 || h) && !r.over {
			entries = append(entries, DigestEntry{Entry: clock.Entry{Replica: r.id, Version: r.version}, Held: h})
		}
	}
	e.digest, e.digestAt = entries, e.changes
	if held {
		e.digestAt = ^uint64(0) // time alone may change it
	}
	return entries
}

// exceptions returns the replicas whose horizon is above the vector (R4).
func (e *Engine) exceptions() []clock.Entry {
	if e.behind == 0 {
		return nil
	}
	var all []clock.Entry
	for _, r := range e.order {
		if r.horizon > r.version {
			all = append(all, clock.Entry{Replica: r.id, Version: r.horizon})
		}
	}
	return all
}

// same reports whether two digests say the same.
func same(a, b []DigestEntry) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Entry != b[i].Entry {
			return false
		}
	}
	return true
}

// changed returns the entries of now that are not in before.
func changed(before, now []DigestEntry) []DigestEntry {
	var diff []DigestEntry
	i := 0
	for _, d := range now {
		for i < len(before) && before[i].Replica.Compare(d.Replica) < 0 {
			i++
		}
		if i < len(before) && before[i] == d {
			continue
		}
		diff = append(diff, d)
	}
	return diff
}

// patched returns before with the entries of diff put in. It shares before when
// there is nothing to put.
func patched(before, diff []DigestEntry) []DigestEntry {
	if len(diff) == 0 {
		return before
	}
	all := make([]DigestEntry, 0, len(before)+len(diff))
	i := 0
	for _, d := range diff {
		for i < len(before) && before[i].Replica.Compare(d.Replica) < 0 {
			all = append(all, before[i])
			i++
		}
		if i < len(before) && before[i].Replica == d.Replica {
			i++
		}
		all = append(all, d)
	}
	return append(all, before[i:]...)
}

// candidate is a replica of which a peer lacks something.
type candidate struct {
	replica *replica
	from    clock.Version // what the peer knows
}

// span is how many versions the peer is behind.
func (c candidate) span() uint64 { return uint64(c.replica.version - c.from) }

// lackedBy returns the replicas of which a peer with this full digest lacks
// something that this node knows.
func (e *Engine) lackedBy(theirs []DigestEntry) []candidate {
	var all []candidate
	i := 0
	for _, r := range e.order {
		for i < len(theirs) && theirs[i].Replica.Compare(r.id) < 0 {
			i++
		}
		var known clock.Version
		if r.over {
			continue
		}
		if i < len(theirs) && theirs[i].Replica == r.id {
			if theirs[i].Held {
				continue
			}
			known = theirs[i].Version
		}
		if known < r.version {
			all = append(all, candidate{r, known})
		}
	}
	return all
}

// askedFor returns the candidates that a pull names.
func (e *Engine) askedFor(wanted []DigestEntry) []candidate {
	var all []candidate
	for _, d := range wanted {
		if r := e.lookup(d.Replica); r != nil && d.Version < r.version && !r.over {
			all = append(all, candidate{r, d.Version})
		}
	}
	return all
}

// lacking returns, of what a peer knows, the replicas of which this node lacks
// something and does not hold back: at most limit entries that say what this
// node has; and how many versions it lacks in all.
func (e *Engine) lacking(now time.Time, theirs []DigestEntry, limit int) (ask []DigestEntry, versions uint64) {
	i := 0
	for _, d := range theirs {
		for i < len(e.order) && e.order[i].id.Compare(d.Replica) < 0 {
			i++
		}
		var known clock.Version
		if i < len(e.order) && e.order[i].id == d.Replica {
			if e.isHeld(now, e.order[i]) || e.isStreamed(now, e.order[i]) {
				continue
			}
			known = e.order[i].version
		}
		if known >= d.Version || e.IsVanished(d.Replica) {
			continue
		}
		versions += uint64(d.Version - known)
		if len(ask) < limit {
			ask = append(ask, DigestEntry{Entry: clock.Entry{Replica: d.Replica, Version: known}})
		}
	}
	return ask, versions
}

// assembly collects the parts of a digest that was too large for one message.
type assembly struct {
	kind       Kind
	exchange   uint64
	base       uint64
	of         uint16
	parts      map[uint16]*Message // the last one carries everything else
	entries    int
	exceptions int
	active     time.Time
}

// assemble returns m when its digest is whole, the completed message when m was
// the last part missing, and nil while parts are missing. A peer assembles one
// digest at a time, of at most MaxReplicas entries and as many exceptions; a newer
// one replaces it.
func (e *Engine) assemble(now time.Time, p *peer, m *Message) *Message {
	d := &m.Digest
	if d.Parts <= 1 {
		return m
	}
	a := p.assembly
	if a == nil || a.exchange != m.Exchange || a.kind != m.Kind || a.base != d.Base || a.of != d.Parts {
		a = &assembly{kind: m.Kind, exchange: m.Exchange, base: d.Base, of: d.Parts, parts: map[uint16]*Message{}}
		p.assembly = a
	}
	if a.parts[d.Part] != nil {
		return nil // repeated
	}
	a.active = now
	a.parts[d.Part] = m
	a.entries += len(d.Entries)
	a.exceptions += len(m.Exceptions)
	if max(a.entries, a.exceptions) > e.cfg.MaxReplicas {
		p.assembly = nil
		return nil
	}
	if len(a.parts) < int(a.of) {
		return nil
	}
	p.assembly = nil
	whole := *a.parts[a.of-1]
	whole.Digest = Digest{Full: d.Full, Base: a.base}
	whole.Exceptions = nil
	for i := range a.of {
		whole.Digest.Entries = append(whole.Digest.Entries, a.parts[i].Digest.Entries...)
		whole.Exceptions = append(whole.Exceptions, a.parts[i].Exceptions...)
	}
	if !slices.IsSortedFunc(whole.Digest.Entries, func(a, b DigestEntry) int { return a.Replica.Compare(b.Replica) }) {
		return nil // not parts of one snapshot
	}
	return &whole
}

// tell puts this node's exceptions into a SYN or ACK if they would leave no room
// for updates in a message: they travel with its digest, once for the exchange.
func (e *Engine) tell(m *Message, x *exchange) {
	if e.behind == 0 {
		return
	}
	alone := *m
	alone.Digest.Entries, alone.Exceptions = nil, e.exceptions()
	if !e.hasRoom(&alone) {
		m.Exceptions, x.told = alone.Exceptions, alone.Exceptions
	}
}

// untold returns the exceptions of now that were not told, or are higher by now.
func untold(told, now []clock.Entry) []clock.Entry {
	if len(told) == 0 {
		return now
	}
	var rest []clock.Entry
	i := 0
	for _, x := range now {
		for i < len(told) && told[i].Replica.Compare(x.Replica) < 0 {
			i++
		}
		if i == len(told) || told[i].Replica != x.Replica || told[i].Version < x.Version {
			rest = append(rest, x)
		}
	}
	return rest
}

// sendDigest sends a SYN or ACK whose digest is whole: as one message if that
// leaves room for the largest update, else in parts. The last part has no digest
// entries; it is where fill puts everything else, and returns the message's size.
func (e *Engine) sendDigest(to string, m *Message, out *Output, fill func(*Message) int) {
	if e.hasRoom(m) {
		out.send(to, fill(m) > e.cfg.MaxDatagram, m)
		return
	}
	entries, exceptions := m.Digest.Entries, m.Exceptions
	m.Digest.Entries, m.Exceptions = nil, nil
	var parts []*Message
	part := func(fits int, put func(part *Message, n int)) int { // a part with as much as fits, and how much that is
		p := *m
		p.Hashes, p.Reports, p.Retired = nil, nil, nil
		p.Digest.Part, p.Digest.Parts = 1<<16-2, 1<<16-1 // the widest
		n := sort.Search(fits, func(i int) bool {
			put(&p, i+1)
			return e.cfg.Codec.Size(&p) > e.cfg.MaxStream
		})
		put(&p, n)
		parts = append(parts, &p)
		return n
	}
	for len(entries) > 0 {
		n := part(len(entries), func(p *Message, n int) { p.Digest.Entries = entries[:n] })
		entries = entries[n:]
	}
	for len(exceptions) > 0 {
		n := part(len(exceptions), func(p *Message, n int) { p.Exceptions = exceptions[:n] })
		exceptions = exceptions[n:]
	}
	parts = append(parts, m)
	for i, p := range parts {
		p.Digest.Part, p.Digest.Parts = uint16(i), uint16(len(parts))
	}
	for _, p := range parts[:len(parts)-1] {
		out.send(to, e.cfg.Codec.Size(p) > e.cfg.MaxDatagram, p)
	}
	out.send(to, fill(m) > e.cfg.MaxDatagram, m)
}

// hasRoom reports whether m leaves room for the largest update in a stream message.
func (e *Engine) hasRoom(m *Message) bool {
	return e.cfg.Codec.Size(m)+e.cfg.MaxUpdate <= e.cfg.MaxStream
}
