package engine

import (
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// onPast takes a message of an earlier life of a peer: it is late, or that node's clock
// stepped back and it does not know of its later life. A SYN is answered with what it
// needs to find out; nothing that is under way with the later life is touched. This node
// may be in the same position, and find it out from that life only.
func (e *Engine) onPast(now time.Time, p *peer, m *Message, out *Output) {
	e.takeRetirements(now, m.Retired, out) // they hold whoever says so
	digest := e.current(m.Digest.Entries)
	e.hearHeads(digest)
	e.meetSelf(now, digest, out)
	if m.Kind != Syn {
		// One that is meant for an earlier life of this node says what that one knew.
		if m.To == e.self.Epoch && !e.isOver(m.From) {
			e.applyAll(now, p, m, nil, out)
		}
		return
	}
	ack := e.message(now, p, Ack, m.Exchange)
	ack.To = m.From.Epoch
	ack.RetiredSum = e.retired.sum
	e.addRetirements(p, ack, m.RetiredSum)
	later := DigestEntry{Entry: e.entryOf(clock.Replica{Node: p.name, Epoch: p.epoch}).Entry} // it need not have written
	ack.Digest = Digest{Full: true, Base: e.changes, Entries: patched(e.snapshot(now), []DigestEntry{later})}
	e.sendDigest(p.name, ack, out, e.cfg.Codec.Size)
}

// heed takes from a message what is over, and returns what is left of it (R13). From one
// whose life is over it takes nothing else: such a node learns that first, and begins
// anew. nil means that there is nothing left.
func (e *Engine) heed(now time.Time, p *peer, m *Message, out *Output) *Message {
	e.takeRetirements(now, m.Retired, out)
	if e.departed && (m.Kind == Syn || m.Kind == Ack) && m.RetiredSum == e.retired.sum {
		e.goodbye = true
	}
	entries, isOver := e.current(m.Digest.Entries), e.isOver(m.From)
	if len(entries) == len(m.Digest.Entries) && !isOver {
		return m
	}
	rest := *m
	if rest.Digest.Entries = entries; !isOver {
		return &rest
	}
	if m.Kind != Syn && m.Kind != Ack {
		return nil
	}
	e.forgetRebase(p)
	rest.Digest.Entries, rest.Exceptions, rest.Batches, rest.Reports, rest.Hashes = nil, nil, nil, nil, nil
	rest.Credit, rest.Same, rest.Admits, rest.Cleaning = 0, false, false, false
	return &rest
}
