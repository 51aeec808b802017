package main

import (
	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

var _ model.Model = (*slots)(nil)

// slots is the paper's data model (Paper §3): every replica maps keys of its own
// to values, and a newer write of a key replaces the older one.
type slots struct {
	byKey map[slot]*model.Update
	one   [1]*model.Update // what Apply returns: one allocation less
}

// slot is a replica's key, of one byte.
type slot struct {
	owner clock.Replica
	key   byte
}

func newSlots() *slots { return &slots{byKey: make(map[slot]*model.Update)} }

func slotOf(u *model.Update) slot { return slot{u.Replica, u.Key[0]} }

// Apply implements model.Model.
func (s *slots) Apply(u *model.Update) model.Effect {
	old := s.byKey[slotOf(u)]
	switch {
	case old == nil:
		s.byKey[slotOf(u)] = u
		return model.Effect{}
	case old.Version == u.Version:
		return model.Effect{}
	case old.Version > u.Version:
		return model.Effect{Redundant: true}
	}
	s.byKey[slotOf(u)] = u
	s.one[0] = old
	return model.Effect{Superseded: s.one[:]}
}

// Discard implements model.Model.
func (s *slots) Discard(u *model.Update) {
	if old := s.byKey[slotOf(u)]; old != nil && old.Version == u.Version {
		delete(s.byKey, slotOf(u))
	}
}

// Supersedes implements model.Model.
func (s *slots) Supersedes(a, b *model.Update) bool {
	return slotOf(a) == slotOf(b) && a.Version > b.Version
}
