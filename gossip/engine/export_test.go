package engine

import (
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Lose makes the engine lose a retained update, as damaged memory might.
func (e *Engine) Lose(d clock.Dot) bool {
	r := e.lookup(d.Replica)
	if r == nil {
		return false
	}
	en, ok := r.log.get(d.Version)
	if ok {
		e.discard(r, en, new(Output))
	}
	return ok
}

// Replace puts another content under a retained dot and makes the books right, as
// a second writer under the same identity would.
func (e *Engine) Replace(d clock.Dot, value string) {
	r := e.lookup(d.Replica)
	en, _ := r.log.get(d.Version)
	u := *en.update
	u.Value = []byte(value)
	var out Output
	e.discard(r, en, &out)
	e.integrate(r, e.spaces[u.Space], e.hasher.own(&u), &out)
}

// NeedReset makes the engine wait for a rebase.
func (e *Engine) NeedReset(now time.Time) { e.needReset(now) }

// Flip changes the value of a retained update behind the engine's back.
func (e *Engine) Flip(d clock.Dot) {
	en, _ := e.lookup(d.Replica).log.get(d.Version)
	en.update.Value[0] ^= 0xff
}

// Retained returns the retained updates of a replica.
func (e *Engine) Retained(id clock.Replica) []*model.Update {
	var all []*model.Update
	if r := e.lookup(id); r != nil {
		for en := range r.log.after(0) {
			all = append(all, en.update)
		}
	}
	return all
}

// Break breaks an invariant behind the engine's back, at a replica with several
// retained updates. The word says which; Check must see all of them.
func (e *Engine) Break(id clock.Replica, word string) {
	r := e.lookup(id)
	entries := r.log.chunks[0]
	first := entries[0].update
	s := e.spaces[first.Space]
	switch word {
	case "order":
		slices.Reverse(e.order)
	case "stranger":
		first.Replica.Epoch++
	case "sequence":
		slices.Reverse(entries)
	case "vector":
		r.version--
	case "length":
		r.log.count++
	case "behind":
		e.behind++
	case "superseded":
		u := *entries[len(entries)-1].update
		u.Key = first.Key
		entries[len(entries)-1].update = &u
	case "updates":
		s.updates++
	case "tombstones":
		s.tombstones++
	case "bytes":
		s.bytes--
	case "hash":
		s.hash.Lo ^= 1
	case "content":
		entries[0].content ^= 1
	case "fresh":
		r.fresh = true
	case "listed":
		e.live.fresh = append(e.live.fresh, r)
	case "flight":
		e.live.order[0].weight++
	case "cursor":
		e.live.order[0].sent[r] = 1
	case "forgotten":
		e.live.order[0].spare[&replica{}] = true
	default:
		panic("engine: nothing to break: " + word)
	}
}

// CollectSome collects what one Tick does, as if a time were stable, and reports whether
// some is left.
func (e *Engine) CollectSome(stable clock.Timestamp) bool { return e.collect(stable) }

// Merge returns what either of two retirements of one node says.
func Merge(a, b Retirement) Retirement { return a.merge(b) }

// HasVanished reports whether a life has vanished by a retirement.
func HasVanished(t Retirement, epoch uint64) bool { return t.vanished(epoch) }

// ScrubUpdates is how many updates Scrub looks at.
const ScrubUpdates = scrubUpdates

// SetScrub sets how many updates, and bytes of them, are looked at again at a time.
func (e *Engine) SetScrub(updates, bytes int) { e.scrubPart = scrubPart{updates, bytes} }

// ScrubPause is how long the next part of a large store waits.
const ScrubPause = scrubPause

// Scrub looks at some of what is retained, as an exchange does that finds equal vectors.
func (e *Engine) Scrub() {
	e.scrubAt = time.Time{}
	e.scrub(time.Time{}, new(Output))
}

// Scheduled returns the peer whom the schedule has for a round at now.
func (e *Engine) Scheduled(now time.Time) string { return e.scheduled(now, 0).name }

// Window returns the weight that the link to a peer carries without a receipt.
func (e *Engine) Window(peer string) int { return e.live.links[peer].size }

// Doom has a rebase on a peer with this vector find retained updates to be dead.
func (e *Engine) Doom(at []DigestEntry, dots ...clock.Dot) {
	e.dooms = append(e.dooms, doom{dots, at})
}
