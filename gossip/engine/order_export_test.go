package engine

import "math/rand"

// Pack packs into m what a peer with this digest lacks, breaks ties by seed, and
// returns the size of the message.
func (e *Engine) Pack(seed int64, m *Message, theirs []DigestEntry, room int) int {
	e.cfg.Rand = rand.New(rand.NewSource(seed))
	return e.pack(m, e.lackedBy(theirs), theirs, room).size
}

// SetOrder changes the order.
func (e *Engine) SetOrder(o Order) { e.cfg.Order = o }
