package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// set writes a key with a TTL.
func (w *world) set(n *node, key string, ttl time.Duration) *model.Update {
	w.t.Helper()
	if err := w.issue(n, "s", model.Draft{Key: []byte(key), Value: []byte("v"), TTL: ttl}); err != nil {
		w.t.Fatal(err)
	}
	return n.models["s"].byKey[key]
}

// status returns what a node says of the space.
func (n *node) status() engine.SpaceStatus { return n.e.Spaces()[0] }

// expired counts what has expired and is retained, at living nodes.
func (w *world) expired() int {
	n := 0
	for _, m := range w.nodes {
		if m.up {
			n += m.status().Expired
		}
	}
	return n
}

// changes says what an output shows.
func changes(out engine.Output) string {
	s := ""
	for _, c := range out.Changed {
		switch {
		case c.New == nil:
			s += fmt.Sprintf("-%s ", c.Old.Key)
		case c.Old == nil:
			s += fmt.Sprintf("+%s ", c.New.Key)
		default:
			s += fmt.Sprintf("~%s ", c.New.Key)
		}
	}
	return s
}

// An update expires its TTL after its own time, to the millisecond, though no round is
// due; the engine asks to be called then, and says it once. What was overwritten does
// not expire.
func TestExpiryIsDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	u := w.set(n, "k", 1500*time.Millisecond)
	w.set(n, "overwritten", 1200*time.Millisecond)
	w.mustWrite(n, "s", "overwritten", "stays")
	if u.Expires != u.Time.Add(1500*time.Millisecond) {
		t.Fatalf("written at %v, expires at %v", u.Time, u.Expires)
	}
	due := w.now.Add(1500 * time.Millisecond)
	for n.e.Next().Before(due) {
		w.now = n.e.Next()
		if out := n.e.Tick(w.now); len(out.Changed) > 0 {
			t.Fatalf("%v before it is due: %s", due.Sub(w.now), changes(out))
		}
	}
	if got := n.e.Next(); !got.Equal(due) {
		t.Fatalf("wants to be called at %v, due at %v", got, due)
	}
	if out := n.e.Expire(due.Add(-time.Millisecond)); len(out.Changed) > 0 {
		t.Errorf("a millisecond early: %s", changes(out))
	}
	if got := changes(n.e.Tick(due)); got != "-k " {
		t.Errorf("at its time: %q, want -k", got)
	}
	if got := n.models["s"].expired; len(got) != 1 || got[0] != u {
		t.Errorf("the model was told of %v", got)
	}
	if s := n.status(); s.Expired != 1 || s.Updates != 2 {
		t.Errorf("%d of %d updates have expired, want 1 of 2", s.Expired, s.Updates)
	}
	w.now = due.Add(time.Hour)
	if got := changes(n.e.Tick(w.now)); got != "" {
		t.Errorf("later: %q", got)
	}
	if err := n.e.Check(); err != nil {
		t.Error(err)
	}
}

// What has expired beats what is older, whenever that comes, and does not show when
// it comes late itself: not even for a moment.
func TestExpiredUpdatesStillCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	now := clock.TimestampOf(w.now)
	at := func(r clock.Replica, v clock.Version, key string, time, expires clock.Timestamp) *model.Update {
		u := updateOf(r, v, key)
		u.Time, u.Expires = time, expires
		return u
	}
	second := clock.Replica{Node: "second", Epoch: 1}
	out := give(t, w, n, message(engine.Push, 1, batch(writer, at(writer, 1, "k", now-1000, now-500), at(writer, 2, "l", now-1000, now+1<<16))))
	if got := changes(out); got != "+k +l -k " { // watchers are given these at once
		t.Errorf("one that has expired and one that will: %q", got)
	}
	out = give(t, w, n, message(engine.Push, 2, batch(writer, at(writer, 3, "m", now-1000, now-600))))
	if got := changes(out); got != "" {
		t.Errorf("one that expired before another that did: %q", got)
	}
	out = give(t, w, n, message(engine.Push, 3, batch(second, at(second, 1, "k", now-2000, 0), at(second, 2, "m", now-2000, 0))))
	if got := changes(out); got != "" {
		t.Errorf("older writes show: %q", got)
	}
	out = give(t, w, n, message(engine.Push, 4, batch(second, at(second, 3, "k", now-10, 0), at(second, 4, "m", now-10, 0))))
	if got := changes(out); got != "+k +m " {
		t.Errorf("newer writes show as %q, want as if there was nothing before", got)
	}
	if err := n.e.Check(); err != nil {
		t.Error(err)
	}
}

// What has expired is collected like tombstones; what will expire is no reason to
// report anything (R6, R8).
func TestExpiredUpdatesAreCollected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 5, collecting)
	reports := func() (n uint64) {
		for _, m := range w.nodes {
			n += m.e.Stats().Reports
		}
		return n
	}
	for i := range 20 {
		w.set(w.nodes[i%5], fmt.Sprint("k", i), time.Minute)
	}
	far := w.set(w.nodes[0], "far", 24*time.Hour)
	w.converge(10 * time.Second)
	w.run(30 * time.Second)
	if got := reports(); got != 0 {
		t.Fatalf("%d reports before anything has expired", got)
	}
	w.run(31 * time.Second)
	w.until(40*time.Second, "all that has expired is collected", func() bool { return w.expired() == 0 })
	for _, n := range w.nodes {
		if s := n.status(); s.Updates != 1 || n.models["s"].byKey["far"] == nil {
			t.Errorf("%s retains %d updates, want the one that has not expired", n.name, s.Updates)
		}
	}
	w.run(5 * time.Second)
	before := reports()
	w.run(time.Minute)
	if got := reports(); got != before {
		t.Errorf("%d reports while one waits to expire at %v", got-before, far.Expires)
	}
}

// An update that has not expired stays though later ones of its replica were
// collected: also in a repair, which adopts floors, and when it has to be brought back
// (R8, R12).
func TestFloorAboveWhatHasNotExpired(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 3, collecting)
	writer := w.nodes[0]
	lasting := w.set(writer, "lasting", time.Hour)
	w.set(writer, "short", time.Second)
	w.mustWrite(writer, "s", "value", "v")
	w.mustWrite(writer, "s", "deleted", "v")
	w.mustWrite(writer, "s", "deleted", "")
	w.converge(10 * time.Second)
	w.until(time.Minute, "the others are collected", func() bool { return w.tombstones()+w.expired() == 0 && w.nodes[1].status().Updates == 2 })
	for _, n := range w.nodes {
		if got := n.e.Floors().Version(writer.e.Self()); got < 5 {
			t.Fatalf("%s has floor %d, want that of the delete", n.name, got)
		}
	}
	damaged := w.nodes[1]
	w.lax = true // the damage breaks I3
	damaged.e.Lose(lasting.Dot)
	damaged.e.Lose(damaged.models["s"].byKey["value"].Dot)
	w.until(time.Minute, "the damage is repaired", func() bool { return damaged.status().Updates == 2 })
	for _, n := range w.nodes {
		if n.models["s"].byKey["lasting"] == nil {
			t.Errorf("%s lost what has not expired", n.name)
		}
	}
}

// A node that missed the collection of what had expired is reset, so that what that
// had overwritten does not come back (R9).
func TestReturnAfterExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 5, collecting)
	w.mustWrite(w.nodes[0], "s", "k", "old")
	w.converge(time.Minute)
	away := w.nodes[4]
	w.cut = func(from, to string) bool { return from == away.name || to == away.name }
	for _, n := range w.nodes[:4] {
		n.e.SetPeer(w.clock(n), away.name, engine.PeerFailed)
		away.e.SetPeer(w.clock(away), n.name, engine.PeerFailed)
	}
	w.set(w.nodes[0], "k", 5*time.Second)
	w.run(25 * time.Second)
	w.until(time.Minute, "the others have collected", func() bool { return w.expired() == 0 })
	w.cut = nil
	w.announce()
	w.converge(time.Minute)
	for _, n := range w.nodes {
		if u := n.models["s"].byKey["k"]; u != nil {
			t.Errorf("%s shows %q, written before what expired", n.name, u.Value)
		}
	}
	if away.e.Stats().Resets == 0 {
		t.Error("the node that was away was not reset")
	}
}

// A repair drops what has expired at or below the floors, on both sides alike, so that
// what it hid on one of them shows on both (R12).
func TestRepairDropsWhatExpired(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 2, engine.Config{})
	a, b := w.nodes[0], w.nodes[1]
	u := w.set(a, "k", time.Second)
	w.converge(time.Minute)
	w.run(2 * time.Second)
	w.lax = true
	a.e.CollectSome(u.Expires)
	late := updateOf(writer, 1, "k")
	late.Time = u.Time - 1
	for _, n := range w.nodes {
		give(t, w, n, message(engine.Push, 1, batch(writer, late)))
	}
	if a.models["s"].byKey["k"] == nil || b.models["s"].byKey["k"] == nil || b.models["s"].byKey["k"].Dot != u.Dot {
		t.Fatal("a should show the late write, b hide it behind what has expired")
	}
	w.until(time.Minute, "b shows it, too", func() bool {
		u := b.models["s"].byKey["k"]
		return u != nil && u.Dot == late.Dot
	})
	if a.status().Hash != b.status().Hash {
		t.Error("the state hashes differ after the repair")
	}
}

// A clock that steps back brings nothing back, and new writes live as long as theirs
// says.
func TestExpiryAndClockThatStepsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	w.set(n, "k", time.Second)
	w.now = w.now.Add(time.Hour)
	if got := changes(n.e.Tick(w.now)); got != "-k " {
		t.Fatalf("after an hour: %q", got)
	}
	w.now = w.now.Add(-time.Hour)
	u := w.set(n, "l", 10*time.Second)
	if got := changes(n.e.Expire(w.now.Add(9 * time.Second))); got != "" {
		t.Errorf("too early: %q", got)
	}
	if got := changes(n.e.Expire(w.now.Add(12 * time.Second))); got != "-l " {
		t.Errorf("written at %v, then, 12 s later: %q", u.Time, got)
	}
}

// Models that do not hide what has expired get no TTL.
func TestNoTTLWithoutExpirer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	if err := n.e.Attach("plain", struct{ model.Model }{newRegister()}); err != nil {
		t.Fatal(err)
	}
	for space, ttl := range map[string]time.Duration{"plain": time.Second, "s": -1} {
		if _, err := n.e.Write(w.now, space, []model.Draft{{Key: []byte("k"), TTL: ttl}}); err == nil || n.e.Vector().Len() > 0 {
			t.Errorf("TTL %v in %q: %v", ttl, space, err)
		}
	}
}

// Many updates that expire together do so a part at a time: nobody waits for long.
func TestManyExpireTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	const many = 10_000
	drafts := make([]model.Draft, many)
	for i := range drafts {
		drafts[i] = model.Draft{Key: fmt.Append(nil, "k", i), TTL: time.Second}
	}
	w.lax = true
	if _, err := n.e.Write(w.now, "s", drafts); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(2 * time.Second)
	for calls := 1; n.status().Expired < many; calls++ {
		if n.e.Next().After(w.now) {
			t.Fatalf("%d of %d have expired, and it does not want to be called", n.status().Expired, many)
		}
		if out := n.e.Tick(w.now); len(out.Changed) == 0 || len(out.Changed) > many/2 {
			t.Fatalf("call %d: %d expired at once", calls, len(out.Changed))
		}
	}
	if err := n.e.Check(); err != nil {
		t.Error(err)
	}
}
