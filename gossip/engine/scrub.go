package engine

import (
	"math/rand"
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// One exchange that finds equal vectors looks again at so much of what is retained, at
// most: a millisecond or two (BenchmarkScrub).
const (
	scrubUpdates = 16384
	scrubBytes   = 4 << 20
	// Where there is more, models are asked about every fourth update only, each time about
	// others: finding an update in one costs more than hashing it.
	verifyEvery = 4
	// And the next part waits for so long: of what an idle node costs, looking at one in each
	// exchange was more than half (bench idle).
	scrubPause = 4 * time.Second
)

// scrubPart is so much of what is retained.
type scrubPart struct{ updates, bytes int }

// scrub compares retained updates with their content hashes and drops those that are
// damaged: the state hash shows that, and a repair brings them back (R12). Without it a
// flipped bit would stay, for state hashes are kept up to date, not summed up anew. It
// looks at everything, or if that is too much, every few seconds at the next part, round and
// round. What a model does not hold any more it is given anew.
func (e *Engine) scrub(now time.Time, out *Output) {
	if now.Before(e.scrubAt) {
		return
	}
	look := looking{Engine: e, updates: e.scrubPart.updates, bytes: e.scrubPart.bytes, every: 1}
	if e.retained() > e.scrubPart.updates {
		look.every = verifyEvery
	}
	last := e.scrubbed // of the time before
	first, begun := slices.BinarySearchFunc(e.order, last.Replica, func(r *replica, id clock.Replica) int { return r.id.Compare(id) })
	for i := range len(e.order) + 1 { // the first one's beginning comes at the end
		if first+i == len(e.order) {
			e.scrubs++
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
		if !look.at(r, after, through, out) {
			e.scrubAt = now.Add(scrubPause)
			break
		}
	}
	e.discardDamaged(look.damaged, out)
}

// looking is one scrub.
type looking struct {
	*Engine
	updates, bytes int    // that are still to be looked at
	every          uint64 // of so many updates, models are asked about one
	damaged        []entry
	space          *space // of the last one
	touched        byte   // nothing; who sets it has looked
}

// at looks at the updates of r in (after, through], and reports whether there is more to do.
func (l *looking) at(r *replica, after, through clock.Version, out *Output) bool {
	var part [64]entry
	n := 0
	for en := range r.log.after(after) {
		if en.update.Version > through || l.updates == 0 || l.bytes <= 0 {
			break
		}
		l.updates--
		l.bytes -= len(en.update.Key) + len(en.update.Value)
		part[n] = en
		if n++; n == len(part) {
			l.part(part[:], out)
			n = 0
		}
	}
	if n > 0 {
		l.part(part[:n], out)
	}
	return l.updates > 0 && l.bytes > 0
}

// part looks at some updates, at all of them at once: one after another each would wait
// for memory.
func (l *looking) part(all []entry, out *Output) {
	for _, en := range all {
		if len(en.update.Key) > 0 {
			l.touched ^= en.update.Key[0]
		}
	}
	for _, en := range all {
		if s := l.spaceOf(en.update); l.asks(en.update) && s != nil && s.preparer != nil {
			s.preparer.Prepare(en.update) // it may be damaged
		}
	}
	for _, en := range all {
		u := en.update
		if l.hasher.isDamaged(en) {
			l.damaged = append(l.damaged, en)
			continue
		}
		if s := l.spaceOf(u); l.asks(u) && s.verifier != nil && !s.verifier.Verify(u) {
			l.reapply(s, u, out)
		}
	}
	l.scrubbed = all[len(all)-1].update.Dot
}

// spaceOf returns the space of an update.
func (l *looking) spaceOf(u *model.Update) *space {
	if l.space == nil || l.space.name != u.Space {
		l.space = l.spaces[u.Space]
	}
	return l.space
}

// asks reports whether it is a model's turn to be asked about an update.
func (l *looking) asks(u *model.Update) bool { return (uint64(u.Version)+l.scrubs)%l.every == 0 }

// retained counts all updates that are retained.
func (e *Engine) retained() int {
	n := 0
	for _, s := range e.spaceOrder {
		n += s.updates
	}
	return n
}

// reapply brings a retained update back into a model that has lost it. The model has
// nothing to say to that: no two retained updates supersede each other (I9).
func (e *Engine) reapply(s *space, u *model.Update, out *Output) {
	e.stats.Damaged++
	s.model.Discard(u)
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
		e.spaces[en.update.Space].model.Discard(en.update)
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
		e.integrate(r, e.spaces[u.Space], e.hasher.own(&added), out)
		return added.Dot, true
	}
	return clock.Dot{}, false
}
