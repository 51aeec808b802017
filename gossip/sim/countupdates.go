package sim

import (
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

var _ engine.Codec = (*CountUpdates)(nil)

// CountUpdates is a codec for figures in updates instead of bytes, as the paper has
// them: an update measures 1, everything else nothing, so that an engine.Config
// with Budget 100 sends 100 updates per direction. Messages are handed over as they
// are. Keys and values must be at most one byte together: the engine compares
// their length with the budget, too. The zero value is ready to use.
type CountUpdates struct {
	extra int // what an update measures, less 1
}

// SetCost makes an update measure n from now on, for all engines that share the
// codec: 2 halves their budgets, 0 lifts them.
func (c *CountUpdates) SetCost(n int) { c.extra = n - 1 }

// Size implements engine.Codec.
func (c *CountUpdates) Size(m *engine.Message) int {
	n := 0
	for i := range m.Batches {
		n += len(m.Batches[i].Updates)
	}
	if m.Repair != nil {
		n += len(m.Repair.Updates)
	}
	return n * (1 + c.extra)
}

// Sizer implements engine.Codec.
func (c *CountUpdates) Sizer(m *engine.Message) engine.Sizer {
	return &updateCounter{cost: 1 + c.extra, size: c.Size(m)}
}

// UpdateSize implements engine.Codec.
func (c *CountUpdates) UpdateSize(*model.Update) int { return 1 + c.extra }

// updateCounter is the Sizer of CountUpdates.
type updateCounter struct {
	cost, size, last int
}

// Begin implements engine.Sizer.
func (u *updateCounter) Begin(*engine.Batch) int {
	u.last = 0
	return u.size
}

// Add implements engine.Sizer.
func (u *updateCounter) Add(*model.Update) int {
	u.last = u.cost
	u.size += u.cost
	return u.size
}

// Undo implements engine.Sizer.
func (u *updateCounter) Undo() { u.size -= u.last }
