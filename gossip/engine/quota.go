package engine

import (
	"fmt"
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Limits bound what local writes make of a space; zero: no limit. What others write
// is not bounded: a node that left it out could never be equal to them again.
type Limits struct {
	MaxKeys  int   // retained updates that are neither tombstones nor expired: of a map, its keys
	MaxBytes int64 // keys and values of all retained updates, tombstones included
}

// SetLimits sets the limits of an attached space. They do not outlive its model.
func (e *Engine) SetLimits(name string, l Limits) {
	if s := e.spaces[name]; s != nil && s.model != nil {
		s.limits = l
	}
}

// admit returns ErrQuota if updates that are to be issued now would take the space over
// a limit, or further over it. What makes it no larger, or only removes something, is
// always welcome.
func (s *space) admit(updates []*model.Update) error {
	l := s.limits
	if l == (Limits{}) || !slices.ContainsFunc(updates, func(u *model.Update) bool { return !u.IsTombstone() }) {
		return nil
	}
	keys, bytes := s.updates-s.tombstones-s.expired, s.bytes
	over := func(moreKeys int, moreBytes int64) error {
		switch {
		case l.MaxKeys > 0 && moreKeys > 0 && keys+moreKeys > l.MaxKeys:
			return fmt.Errorf("%w: %q has %d of at most %d keys", ErrQuota, s.name, keys, l.MaxKeys)
		case l.MaxBytes > 0 && moreBytes > 0 && bytes+moreBytes > l.MaxBytes:
			return fmt.Errorf("%w: %q has %d of at most %d bytes, and would have %d", ErrQuota, s.name, bytes, l.MaxBytes, bytes+moreBytes)
		}
		return nil
	}
	var size int64
	for _, u := range updates {
		size += bytesOf(u)
	}
	if over(len(updates), size) == nil {
		return nil
	}
	err := over(s.growth(updates))
	if err != nil {
		s.refused++
	}
	return err
}

// growth returns by how many keys and bytes a space grows with updates that are to be
// issued now. Only the model knows what they would take the place of: it is asked by
// applying them, and then removing them again (modeltest's law of removal).
func (s *space) growth(updates []*model.Update) (keys int, bytes int64) {
	count := func(u *model.Update, sign int) {
		bytes += int64(sign) * bytesOf(u)
		if !s.isDead(u) {
			keys += sign
		}
	}
	effects := make([]model.Effect, len(updates))
	for i, u := range updates {
		e := s.model.Apply(u)
		e.Superseded = slices.Clone(e.Superseded) // the model's until its next call
		effects[i] = e
		if e.Redundant {
			continue
		}
		count(u, +1)
		for _, old := range e.Superseded {
			count(old, -1)
		}
	}
	for i := len(updates) - 1; i >= 0; i-- {
		if effects[i].Redundant {
			continue
		}
		s.model.Discard(updates[i])
		for _, old := range effects[i].Superseded {
			s.model.Apply(old)
		}
	}
	return keys, bytes
}

// bytesOf is what an update counts for in SpaceStatus.Bytes.
func bytesOf(u *model.Update) int64 { return int64(len(u.Key) + len(u.Value)) }
