package sim

import (
	"cmp"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

var (
	_ model.Expirer  = (*Register)(nil)
	_ model.Verifier = (*Register)(nil)
)

// Register is the smallest model that loses nothing: of each key the last write
// stays, a tombstone like a value. It has no methods to write with; that is what
// Sim.Write is for.
type Register struct{ byKey map[string]*model.Update }

// NewRegister returns a register without keys.
func NewRegister() *Register { return &Register{map[string]*model.Update{}} }

// Get returns what is retained of a key, expired or not; nil if nothing is.
func (g *Register) Get(key string) *model.Update { return g.byKey[key] }

// Len returns the number of keys, deleted ones included.
func (g *Register) Len() int { return len(g.byKey) }

// Apply implements model.Model.
func (g *Register) Apply(u *model.Update) model.Effect {
	old := g.byKey[string(u.Key)]
	if old != nil && old.Dot == u.Dot {
		return model.Effect{}
	}
	if old != nil && g.Supersedes(old, u) {
		return model.Effect{Redundant: true}
	}
	g.byKey[string(u.Key)] = u
	if old == nil {
		return model.Effect{}
	}
	return model.Effect{Superseded: []*model.Update{old}}
}

// Discard implements model.Model.
func (g *Register) Discard(u *model.Update) {
	if old := g.byKey[string(u.Key)]; old != nil && old.Dot == u.Dot {
		delete(g.byKey, string(u.Key))
	}
}

// Verify implements model.Verifier.
func (g *Register) Verify(u *model.Update) bool { return g.byKey[string(u.Key)] == u }

// Expire implements model.Expirer. A register shows what it retains.
func (g *Register) Expire(*model.Update) {}

// Supersedes implements model.Model: a is the later write to b's key.
func (g *Register) Supersedes(a, b *model.Update) bool {
	return string(a.Key) == string(b.Key) && cmp.Or(cmp.Compare(a.Time, b.Time), a.Dot.Compare(b.Dot)) > 0
}
