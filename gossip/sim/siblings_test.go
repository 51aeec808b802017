package sim_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
	"github.com/insecure-scuttlebutt/scuttlebutt/model/modeltest"
)

// siblings is a multi-value register: of each key it retains all writes that no
// other has seen. An update supersedes many, or none, and two may stay.
type siblings struct{ byKey map[string][]*model.Update }

func newSiblings() *siblings { return &siblings{map[string][]*model.Update{}} }

func (g *siblings) Apply(u *model.Update) model.Effect {
	var effect model.Effect
	var stay []*model.Update
	for _, old := range g.byKey[string(u.Key)] {
		switch {
		case old.Dot == u.Dot:
			return model.Effect{}
		case g.Supersedes(old, u):
			return model.Effect{Redundant: true}
		case g.Supersedes(u, old):
			effect.Superseded = append(effect.Superseded, old)
		default:
			stay = append(stay, old)
		}
	}
	g.byKey[string(u.Key)] = append(stay, u)
	return effect
}

func (g *siblings) Discard(u *model.Update) {
	all := slices.DeleteFunc(g.byKey[string(u.Key)], func(o *model.Update) bool { return o.Dot == u.Dot })
	if g.byKey[string(u.Key)] = all; len(all) == 0 {
		delete(g.byKey, string(u.Key))
	}
}

func (g *siblings) Supersedes(a, b *model.Update) bool {
	return string(a.Key) == string(b.Key) && a.Context.Covers(b.Dot)
}

// context is what a write to a key has seen of it.
func (g *siblings) context(key []byte) clock.Vector {
	var seen clock.Vector
	for _, u := range g.byKey[string(key)] {
		seen.Merge(u.Context)
		seen.Merge(clock.NewVector([]clock.Entry{{Replica: u.Replica, Version: u.Version}}))
	}
	return seen
}

// value returns what the register shows, in the order of dots.
func (g *siblings) value() map[string][]string {
	shows := map[string][]string{}
	for key, all := range g.byKey {
		for _, u := range slices.SortedFunc(slices.Values(all), func(a, b *model.Update) int { return a.Dot.Compare(b.Dot) }) {
			if !u.IsTombstone() {
				shows[key] = append(shows[key], u.Dot.String()+string(u.Value))
			}
		}
	}
	return shows
}

func TestSiblingsKeepTheLaws(t *testing.T) {
	modeltest.Check(t, modeltest.Config[*siblings]{
		New: newSiblings,
		Drafts: func(rng *rand.Rand, g *siblings) []model.Draft {
			key := []byte{"ab"[rng.IntN(2)]}
			d := model.Draft{Key: key, Value: []byte{byte('0' + rng.IntN(10))}, Context: g.context(key)}
			if rng.IntN(4) == 0 {
				d.Kind, d.Value = model.Tombstone, nil
			}
			return []model.Draft{d}
		},
		Value: func(g *siblings) any { return g.value() },
	})
}
