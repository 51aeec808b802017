package sim

import (
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// oracle is the value of all updates that a vector covers: fresh models that were
// given every one of them. It follows a vector that grows, so that a check costs
// what is new.
type oracle struct {
	vector clock.Vector
	spaces []verdict // in the order of Sim.spaces; nil: nothing is known
}

// verdict is what an oracle says of one space.
type verdict struct {
	model    model.Model
	retained retention
}

// follow goes on to v, from the beginning if v does not contain what is known.
func (o *oracle) follow(c *checker, v clock.Vector) {
	if o.spaces == nil || !contains(v, o.vector) {
		*o = oracle{spaces: c.verdicts()}
	}
	c.fresh = c.fresh[:0]
	i := 0
	for j := range v.Len() {
		e := v.At(j)
		for i < o.vector.Len() && o.vector.At(i).Replica.Compare(e.Replica) < 0 {
			i++
		}
		var known clock.Version
		if i < o.vector.Len() && o.vector.At(i).Replica == e.Replica {
			known = o.vector.At(i).Version
		}
		if known < e.Version {
			a := c.history.author(e.Replica)
			a.covered = max(a.covered, e.Version)
			c.fresh = a.between(c.fresh, known, e.Version)
		}
	}
	o.vector = v
	slices.SortFunc(c.fresh, earlier)
	for _, r := range c.fresh {
		if i, ok := slices.BinarySearch(c.sim.spaces, r.Space); ok {
			s := &o.spaces[i]
			s.retained.apply(c.history, s.model, &r.Update, r)
		}
	}
}

// contains reports whether v knows all that o does.
func contains(v, o clock.Vector) bool {
	c := v.Compare(o)
	return c == clock.Equal || c == clock.After
}

// verdicts returns models that know nothing.
func (c *checker) verdicts() []verdict {
	models := c.sim.cfg.Models()
	all := make([]verdict, len(c.sim.spaces))
	for i, space := range c.sim.spaces {
		m := models[space]
		if h, ok := m.(model.Handle); ok {
			if err := h.Bind(&host{sim: c.sim, space: space}); err != nil {
				c.sim.fail(err)
			}
		}
		all[i] = verdict{m, newRetention()}
	}
	return all
}

// agreed is what was found out about a vector: it holds for every clean node that
// has it.
type agreed struct {
	vector   clock.Vector
	vanished uint64  // names the replicas that have vanished there
	sums     []sums  // of what is retained, by space
	shown    []shown // by space
}

// shown is the state hash of the first clean node that attached a space.
type shown struct {
	by   *Node // nil: nobody did
	hash [16]byte
}

// maxAgreed bounds how many vectors are remembered.
const maxAgreed = 4096
