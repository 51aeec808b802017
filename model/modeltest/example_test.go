package modeltest_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
	"github.com/insecure-scuttlebutt/scuttlebutt/model/modeltest"
)

// High is a high score: of all updates, the one with the largest byte counts.
// Of equal ones, as every model must, it chooses by what is in the updates.
type High struct {
	best *model.Update
}

func (h *High) Apply(u *model.Update) model.Effect {
	switch old := h.best; {
	case old == nil || old.Dot == u.Dot:
		h.best = u
		return model.Effect{}
	case h.Supersedes(old, u):
		return model.Effect{Redundant: true}
	default:
		h.best = u
		return model.Effect{Superseded: []*model.Update{old}}
	}
}

func (h *High) Discard(*model.Update) { h.best = nil } // nothing else is retained

func (h *High) Supersedes(a, b *model.Update) bool {
	if a.Value[0] != b.Value[0] {
		return a.Value[0] > b.Value[0]
	}
	return a.Dot.Compare(b.Dot) > 0
}

func (h *High) Score() byte {
	if h.best == nil {
		return 0
	}
	return h.best.Value[0]
}

// A model of one's own, tested.
func Example() {
	fmt.Println(modeltest.Run(modeltest.Config[*High]{ // in a test: modeltest.Check(t, …)
		New: func() *High { return new(High) },
		Drafts: func(rng *rand.Rand, h *High) []model.Draft {
			return []model.Draft{{Value: []byte{byte(rng.IntN(10))}}}
		},
		Value: func(h *High) any { return h.Score() },
		Cases: 100, // histories; 1,000 by default
	}))
	// Output: <nil>
}

// Last forgets to say what happens when two scores are equal.
type Last struct{ High }

func (l *Last) Apply(u *model.Update) model.Effect {
	if old := l.best; old != nil && old.Dot != u.Dot && !l.Supersedes(old, u) {
		l.best = u
		return model.Effect{Superseded: []*model.Update{old}}
	}
	return l.High.Apply(u)
}

func (l *Last) Supersedes(a, b *model.Update) bool { return a.Value[0] > b.Value[0] }

// What a failure looks like.
func ExampleFailure() {
	err := modeltest.Run(modeltest.Config[*Last]{
		New: func() *Last { return new(Last) },
		Drafts: func(rng *rand.Rand, l *Last) []model.Draft {
			return []model.Draft{{Value: []byte{'0' + byte(rng.IntN(3))}}}
		},
		Value: func(l *Last) any { return l.Score() },
	})
	fmt.Println(err)
	// Output:
	// modeltest: the model breaks the law of supersession
	//   a model with the calls Apply(b/2:1) Apply(b/2:2)
	//   the last Apply returned {Redundant: false, Superseded: [b/2:1]}
	//   want just these Superseded, each once: []
	// history of seed 0, shrunk from 6 steps:
	//   1. b/2 writes b/2:1 at 1ms+0: key "", value "1"
	//   2. b/2 writes b/2:2 at 1ms+1: key "", value "1"
}
