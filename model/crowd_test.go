package model_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// dots is a set of updates.
type dots map[clock.Dot]bool

// crowd is a few nodes that write and hear of each other at random, and what each of
// them knows: for tests that hold a model against what its writes meant.
type crowd struct {
	t     *testing.T
	rng   *rand.Rand
	fresh func() model.Handle
	nodes []*host
	lives uint64
	known map[*host]dots
	all   map[clock.Replica][]*model.Update
	// seen is what the writer of an update knew, and what that had seen in turn: those
	// updates need not be known where it is.
	seen    map[clock.Dot]dots
	carries func(clock.Dot) bool // whether an update tells what it has seen; nil: all do
}

func newCrowd(t *testing.T, seed uint64, fresh func() model.Handle) *crowd {
	c := &crowd{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), fresh: fresh,
		known: map[*host]dots{}, all: map[clock.Replica][]*model.Update{}, seen: map[clock.Dot]dots{},
	}
	for i := range 3 {
		c.nodes = append(c.nodes, nil)
		c.begin(i)
	}
	return c
}

// begin starts a node, or starts it again, with nothing.
func (c *crowd) begin(i int) {
	c.lives++
	h := attach(c.fresh())
	h.replica = clock.Replica{Node: string(rune('a' + i)), Epoch: c.lives}
	c.nodes[i], c.known[h] = h, dots{}
}

// step lets somebody write, by do, or hear of something; it returns who. did says what
// an update was, when it has just been written.
func (c *crowd) step(do func(h *host) error, did func(u *model.Update)) *host {
	i := c.rng.IntN(len(c.nodes))
	switch h := c.nodes[i]; c.rng.IntN(16) {
	case 0:
		c.begin(i)
	case 1, 2, 3, 4, 5:
		c.hear(h)
	default:
		seen := maps.Clone(c.known[h])
		for dot := range c.known[h] {
			if c.carries == nil || c.carries(dot) {
				maps.Copy(seen, c.seen[dot])
			}
		}
		begin := len(h.log)
		if err := do(h); err != nil {
			c.t.Fatal(err)
		}
		for _, u := range h.log[begin:] {
			c.all[h.replica] = append(c.all[h.replica], u)
			c.known[h][u.Dot], c.seen[u.Dot] = true, seen
			did(u)
		}
	}
	return c.nodes[i]
}

// hear lets what others wrote arrive: of each replica in order, and not always all.
func (c *crowd) hear(h *host) {
	for _, r := range slices.SortedFunc(maps.Keys(c.all), clock.Replica.Compare) {
		us, have := c.all[r], 0
		for have < len(us) && c.known[h][us[have].Dot] {
			have++
		}
		for _, u := range us[have : have+c.rng.IntN(len(us)-have+1)] {
			h.receive(u)
			c.known[h][u.Dot] = true
		}
	}
}

// gone returns what the updates of h that do something have seen.
func (c *crowd) gone(h *host, do func(clock.Dot) bool) dots {
	gone := dots{}
	for dot := range c.known[h] {
		if do(dot) {
			maps.Copy(gone, c.seen[dot])
		}
	}
	return gone
}

// at returns the node that writes as a replica.
func (c *crowd) at(r clock.Replica) *host {
	return c.nodes[slices.IndexFunc(c.nodes, func(h *host) bool { return h.replica == r })]
}
