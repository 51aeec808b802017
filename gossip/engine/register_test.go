package engine_test

import (
	"cmp"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// register is the smallest last-writer-wins model: it needs no host.
type register struct {
	byKey   map[string]*model.Update
	expired []*model.Update // of which it was told
}

func newRegister() *register { return &register{byKey: map[string]*model.Update{}} }

func (g *register) Expire(u *model.Update) { g.expired = append(g.expired, u) }

func (g *register) Apply(u *model.Update) model.Effect {
	old := g.byKey[string(u.Key)]
	if old != nil && g.Supersedes(old, u) {
		return model.Effect{Redundant: true}
	}
	g.byKey[string(u.Key)] = u
	if old == nil {
		return model.Effect{}
	}
	return model.Effect{Superseded: []*model.Update{old}}
}

func (g *register) Discard(u *model.Update) {
	if g.byKey[string(u.Key)] == u {
		delete(g.byKey, string(u.Key))
	}
}

func (g *register) Supersedes(a, b *model.Update) bool {
	return string(a.Key) == string(b.Key) && cmp.Or(cmp.Compare(a.Time, b.Time), a.Dot.Compare(b.Dot)) > 0
}
