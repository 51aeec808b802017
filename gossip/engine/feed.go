package engine

import (
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// LiveEnvelope is a live message on its way to several peers: it is the same for all.
type LiveEnvelope struct {
	To      []string // node names
	Message *Message
}

const (
	// maxWhole is how large a live message may be whose holes are closed only if it is
	// whole.
	maxWhole = 4 * chunk
	// lightest is what an update weighs beyond its key and value, and a live message at
	// least.
	lightest = 64
)

// Feed returns live messages for the links to these peers, which can take more now: one
// at most for each of them. Those that lack the same get the same message. Output.Fresh
// says that one is not enough.
func (e *Engine) Feed(now time.Time, ready []string) Output {
	var out Output
	var groups []*feeding
	e.live.rest = time.Time{}
	for _, name := range ready {
		l := e.live.links[name]
		if l == nil || l.isFull() {
			continue
		}
		l.moved = now
		lacked := e.lackedOn(l)
		if len(lacked) == 0 {
			continue
		}
		if now.Before(l.rest) {
			if e.live.rest.IsZero() || l.rest.Before(e.live.rest) {
				e.live.rest = l.rest
			}
			continue
		}
		i := slices.IndexFunc(groups, func(g *feeding) bool { return slices.Equal(g.lacked, lacked) })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &feeding{lacked: lacked})
		}
		groups[i].links = append(groups[i].links, l)
	}
	for _, g := range groups {
		e.feed(now, g, &out)
	}
	e.settleFresh()
	if n := len(e.live.fresh); n > 1 { // each comes first in its turn
		e.live.fresh = append(e.live.fresh[1:n:n], e.live.fresh[0])
	}
	e.measure(now)
	return out
}

// feeding is a live message that is made for some links.
type feeding struct {
	links  []*link
	lacked []candidate
}

// lackedOn returns what the far end of a link lacks of fresh replicas.
func (e *Engine) lackedOn(l *link) []candidate {
	var all []candidate
	for _, r := range e.live.fresh {
		if from := l.cursor(r); from < r.version && e.goesTo(l, r) {
			all = append(all, candidate{r, from})
		}
	}
	return all
}

// goesTo reports whether updates of a replica go over a link: they are not the far end's
// own, which may have refused them.
func (e *Engine) goesTo(l *link, r *replica) bool {
	return r.id.Node != l.peer && !r.over && !(e.isSparse() && l.refused[r])
}

// feed makes one live message.
func (e *Engine) feed(now time.Time, g *feeding, out *Output) {
	e.live.number++
	m := e.message(now, &peer{}, Live, e.live.number)
	left := e.gather(m, g.lacked, true)
	if len(m.Digest.Entries) > 0 && e.cfg.Codec.Size(m) > e.cfg.MaxStream {
		m.Digest.Entries, m.Batches = nil, nil
		left = e.gather(m, g.lacked, false)
	}
	weight := weightOf(m)
	m.Same = slices.ContainsFunc(g.links, func(l *link) bool { return l.wantsReceipt(weight) })
	f := flight{number: m.Exchange, weight: weight, at: now}
	updates, versions := 0, clock.Version(0)
	for i := range m.Batches {
		updates += len(m.Batches[i].Updates)
		versions += m.Batches[i].Through - m.Batches[i].From
	}
	e.stats.LiveSent += uint64(updates)
	f.thin = versions > 2*clock.Version(updates)
	for _, l := range g.links {
		for i, c := range g.lacked {
			l.raise(c.replica, left[i])
		}
		if len(m.Batches) == 0 {
			continue
		}
		l.send(f, m.Same)
		l.talked = now
		out.Fresh = out.Fresh || !l.isFull() && len(e.lackedOn(l)) > 0
	}
	if len(m.Batches) == 0 {
		e.hurry(now) // rounds can bring it
		return
	}
	env := LiveEnvelope{Message: m}
	for _, l := range g.links {
		env.To = append(env.To, l.peer)
	}
	out.Live = append(out.Live, env)
}

// gather fills a live message with batches without open holes, and returns up to where
// each candidate needs no other live message: what has open holes is left to rounds.
func (e *Engine) gather(m *Message, lacked []candidate, closing bool) []clock.Version {
	size := e.cfg.Codec.Size(m)
	room := min(chunk, e.cfg.MaxStream-size)
	whole := min(maxWhole, e.cfg.MaxStream-size)
	through := make([]clock.Version, len(lacked))
	for i, c := range lacked {
		through[i] = c.from
		if room <= 0 {
			continue
		}
		g := gatherer{engine: e, candidate: c, room: room, whole: whole, first: len(m.Batches) == 0, closing: closing}
		var b Batch
		b, m.Digest.Entries = g.batch(m.Digest.Entries)
		switch through[i] = b.Through; {
		case b.Through > b.From:
		case g.first:
			through[i] = c.replica.version // in no live message
			continue
		default:
			continue
		}
		room, whole = room-g.size, whole-g.size
		m.Batches = append(m.Batches, b)
	}
	return through
}

// settleFresh forgets about replicas of which all links have everything.
func (e *Engine) settleFresh() {
	e.live.fresh = slices.DeleteFunc(e.live.fresh, func(r *replica) bool {
		for _, l := range e.live.order {
			if l.cursor(r) < r.version && e.goesTo(l, r) {
				return false
			}
		}
		for _, l := range e.live.order {
			delete(l.sent, r)
		}
		r.fresh = false
		return true
	})
}

// weightOf is how much a live message counts for in a window.
func weightOf(m *Message) int {
	n := 0
	for i := range m.Batches {
		for _, u := range m.Batches[i].Updates {
			n += weightOfUpdate(u)
		}
	}
	return max(n, lightest)
}

func weightOfUpdate(u *model.Update) int { return lightest + len(u.Key) + len(u.Value) }
