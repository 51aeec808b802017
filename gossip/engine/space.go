package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// space is one named set of updates and the model that reads it.
type space struct {
	name       string
	model      model.Model     // nil: not attached, its updates are only relayed (R14)
	expirer    model.Expirer   // model, if it is one
	verifier   model.Verifier  // model, if it is one
	preparer   model.Preparer  // model, if it is one
	finder     model.Finder    // model, if it is one
	modelType  string          // of the latest model that said so
	past       clock.Timestamp // what expires up to here has: the model was told, and does not show it
	limits     Limits
	refused    uint64 // writes, because of the limits
	hash       Hash   // SH
	torn       bool   // what SH does not show was damaged, and dropped: the next repair brings it back
	updates    int
	tombstones int
	expiring   int // updates that will expire
	expired    int // and that have
	bytes      int64
	deadBytes  int64 // of tombstones, and of what has expired
}

// lookupSpace returns the state of a space, nil when there is none.
func (e *Engine) lookupSpace(name string) *space {
	if e.lastSpace != nil && e.lastSpace.name == name {
		return e.lastSpace
	}
	s := e.spaces[name]
	if s != nil {
		e.lastSpace = s
	}
	return s
}

// space returns the state of a space and makes it if need be; nil when the
// limit of spaces is reached.
func (e *Engine) space(name string) *space {
	if s := e.lookupSpace(name); s != nil {
		return s
	}
	if len(e.spaces) >= e.cfg.MaxSpaces || name == "" || len(name) > MaxName {
		return nil
	}
	s := &space{name: name}
	e.spaces[name] = s
	i, _ := slices.BinarySearchFunc(e.spaceOrder, name, func(s *space, n string) int { return strings.Compare(s.name, n) })
	e.spaceOrder = slices.Insert(e.spaceOrder, i, s)
	return s
}

// Attachable reports why a space cannot have a model, nil if it can: ErrAttached,
// ErrModelType, or that there is no room.
func (e *Engine) Attachable(name string, m model.Model) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("engine: space name of %d bytes, from 1 to %d", len(name), MaxName)
	}
	t := typeOf(m)
	if len(t) > MaxName {
		return fmt.Errorf("engine: attach %q: the type of its model has %d bytes, at most %d", name, len(t), MaxName)
	}
	s := e.spaces[name]
	switch {
	case s == nil && len(e.spaces) >= e.cfg.MaxSpaces:
		return fmt.Errorf("engine: attach %q: %d spaces already", name, e.cfg.MaxSpaces)
	case s != nil && s.model != nil:
		return fmt.Errorf("%w: %q", ErrAttached, name)
	case s != nil && differ(s.modelType, t):
		return fmt.Errorf("%w: %q was a %s here, this is a %s", ErrModelType, name, s.modelType, t)
	}
	for _, p := range e.peerOrder {
		if differ(p.types[name], t) {
			return fmt.Errorf("%w: %q is a %s at %s, this is a %s", ErrModelType, name, p.types[name], p.name, t)
		}
	}
	return nil
}

// Attach gives a space its model and applies what the log retains of the space
// (R14). Where something was collected while this node only passed these updates on,
// some of them may be dead: then it is not clean before the next rebase (R9). Its
// errors are those of Attachable.
func (e *Engine) Attach(name string, m model.Model) error {
	if err := e.Attachable(name, m); err != nil {
		return err
	}
	s := e.space(name)
	s.model = m
	e.relayed -= s.updates
	s.expirer, _ = m.(model.Expirer)
	s.verifier, _ = m.(model.Verifier)
	s.preparer, _ = m.(model.Preparer)
	s.finder, _ = m.(model.Finder)
	if t := typeOf(m); t != "" {
		s.modelType = t
	}
	for _, r := range e.order {
		for _, u := range r.of(s) {
			effect := m.Apply(u)
			for _, d := range effect.Superseded {
				e.drop(s, d, r, u.Version)
			}
			if effect.Redundant {
				e.forget(s, r, u)
			} else {
				e.bury(r, u)
			}
		}
	}
	if s.updates > 0 && e.collecting {
		e.zombies = true // what superseded them may be collected: a rebase comes first
	}
	return nil
}

// Detach takes a space's model away and returns the updates that it retains, in no
// order. From now on they are relayed, as are those to come (R14). The model is left
// as it is.
func (e *Engine) Detach(name string) []*model.Update {
	s := e.spaces[name]
	if s == nil || s.model == nil {
		return nil
	}
	others := func(g grave) bool {
		en, ok := g.replica.log.get(g.version)
		return ok && en.update.Space != name
	}
	e.graves.keep(others)
	e.alarms.keep(others)
	s.model, s.expirer, s.verifier, s.preparer, s.finder = nil, nil, nil, nil, nil
	e.relayed += s.updates
	s.limits, s.past = Limits{}, 0
	s.expiring, s.expired = s.expiring+s.expired, 0
	s.deadBytes = 0
	var all []*model.Update
	for _, r := range e.order {
		for _, u := range r.of(s) {
			if u.IsTombstone() {
				s.deadBytes += bytesOf(u)
			}
			all = append(all, u)
		}
	}
	return all
}

// of returns what is retained of r in a space.
func (r *replica) of(s *space) []*model.Update {
	var found []*model.Update
	for en := range r.log.after(0) {
		if en.update.Space == s.name {
			found = append(found, en.update)
		}
	}
	return found
}

// Spaces returns what the engine knows of each space, by name.
func (e *Engine) Spaces() []SpaceStatus {
	all := make([]SpaceStatus, 0, len(e.spaceOrder))
	for _, s := range e.spaceOrder {
		all = append(all, SpaceStatus{
			Space: s.name, Attached: s.model != nil, Type: s.modelType, Conflict: e.conflict(s),
			Updates: s.updates, Tombstones: s.tombstones, Expired: s.expired, Bytes: s.bytes, DeadBytes: s.deadBytes,
			Limits: s.limits, Refused: s.refused, Hash: s.hash,
		})
	}
	return all
}
