package engine_test

import (
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// What a node covers without having seen it is not later than what it believes of clocks:
// so its own writes are later (DESIGN §4). Messages are of a peer whose clock is an hour
// ahead; V is what a batch of one replica, from 0 through 5, leads to.
func TestHolesOfAClockThatRunsAhead(t *testing.T) {
	t.Parallel()
	start := time.UnixMilli(1_700_000_000_000)
	at := func(v clock.Version, d time.Duration) *model.Update {
		u := update(v, "k")
		u.Time = clock.TimestampOf(start.Add(d)) + clock.Timestamp(v)
		return u
	}
	const ahead = time.Hour
	for what, tt := range map[string]struct {
		updates []*model.Update
		closed  bool
		want    clock.Version // at once
		later   clock.Version // when this clock is past what the message showed, less MaxDrift
	}{
		"holes at the end":             {[]*model.Update{at(1, 0), at(3, 0)}, false, 3, 5},
		"closed ones":                  {[]*model.Update{at(1, 0), at(3, 0)}, true, 3, 5},
		"nothing else":                 {nil, false, 0, 5},
		"a hole, and then an update":   {[]*model.Update{at(1, 0), at(5, 0)}, false, 5, 5},
		"a hole before what is held":   {[]*model.Update{at(1, 0), at(4, ahead), at(5, ahead)}, false, 1, 5},
		"no hole before what is held":  {[]*model.Update{at(1, 0), at(2, 0), at(3, ahead)}, false, 2, 5},
		"an update, and what is held ": {[]*model.Update{at(1, 0), at(3, 0), at(5, ahead)}, false, 3, 5},
	} {
		w := newWorld(t, 1, 1, engine.Config{})
		n := w.nodes[0]
		exchange := uint64(0)
		send := func() clock.Version {
			exchange++
			s := syn(exchange, known(writer, 5))
			give(t, w, n, s)
			f := fin(exchange, engine.Batch{Replica: writer, From: n.e.Vector().Version(writer), Through: 5, Closed: tt.closed, Updates: tt.updates})
			f.HLC = clock.TimestampOf(w.now.Add(ahead))
			give(t, w, n, f)
			return n.e.Vector().Version(writer)
		}
		shown := clock.TimestampOf(w.now.Add(ahead))
		if got := send(); got != tt.want {
			t.Errorf("%s: V is %d, want %d", what, got, tt.want)
		}
		if tt.closed && !n.e.Clean() {
			t.Errorf("%s: the node is dirty, for the sake of nothing", what)
		}
		w.now = w.now.Add(ahead - 10*time.Minute - time.Second)
		if got := send(); got != tt.want {
			t.Errorf("%s, not yet: V is %d, want %d", what, got, tt.want)
		}
		w.now = w.now.Add(2 * time.Second)
		if got := send(); got != tt.later {
			t.Errorf("%s, later: V is %d, want %d", what, got, tt.later)
		}
		if now := n.e.Now(w.now); tt.want < 5 && now < shown {
			t.Errorf("%s, later: the node's next write is after %v, want after %v", what, now, shown)
		}
	}
}

// What is held is not tried again within the millisecond in which its time is reached but
// for its counter: peers would be asked for it again and again.
func TestHeldUntilItsCounterIsReached(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	u := update(1, "k")
	u.Time = clock.TimestampOf(w.now.Add(10*time.Minute)) + 1
	b := engine.Batch{Replica: writer, Through: 1, Updates: []*model.Update{u}}
	for range 3 {
		give(t, w, n, message(engine.Push, 1, b))
	}
	if s := n.e.Stats(); s.Held != 1 || n.e.Vector().Version(writer) != 0 {
		t.Errorf("held %d times, V is %v; want once, and nothing known", s.Held, n.e.Vector())
	}
	w.now = w.now.Add(time.Millisecond)
	give(t, w, n, message(engine.Push, 1, b))
	if got := n.e.Vector().Version(writer); got != 1 {
		t.Errorf("a millisecond later V is %d", got)
	}
}
