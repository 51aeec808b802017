package engine_test

import (
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/wire"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// couple is two engines that know of each other, and a network that loses nothing.
type couple struct {
	codec *wire.Codec
	now   time.Time
	step  time.Duration // from one round to the next
	nodes [2]bare
	equal int // answers that found equal vectors
}

func newCouple(t testing.TB) *couple {
	c := &couple{codec: wire.New("bench"), now: time.UnixMilli(1_700_000_000_000), step: 10 * time.Second}
	for i := range c.nodes {
		c.nodes[i] = newBare(t, fmt.Sprint("n", i), c.codec)
		c.nodes[i].SetPeer(c.now, fmt.Sprint("n", 1-i), engine.PeerAlive)
	}
	return c
}

// round lets a node begin a round, and delivers all that follows from it.
func (c *couple) round(t testing.TB, i int) {
	t.Helper()
	c.now = c.now.Add(c.step)
	at := func(i int) string { return fmt.Sprint("n", i) }
	queue := c.nodes[i].Tick(c.now).Send
	for ; len(queue) > 0; queue = queue[1:] {
		m, err := c.codec.Decode(c.codec.Encode(queue[0].Message))
		if err != nil {
			t.Fatal(err)
		}
		if m.Kind == engine.Ack && m.Same {
			c.equal++
		}
		to := c.nodes[0]
		if queue[0].To == at(1) {
			to = c.nodes[1]
		}
		out, err := to.Step(c.now, m)
		if err != nil {
			t.Fatal(err)
		}
		queue = append(queue, out.Send...)
	}
}

// same reports whether both know and retain the same.
func (c *couple) same() bool {
	a, b := c.nodes[0], c.nodes[1]
	return a.Vector().Compare(b.Vector()) == clock.Equal && a.Spaces()[0] == b.Spaces()[0]
}

// agree lets both know all, and fails unless they show the same soon.
func (c *couple) agree(t testing.TB) {
	t.Helper()
	for i := 0; i < 6 && !c.same(); i++ {
		c.round(t, i%2)
	}
	if a, b := c.nodes[0], c.nodes[1]; !c.same() {
		t.Fatalf("they know %v and %v, and retain %v and %v", a.Vector(), b.Vector(), a.Spaces(), b.Spaces())
	}
}

// Damage to a store of which one exchange looks at everything, or to what its model shows,
// is found at the next exchange that finds equal vectors, whoever begins it, counted, and
// healed by it.
func TestDamageIsFoundAtTheNextExchange(t *testing.T) {
	t.Parallel()
	c := newCouple(t)
	c.nodes[0].fill(t, c.now, 1000)
	c.agree(t)
	rng := rand.New(rand.NewSource(1))
	for i := range 16 {
		how := []engine.Corruption{engine.CorruptFlip, engine.CorruptModel}[i/4%2]
		victim, beginner := c.nodes[i%2], i/2%2
		before, equal := victim.Stats().Damaged, c.equal
		d, ok := victim.Corrupt(how, rng)
		if !ok {
			t.Fatal("nothing to damage")
		}
		c.round(t, beginner)
		if victim.m.Len() != 1000 {
			t.Fatalf("%d keys show", victim.m.Len())
		}
		if got := victim.Stats().Damaged - before; got != 1 || c.equal != equal+1 {
			t.Fatalf("%v was damaged at %v; %d were found damaged after %d exchanges, n%d began", d, victim.Self(), got, c.equal-equal, beginner)
		}
		if a, b := c.nodes[0].Spaces()[0], c.nodes[1].Spaces()[0]; a != b || a.Updates != 1000 {
			t.Fatalf("%v was damaged; after a repair they retain %v and %v", d, a, b)
		}
		if err := victim.Check(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1000 {
		key := fmt.Sprintf("key-%016d", i)
		a, _ := c.nodes[0].m.Get(key)
		if b, ok := c.nodes[1].m.Get(key); !ok || string(a) != string(b) {
			t.Errorf("%s is %x and %x", key, a, b)
		}
	}
}

// In a larger store it takes as many exchanges as there are parts, of so many updates, or
// bytes of them, at most; and as four times all parts if only the model is damaged.
func TestDamageInLargeStore(t *testing.T) {
	t.Parallel()
	many := func(c *couple) { c.nodes[0].fill(t, c.now, 1500) }
	large := func(c *couple) {
		for i := range 14 {
			d := model.Draft{Key: fmt.Append(nil, i), Value: make([]byte, 32<<10)}
			if _, err := c.nodes[0].Write(c.now, "map", []model.Draft{d}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for what, tt := range map[string]struct {
		fill  func(c *couple)
		parts [2]int // how many exchanges each corruption takes
	}{
		"many updates": {many, [2]int{2, 8}},
		"many bytes":   {large, [2]int{2, 2}},
	} {
		c := newCouple(t)
		for _, n := range c.nodes {
			n.SetScrub(1000, 256<<10)
		}
		tt.fill(c)
		c.agree(t)
		rng := rand.New(rand.NewSource(1))
		for i, how := range []engine.Corruption{engine.CorruptFlip, engine.CorruptModel} {
			longest, parts := 0, tt.parts[i]
			for try := 0; try < max(1, *seeds/10) || longest < 2 && try < 9; try++ { // until one is not in the next part
				if _, ok := c.nodes[1].Corrupt(how, rng); !ok {
					t.Fatal("nothing to damage")
				}
				took, before := 0, c.nodes[1].Stats().Damaged
				for ; c.nodes[1].Stats().Damaged == before && took <= parts; took++ {
					c.round(t, took%2)
				}
				longest = max(longest, took)
				c.round(t, 0) // it is repaired, at the latest
			}
			if longest < 2 || longest > parts {
				t.Errorf("%s, corruption %d: found after %d exchanges at most, want 2 to %d", what, how, longest, parts)
			}
		}
		if !c.same() {
			t.Errorf("%s: after the repairs they retain %v and %v", what, c.nodes[0].Spaces(), c.nodes[1].Spaces())
		}
	}
}

// However often two meet, a part of a larger store is looked at every few seconds only.
func TestPartsOfLargeStoreWait(t *testing.T) {
	t.Parallel()
	c := newCouple(t)
	victim := c.nodes[1]
	victim.SetScrub(1000, 1<<20)
	c.nodes[0].fill(t, c.now, 1500)
	c.agree(t)
	c.round(t, 0) // it looks at a part
	last := c.now
	if _, ok := victim.Corrupt(engine.CorruptFlip, rand.New(rand.NewSource(1))); !ok {
		t.Fatal("nothing to damage")
	}
	c.step = 500 * time.Millisecond
	for i := 0; victim.Stats().Damaged == 0 && c.now.Sub(last) < 3*engine.ScrubPause; i++ {
		c.round(t, i%2)
	}
	if took := c.now.Sub(last); took < engine.ScrubPause || took >= 3*engine.ScrubPause {
		t.Errorf("found %v after a look at a part, want %v or twice that", took, engine.ScrubPause)
	}
}

// What no state hash shows comes back, too: an update that expires.
func TestFlipOfWhatExpires(t *testing.T) {
	t.Parallel()
	c := newCouple(t)
	d := model.Draft{Key: []byte("k"), Value: []byte("value"), TTL: time.Hour}
	if _, err := c.nodes[0].Write(c.now, "map", []model.Draft{d}); err != nil {
		t.Fatal(err)
	}
	c.agree(t)
	for i := range 2 {
		victim := c.nodes[i]
		if _, ok := victim.Corrupt(engine.CorruptFlip, rand.New(rand.NewSource(1))); !ok {
			t.Fatal("nothing to flip")
		}
		c.round(t, 0) // whoever it is looks
		c.round(t, i) // and fetches it again
		if v, ok := victim.m.Get("k"); string(v) != "value" || victim.Stats().Damaged != 1 {
			t.Errorf("n%d shows %q, %t; %d damaged", i, v, ok, victim.Stats().Damaged)
		}
		before := victim.Stats().Repairs
		if c.round(t, i); victim.Stats().Repairs != before {
			t.Errorf("n%d repairs again", i)
		}
	}
}

// A damaged copy is never passed on: a node that gets everything from its owner lacks it,
// and so does the owner, who has noticed. The others' copies come back to both.
func TestDamageIsNotPassedOn(t *testing.T) {
	t.Parallel()
	for _, cleaning := range []bool{false, true} {
		w := newWorld(t, 1, 1, engine.Config{})
		n := w.nodes[0]
		for i := range 5 {
			w.mustWrite(n, "s", fmt.Sprint("k", i), "value")
		}
		n.e.Flip(clock.Dot{Replica: n.e.Self(), Version: 3})
		m := syn(1)
		m.Cleaning = cleaning
		var got []clock.Version
		for _, env := range give(t, w, n, m).Send {
			if env.Message.Cleaning != cleaning {
				t.Errorf("cleaning %t was answered with %t", cleaning, env.Message.Cleaning)
			}
			for _, b := range env.Message.Batches {
				if b.Closed || b.Through != 5 {
					t.Errorf("cleaning %t: a batch up to %d of 5, closed %t", cleaning, b.Through, b.Closed)
				}
				for _, u := range b.Updates {
					got = append(got, u.Version)
				}
			}
		}
		if fmt.Sprint(got) != "[1 2 4 5]" {
			t.Errorf("cleaning %t: versions %v were passed on, want all but the third", cleaning, got)
		}
		if damaged := n.e.Stats().Damaged; !cleaning && damaged != 1 {
			t.Errorf("%d counted", damaged)
		}
	}
}
