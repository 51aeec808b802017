package modeltest

import "github.com/insecure-scuttlebutt/scuttlebutt/model"

// everything returns all that was written.
func (s *sim[M]) everything() set { return only(len(s.issued)) - 1 }

// prefix returns a random prefix of every replica's updates, without those
// whose Deps are missing.
func (s *sim[M]) prefix() set {
	var ids set
	for _, r := range s.replicas {
		for _, id := range r.own[:s.rng.IntN(len(r.own)+1)] {
			ids |= only(id)
		}
	}
	for id := range ids.all() { // in order of issue, so that what is cut is cut before it is asked for
		u := s.issued[id].update
		if u.Version > 1 && !ids.has(s.replicas[s.issued[id].author].own[u.Version-2]) || s.depends(u)&^ids != 0 {
			ids &^= only(id)
		}
	}
	return ids
}

func (s *sim[M]) depends(u *model.Update) set {
	var ids set
	for _, d := range u.Deps.All() {
		ids |= only(s.byDot[d])
	}
	return ids
}

// leaves returns the members of a set that no member names in Deps: a causal
// model need not make sense of a set that lacks what others refer to.
func (s *sim[M]) leaves(ids set) set {
	leaves := ids
	for id := range ids.all() {
		leaves &^= s.depends(s.issued[id].update)
	}
	return leaves
}

// inOrder returns a set in the order of issue.
func (s *sim[M]) inOrder(ids set) []call {
	calls := make([]call, 0, ids.len())
	for id := range ids.all() {
		calls = append(calls, call{id, applied})
	}
	return calls
}

// shuffled returns a set in a random order that keeps each replica's own, and
// Deps before what names them.
func (s *sim[M]) shuffled(ids set) []call {
	calls := make([]call, 0, ids.len())
	for left := ids; left != 0; {
		var next set // the first of every replica that waits for nothing
		var authors uint
		for id := range left.all() {
			is := &s.issued[id]
			if authors>>is.author&1 == 0 && s.depends(is.update)&left == 0 {
				next |= only(id)
			}
			authors |= 1 << is.author
		}
		id := s.pick(next)
		left &^= only(id)
		calls = append(calls, call{id, applied})
	}
	return calls
}

// pick returns a random member.
func (s *sim[M]) pick(ids set) int {
	n := s.rng.IntN(ids.len())
	for id := range ids.all() {
		if n == 0 {
			return id
		}
		n--
	}
	panic("modeltest: pick from an empty set")
}
