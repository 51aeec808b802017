package engine

import "github.com/insecure-scuttlebutt/scuttlebutt/model"

// Intake does, outside of its engine's lock, a part of what Step does with messages of
// which all updates are likely to be new: Step neither copies nor hashes them. It is not
// safe for concurrent use; an engine may have several.
type Intake struct {
	hasher *hasher
	all    []owned
}

// owned is an update of which the engine may keep the memory, and its hashes.
type owned struct {
	entry
	member Hash // zero for what is not in the state hash
}

// Intake returns a new intake for messages that Step is given.
func (e *Engine) Intake() *Intake { return &Intake{hasher: newHasher(e.cfg.Cluster)} }

// Own prepares a message whose updates nobody else will use: the engine keeps them as they
// are, with keys and values. Step must have handled it before Own is called again.
func (in *Intake) Own(m *Message) {
	clear(in.all)
	in.all = in.all[:0]
	for i := range m.Batches {
		b := &m.Batches[i]
		begin := len(in.all)
		for _, u := range b.Updates {
			in.all = append(in.all, in.hasher.own(u))
		}
		b.owned = in.all[begin:len(in.all):len(in.all)]
	}
}

// take returns the i-th update of a batch as it is to be retained: a copy, unless it was
// prepared.
func (h *hasher) take(b *Batch, i int) owned {
	u := b.Updates[i]
	if i < len(b.owned) && b.owned[i].update == u {
		return b.owned[i]
	}
	return h.own(u.Clone())
}

// own returns an update with its hashes.
func (h *hasher) own(u *model.Update) owned { return h.ofEntry(entry{u, h.content(u)}) }

// ofEntry returns what is retained with its hashes.
func (h *hasher) ofEntry(en entry) owned {
	o := owned{entry: en}
	if !en.update.Collectable() {
		o.member = h.member(en.update.Dot, en.content)
	}
	return o
}
