package engine

import (
	"fmt"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Check returns the first broken invariant, nil when all hold. It looks at
// everything: it costs O(updates), and more where many share a key.
func (e *Engine) Check() error {
	behind := 0
	for i, r := range e.order {
		if i > 0 && e.order[i-1].id.Compare(r.id) >= 0 {
			return fmt.Errorf("engine: replicas %v and %v are out of order", e.order[i-1].id, r.id)
		}
		if r.horizon > r.version {
			behind++
		}
		if err := e.checkLog(r); err != nil {
			return err
		}
	}
	if behind != e.behind {
		return fmt.Errorf("engine: %d replicas are behind the horizon, counted %d (R4)", behind, e.behind)
	}
	relayed := 0
	for _, s := range e.spaceOrder {
		if err := e.checkSpace(s); err != nil {
			return err
		}
		if s.model == nil {
			relayed += s.updates
		}
	}
	if relayed != e.relayed {
		return fmt.Errorf("engine: %d updates are in spaces without a model, counted %d (R14)", relayed, e.relayed)
	}
	return e.checkLinks()
}

// checkLinks compares what is kept of links with what is fresh.
func (e *Engine) checkLinks() error {
	fresh := map[*replica]bool{}
	for _, r := range e.live.fresh {
		if fresh[r] = true; !r.fresh || e.replicas[r.id] != r {
			return fmt.Errorf("engine: %v is listed as fresh, and is not", r.id)
		}
	}
	for _, r := range e.order {
		if r.fresh && !fresh[r] {
			return fmt.Errorf("engine: %v is fresh, and not listed", r.id)
		}
	}
	for _, l := range e.live.order {
		weight := 0
		for _, f := range l.flight {
			weight += f.weight
		}
		if weight != l.weight {
			return fmt.Errorf("engine: %d are under way to %s, counted %d", weight, l.peer, l.weight)
		}
		for _, all := range []map[*replica]bool{l.refused, l.spare} {
			for r := range all { // order: each is judged alone
				if e.replicas[r.id] != r {
					return fmt.Errorf("engine: the link to %s remembers %v, which is forgotten", l.peer, r.id)
				}
			}
		}
		for r := range l.sent { // order: each is judged alone
			if !r.fresh {
				return fmt.Errorf("engine: the link to %s has a cursor of %v, which is not fresh", l.peer, r.id)
			}
		}
	}
	return nil
}

func (e *Engine) checkLog(r *replica) error {
	var last clock.Version
	n := 0
	for en := range r.log.after(0) {
		u := en.update
		n++
		switch {
		case u.Replica != r.id:
			return fmt.Errorf("engine: %v is in the log of %v", u.Dot, r.id)
		case u.Version <= last:
			return fmt.Errorf("engine: %v follows version %d", u.Dot, last)
		case u.Version > r.version:
			return fmt.Errorf("engine: %v is retained above the vector's %d (I1)", u.Dot, r.version)
		}
		last = u.Version
	}
	if n != r.log.len() {
		return fmt.Errorf("engine: %v retains %d updates, counted %d", r.id, n, r.log.len())
	}
	return nil
}

// counts says what a space has, for comparison.
func (s *space) counts() string {
	return fmt.Sprintf("%d updates, %d tombstones, %d that will expire, %d that have, %d bytes, %d of them dead, hash %x",
		s.updates, s.tombstones, s.expiring, s.expired, s.bytes, s.deadBytes, s.hash.Bytes())
}

// checkSpace recounts a space and looks for retained updates of one key of
// which one supersedes the other (I9).
func (e *Engine) checkSpace(s *space) error {
	sum := space{name: s.name, past: s.past}
	hasher := newHasher(e.cfg.Cluster) // its own: Check only reads
	type sibling struct {              // the updates of a key are a list: nearly always of one
		*model.Update
		before int
	}
	all, last := make([]sibling, 1, max(s.updates, 0)+1), make(map[string]int, max(s.updates, 0))
	for _, r := range e.order {
		for en := range r.log.after(0) {
			u := en.update
			if u.Space != s.name {
				continue
			}
			account(&sum, hasher.ofEntry(en), +1)
			if s.model == nil {
				continue
			}
			before := last[string(u.Key)]
			for i := before; i > 0; i = all[i].before {
				if o := all[i].Update; s.model.Supersedes(u, o) || s.model.Supersedes(o, u) {
					return fmt.Errorf("engine: %v and %v are both retained, and one supersedes the other (I9)", o.Dot, u.Dot)
				}
			}
			last[string(u.Key)] = len(all)
			all = append(all, sibling{u, before})
		}
	}
	if counts, want := s.counts(), sum.counts(); counts != want {
		return fmt.Errorf("engine: space %q counts %s; it retains %s", s.name, counts, want)
	}
	return nil
}
