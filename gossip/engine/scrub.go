package engine

import (
	"math/rand"
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// One exchange that finds equal vectors looks again at so much of what is retained, at
// most: about a millisecond's work (BenchmarkScrub).
const (
	scrubUpdates = 16384
	scrubBytes   = 4 << 20
)

// scrub compares retained updates with their content hashes and drops those that are
// damaged: the state hash shows that, and a repair brings them back (R12). Without it a
// flipped bit would stay, for state hashes are kept up to date, not summed up anew. It
// looks at everything, or if that is too much, at the next part, round and round. What a
// model does not hold any more of that, it is given anew.
func (e *Engine) scrub(out *Output) {
	updates, bytes := scrubUpdates, scrubBytes
	last := e.scrubbed // of the time before
	first, begun := slices.BinarySearchFunc(e.order, last.Replica, func(r *replica, id clock.Replica) int { return r.id.Compare(id) })
	var damaged []entry
	for i := range len(e.order) + 1 { // the first one's beginning comes at the end
		if updates == 0 || bytes <= 0 {
			break
		}
		r := e.order[(first+i)%len(e.order)]
		after, through := clock.Version(0), r.version
		switch {
		case i == 0 && begun:
			after = last.Version
		case i == len(e.order) && begun:
			through = last.Version
		case i == len(e.order):
			through = 0
		}
		for en := range r.log.after(after) {
			u := en.update
			if u.Version > through || updates == 0 || bytes <= 0 {
				break
			}
			updates--
			bytes -= len(u.Key) + len(u.Value)
			e.scrubbed = u.Dot
			if e.hasher.isDamaged(en) {
				damaged = append(damaged, en)
			} else if s := e.spaces[u.Space]; s.verifier != nil && !s.verifier.Verify(u) {
				e.reapply(s, u, out)
			}
		}
	}
	e.discardDamaged(damaged, out)
}

// reapply brings a retained update back into a model that has lost it. The model has
// nothing to say to that: no two retained updates supersede each other (I9).
func (e *Engine) reapply(s *space, u *model.Update, out *Output) {
	e.stats.Damaged++
	s.model.Remove(u)
	s.model.Apply(u)
	s.show(u, nil, out)
}

// isDamaged reports whether an update is not any more what it was when it came.
func (h *hasher) isDamaged(en entry) bool { return h.content(en.update) != en.content }

// discardDamaged drops damaged updates; one may be named twice.
func (e *Engine) discardDamaged(damaged []entry, out *Output) {
	for _, en := range damaged {
		r := e.lookup(en.update.Replica)
		if _, ok := r.log.get(en.update.Version); ok {
			e.stats.Damaged++
			if en.update.Collectable() {
				e.spaces[en.update.Space].torn = true
			}
			e.discard(r, en, out)
		}
	}
}

// Corruption is a way in which what a node retains can be damaged.
type Corruption uint8

// The kinds of corruption.
const (
	CorruptDrop  Corruption = iota // an update, and what the model shows of it, is gone
	CorruptFlip                    // a bit of an update's value is flipped, and so what the model shows
	CorruptAdd                     // an update is there that nobody wrote
	CorruptModel                   // the model does not show an update any more that is there
)

// Corrupt damages one update that is retained here, for tests of repair (R12). It returns
// which one; ok is false if there is none to damage that way.
func (e *Engine) Corrupt(how Corruption, rng *rand.Rand) (d clock.Dot, ok bool) {
	var all []entry
	for _, r := range e.order {
		for en := range r.log.after(0) {
			if u := en.update; e.spaces[u.Space].model != nil && (!u.Collectable() || how == CorruptFlip) && len(u.Value) > 0 {
				all = append(all, en)
			}
		}
	}
	if len(all) == 0 {
		return d, false
	}
	en := all[rng.Intn(len(all))]
	d = en.update.Dot
	r := e.lookup(d.Replica)
	var out Output // nobody is told
	switch how {
	case CorruptDrop:
		e.discard(r, en, &out)
	case CorruptFlip:
		en.update.Value[rng.Intn(len(en.update.Value))] ^= 1 << rng.Intn(8)
	case CorruptModel:
		e.spaces[en.update.Space].model.Remove(en.update)
	case CorruptAdd:
		return e.corruptAdd(r, en.update, &out)
	}
	return d, true
}

// corruptAdd makes up an update like u at a version of r of which nothing is retained.
func (e *Engine) corruptAdd(r *replica, u *model.Update, out *Output) (clock.Dot, bool) {
	for v := clock.Version(1); v <= r.version; v++ {
		if _, ok := r.log.get(v); ok {
			continue
		}
		added := *u
		added.Version, added.Key = v, append([]byte("made up "), u.Key...)
		e.integrate(r, e.spaces[u.Space], entry{&added, e.hasher.content(&added)}, out)
		return added.Dot, true
	}
	return clock.Dot{}, false
}
