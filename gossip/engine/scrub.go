package engine

import (
	"math/rand"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// One exchange that finds equal vectors looks again at so much of what is retained, at
// most: about a millisecond's work.
const (
	scrubUpdates = 4096
	scrubBytes   = 1 << 20
)

// scrubber is where the next look begins.
type scrubber struct {
	replica clock.Replica
	version clock.Version
}

// scrub compares retained updates with their content hashes, a part at a time, and drops
// those that are damaged: the state hash shows that, and a repair brings them back (R12).
// Without it a flipped bit would stay, for state hashes are kept up to date, not summed
// up anew.
func (e *Engine) scrub(out *Output) {
	updates, bytes := scrubUpdates, scrubBytes
	from := e.scrubbed
	for _, r := range e.order {
		if r.id.Compare(from.replica) < 0 {
			continue
		}
		after := clock.Version(0)
		if r.id == from.replica {
			after = from.version
		}
		var damaged []entry
		for en := range r.log.after(after) {
			if updates == 0 || bytes <= 0 {
				break
			}
			updates--
			bytes -= len(en.update.Key) + len(en.update.Value)
			e.scrubbed = scrubber{r.id, en.update.Version}
			if e.hasher.content(en.update) != en.content {
				damaged = append(damaged, en)
			}
		}
		for _, en := range damaged {
			e.stats.Damaged++
			e.discard(r, en, out)
		}
		if updates == 0 || bytes <= 0 {
			return
		}
	}
	e.scrubbed = scrubber{} // from the beginning, next time
}

// Corruption is a way in which what a node retains can be damaged.
type Corruption uint8

// The kinds of corruption.
const (
	CorruptDrop Corruption = iota // an update, and what the model shows of it, is gone
	CorruptFlip                   // a bit of an update's value is flipped, and so what the model shows
	CorruptAdd                    // an update is there that nobody wrote
)

// Corrupt damages one update that is retained here, for tests of repair (R12). It returns
// which one; ok is false if there is none to damage that way.
func (e *Engine) Corrupt(how Corruption, rng *rand.Rand) (d clock.Dot, ok bool) {
	var all []entry
	for _, r := range e.order {
		for en := range r.log.after(0) {
			if u := en.update; e.spaces[u.Space].model != nil && !u.Collectable() && len(u.Value) > 0 {
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
