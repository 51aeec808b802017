package engine

import (
	"slices"
	"time"
)

// In a large cluster everything that is new is passed on over all links, at first. Who
// gets an update that it has got over another link before refuses that writer's updates on
// this one (PRUNE): so for each writer a tree remains. When the link breaks over which they
// come, or exchanges bring them first again and again, they are asked for on all links
// (GRAFT), and the tree grows anew. Rounds carry what is missing meanwhile.

const (
	// relayed is how many updates of an exchange are passed on at most: more are of a node
	// that catches up, and no news to others.
	relayed = 64
	// missedMost is how often in a row exchanges may be ahead of links.
	missedMost = 3
)

// relaysFrom notes whether what is applied of a message is passed on.
func (e *Engine) relaysFrom(m *Message) {
	n := 0
	for i := range m.Batches {
		n += len(m.Batches[i].Updates)
	}
	e.live.relays = e.isSparse() && (m.Kind == Live || n <= relayed)
}

// versionsBefore returns what is known of the replicas of a message's batches, nil where
// it does not matter.
func (e *Engine) versionsBefore(m *Message) []DigestEntry {
	if !e.isSparse() {
		return nil
	}
	all := make([]DigestEntry, len(m.Batches))
	for i := range m.Batches {
		all[i] = e.entryOf(m.Batches[i].Replica)
	}
	return all
}

// noteSources notes over which links updates come first, and refuses the others'.
func (e *Engine) noteSources(now time.Time, p *peer, m *Message, before []DigestEntry, out *Output) {
	l := e.live.links[p.name]
	if l == nil {
		return
	}
	var refused []DigestEntry
	for i, d := range before {
		b, r := &m.Batches[i], e.lookup(d.Replica)
		switch {
		case r == nil:
		case r.version > d.Version:
			r.missed = 0
			if e.live.links[r.source] == nil || !l.spare[r] {
				r.source = p.name
			}
		case b.Through > d.Version || len(b.Updates) == 0:
		case r.id.Node == p.name:
			r.source = p.name // there is no shorter way
		case r.source != p.name && e.live.links[r.source] != nil && !l.spare[r]:
			l.spare[r] = true
			refused = append(refused, d)
		}
	}
	e.sendSources(now, p, Prune, refused, out)
}

// loseSource asks all others for what came over a link that broke.
func (e *Engine) loseSource(now time.Time, peer string, out *Output) {
	for _, r := range e.order {
		if r.source == peer {
			e.graft(now, r, out)
		}
	}
}

// missLive notes that an exchange has brought news of a replica.
func (e *Engine) missLive(now time.Time, r *replica, out *Output) {
	if r.missed++; r.missed >= missedMost {
		e.graft(now, r, out)
	}
}

// graft asks for a replica's updates on all links on which they were refused.
func (e *Engine) graft(now time.Time, r *replica, out *Output) {
	r.source, r.missed = "", 0
	for _, l := range e.live.order {
		if p := e.peers[l.peer]; l.spare[r] && p != nil {
			delete(l.spare, r)
			e.sendSources(now, p, Graft, []DigestEntry{e.entryOf(r.id)}, out)
		}
	}
}

// sendSources sends a PRUNE or GRAFT, as many as it takes.
func (e *Engine) sendSources(now time.Time, p *peer, k Kind, all []DigestEntry, out *Output) {
	slices.SortFunc(all, func(a, b DigestEntry) int { return a.Replica.Compare(b.Replica) })
	for len(all) > 0 {
		m := e.message(now, p, k, 0)
		m.Digest.Entries = all
		for len(m.Digest.Entries) > 1 && e.cfg.Codec.Size(m) > e.cfg.MaxStream {
			m.Digest.Entries = m.Digest.Entries[:len(m.Digest.Entries)/2]
		}
		all = all[len(m.Digest.Entries):]
		out.send(p.name, true, m)
	}
}

// onPrune sends no more of these replicas over the link to a peer.
func (e *Engine) onPrune(p *peer, m *Message) {
	l := e.live.links[p.name]
	if l == nil {
		return
	}
	for _, d := range m.Digest.Entries {
		if r := e.lookup(d.Replica); r != nil {
			l.refused[r] = true
			delete(l.sent, r)
		}
	}
}

// onGraft sends these replicas over the link to a peer again, from what it has on.
func (e *Engine) onGraft(p *peer, m *Message, out *Output) {
	l := e.live.links[p.name]
	if l == nil {
		return
	}
	for _, d := range m.Digest.Entries {
		r := e.lookup(d.Replica)
		if r == nil {
			continue
		}
		if delete(l.refused, r); d.Version < r.version {
			e.freshen(r, out)
			l.sent[r] = d.Version
		}
	}
}
