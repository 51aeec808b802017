package model

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// Who reads an index while it changes finds the update that a key has, or had at some time
// of the call, or nothing; never an older one, never another key's. The index grows to
// several segments and pages meanwhile and shrinks again.
func TestIndexReadWhileItChanges(t *testing.T) {
	t.Parallel()
	const (
		n     = 2 * pageLen
		tides = 3
	)
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprint(i)
	}
	var (
		x       = index{secret: secretOf(1)}
		written [n]atomic.Uint64 // the newest version of each key that is there already
		stop    atomic.Bool
		readers sync.WaitGroup
		found   [2]int
	)
	for r := range found {
		readers.Go(func() {
			for random := rand.New(rand.NewPCG(1, uint64(r))); !stop.Load(); {
				i := random.IntN(n)
				least := written[i].Load()
				u := x.get(keys[i])
				if u == nil {
					continue
				}
				found[r]++
				if string(u.Key) != keys[i] || uint64(u.Version) < least {
					t.Errorf("get %q: got version %d of %q, at least %d was there", keys[i], u.Version, u.Key, least)
					return
				}
			}
		})
	}
	version, random := uint64(0), rand.New(rand.NewPCG(2, 2))
	set := func(i int) {
		version++
		x.set(&Update{Key: []byte(keys[i]), Dot: clock.Dot{Version: clock.Version(version)}})
		written[i].Store(version)
	}
	for tide := range tides {
		for _, i := range random.Perm(n) {
			set(i)
			set(random.IntN(n))
		}
		if err := x.check(); err != nil {
			t.Error(err)
		}
		goes := n
		if tide == 0 {
			goes = pageLen + 100 // one page stays, almost full
		}
		for _, i := range random.Perm(n)[:goes] {
			x.remove(keys[i])
		}
	}
	stop.Store(true)
	readers.Wait()
	for r, n := range found {
		if n == 0 {
			t.Errorf("reader %d found nothing", r)
		}
	}
}

// A place of an update that is gone, as somebody may still know it, has none.
func TestRollOfWhatIsGone(t *testing.T) {
	t.Parallel()
	var r roll
	if r.at(0) != nil {
		t.Error("an empty roll has an update")
	}
	const n = 2*pageLen + pageLen/2
	for range n {
		r.add(&Update{})
	}
	for range n {
		r.drop()
		for place := uint32(r.count); place < n; place += pageLen / 4 {
			if r.at(place) != nil {
				t.Fatalf("there is an update at place %d of %d", place, r.count)
			}
		}
	}
}

// Pages that somebody may still have the list of stay where they are in it.
func TestRollKeepsOldLists(t *testing.T) {
	t.Parallel()
	var r roll
	for range pageLen + 1 {
		r.add(&Update{})
	}
	list := *r.pages.Load()
	last := &list[1][0]
	r.drop()
	r.add(&Update{})
	if &list[1][0] != last {
		t.Error("a page was put into a list that is in use")
	}
}
