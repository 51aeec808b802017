package engine

import "github.com/insecure-scuttlebutt/scuttlebutt/model"

// spares are slices of messages that were given back. The zero value has none.
type spares [][]*model.Update

const (
	// spareLeast is how many updates a slice has room for that is worth keeping.
	spareLeast = 256
	// sparesMost is how many are kept, about as many as messages are under way to one who
	// catches up.
	sparesMost = 8
)

// take returns an empty slice with room for n.
func (s *spares) take(n int) []*model.Update {
	if last := len(*s) - 1; n >= spareLeast && last >= 0 {
		b := (*s)[last]
		*s = (*s)[:last]
		if cap(b) >= n {
			return b
		}
	}
	return make([]*model.Update, 0, n)
}

// Reuse gives back a message of an Output whose Envelope has a Size, to make others of it:
// nobody may need it any more. It need not be called.
func (e *Engine) Reuse(m *Message) {
	for i := range m.Batches {
		b := &m.Batches[i]
		if cap(b.Updates) >= spareLeast && cap(b.Updates) <= portionUpdates && len(e.spares) < sparesMost {
			clear(b.Updates)
			e.spares = append(e.spares, b.Updates[:0])
		}
		b.Updates = nil
	}
}
