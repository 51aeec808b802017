package engine

// Where connections cannot be made, whatever does not fit into a datagram is lost. So
// when a peer to which there is no link has not answered twice in a row, messages of the
// exchanges that this node begins with it carry no more updates than a datagram has room
// for, and more of them follow each other (PULL and PUSH). Now and then one is tried
// that is not narrow.

const (
	// narrowCredit says in a SYN and a PULL that updates in the answer must fit into a
	// datagram.
	narrowCredit = 1<<32 - 1
	// wideFails is how many exchanges in a row must have been without an answer.
	wideFails = 2
	// narrowMost is how many narrow ones there are until one is tried that is not.
	narrowMost = 8
)

// width is what is known of streams to a peer and back.
type width struct {
	unanswered int // exchanges in a row that were not narrow
	narrow     int // exchanges since the last that was not
}

// isNarrow decides whether the next exchange with a peer is narrow.
func (e *Engine) isNarrow(p *peer) bool {
	w := &p.width
	if w.unanswered < wideFails || w.narrow == narrowMost || e.live.links[p.name] != nil {
		w.narrow = 0
		return false
	}
	w.narrow++
	return true
}

// note notes whether an exchange was answered.
func (w *width) note(x *exchange, answered bool) {
	switch {
	case x.narrow:
	case answered:
		w.unanswered = 0
	default:
		w.unanswered++
	}
}

// room returns how many bytes of updates a message of an exchange may carry, of which so
// many are left.
func (e *Engine) room(m *Message, x *exchange, left int) int {
	if !x.narrow {
		return left
	}
	return min(left, e.cfg.MaxDatagram-e.cfg.Codec.Size(m))
}
