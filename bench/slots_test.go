package main

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
	"github.com/insecure-scuttlebutt/scuttlebutt/model/modeltest"
)

func TestSlotsKeepTheLaws(t *testing.T) {
	modeltest.Check(t, modeltest.Config[*slots]{
		New: newSlots,
		Drafts: func(rng *rand.Rand, _ *slots) []model.Draft {
			return []model.Draft{{Key: []byte{byte(rng.IntN(3))}, Value: []byte{byte(rng.IntN(9))}}}
		},
		Value: func(s *slots) any {
			shown := make(map[slot]string)
			for k, u := range s.byKey {
				shown[k] = fmt.Sprintf("%d: %q", u.Version, u.Value)
			}
			return shown
		},
	})
}
