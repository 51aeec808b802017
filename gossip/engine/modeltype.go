package engine

import (
	"fmt"
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// typeOf returns the type of a model, "" if it does not say.
func typeOf(m model.Model) string {
	if t, ok := m.(model.Typed); ok {
		return t.Type()
	}
	return ""
}

// differ reports whether two types are known, and not the same.
func differ(a, b string) bool { return a != "" && b != "" && a != b }

// hearTypes takes note of the types that a peer's models have, which come with the
// state hashes of all its spaces. Where this node has a model of another type nothing
// is to be concluded from the peer's state: that is relayed in the hashes that are
// returned, so that nobody repairs one type after the other.
func (e *Engine) hearTypes(p *peer, hashes []SpaceHash) []SpaceHash {
	before := p.types
	p.types = nil
	hashes = slices.Clone(hashes) // they are the message's
	for i := range hashes {
		h := &hashes[i]
		s := e.spaces[h.Space]
		attached := s != nil && s.model != nil
		if h.Relayed || h.Type == "" || attached && !differ(typeOf(s.model), h.Type) {
			continue
		}
		if p.types == nil {
			p.types = map[string]string{}
		}
		p.types[h.Space] = h.Type
		if attached {
			h.Relayed = true
			if before[h.Space] != h.Type {
				e.stats.TypeConflicts++
			}
		}
	}
	return hashes
}

// conflict says which peer attaches a space as another type, "" if none is known to.
func (e *Engine) conflict(s *space) string {
	if s.model == nil {
		return ""
	}
	for _, p := range e.peerOrder {
		if t := p.types[s.name]; differ(t, typeOf(s.model)) {
			return fmt.Sprintf("%s at %s", t, p.name)
		}
	}
	return ""
}
