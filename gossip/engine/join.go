package engine

import "time"

// IsJoining reports whether this node still waits for a member to admit it (R11). What
// a node writes has a time after all that the members may have collected, if it has
// heard the clock of one that takes it for a member first.
func (e *Engine) IsJoining(now time.Time) bool {
	return !e.joinUntil.IsZero() && now.Before(e.joinUntil)
}

// join ends the waiting when an ACK admits this node, or when all living peers wait
// as well: somebody must begin.
func (e *Engine) join(ack *Message) {
	if e.joinUntil.IsZero() {
		return
	}
	all := true
	for _, p := range e.peerOrder {
		all = all && (p.state != PeerAlive || p.joining && !p.heard.IsZero())
	}
	if ack.Admits || all {
		e.joinUntil = time.Time{}
	}
}
