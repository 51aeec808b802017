package modeltest_test

import (
	"math/rand/v2"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
	"github.com/insecure-scuttlebutt/scuttlebutt/model/modeltest"
)

// perishable hides what has expired by the time of day at which it is read.
type perishable struct {
	register
	now func() clock.Timestamp
}

func (m *perishable) show() any {
	shown := map[string]string{}
	for key, u := range m.keys {
		if u.Time+3<<16 > m.now() {
			shown[key] = string(u.Value)
		}
	}
	return shown
}

// perishables have a clock that goes on while they are read.
func perishables() modeltest.Config[*perishable] {
	var now clock.Timestamp
	tick := func() clock.Timestamp { now += 1 << 14; return now % (9 << 16) }
	cfg := tables(func() *perishable { return &perishable{*newRegister(), tick} })
	cfg.Drafts = func(rng *rand.Rand, _ *perishable) []model.Draft {
		return []model.Draft{{Key: []byte("k"), Value: []byte{'a' + byte(rng.IntN(26))}}}
	}
	return cfg
}
