package wire

import (
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// sizer is a measuring writer that stands in the last batch of a message.
type sizer struct {
	w       writer
	batches int
	updates int // of the last batch
	saved   mark
}

// mark is a state to return to.
type mark struct {
	size, batches, updates int
	run                    run
	replicas, spaces       int // known names
}

var _ engine.Sizer = (*sizer)(nil)

// Begin implements [engine.Sizer].
func (s *sizer) Begin(b *engine.Batch) int {
	s.save()
	s.w.size += arraySize(s.batches+1) - arraySize(s.batches)
	s.batches++
	s.updates = 0
	s.w.head(b, 0)
	return s.w.size
}

// Add implements [engine.Sizer].
func (s *sizer) Add(u *model.Update) int {
	s.save()
	n := s.updates
	s.w.size += arraySize(batchElements(n+1)) - arraySize(batchElements(n))
	s.w.size += uintSize(uint64(n+1)) - uintSize(uint64(n))
	s.updates++
	s.w.update(u)
	return s.w.size
}

// Undo implements [engine.Sizer].
func (s *sizer) Undo() {
	m := s.saved
	s.w.size, s.batches, s.updates, s.w.run = m.size, m.batches, m.updates, m.run
	s.w.replicas.others.truncate(m.replicas)
	s.w.spaces.truncate(m.spaces)
}

func (s *sizer) save() {
	s.saved = mark{
		size: s.w.size, batches: s.batches, updates: s.updates, run: s.w.run,
		replicas: len(s.w.replicas.others.keys), spaces: len(s.w.spaces.keys),
	}
}
