package engine_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

const (
	catchUpWindow = 2000
	catchUpKeys   = 240
)

// newcomers returns a world in which the first node, or the first two, have many keys,
// and others come that have none. Links take 5 ms. Budgets are far too small for it.
func newcomers(t *testing.T, servers, others int) (w *world, old, young []*node) {
	w = newWorld(t, 1, servers, engine.Config{Budget: 100, Window: catchUpWindow, MaxUpdate: 500, MaxStream: 2000})
	w.mustIssue(w.nodes[0], "s", drafts(catchUpKeys, func(i int) model.Draft {
		return draft(fmt.Sprint("key-", i), "0123456789012345678901234567890123456789")
	})...)
	if servers > 1 {
		w.converge(time.Minute)
	}
	old = w.nodes[:servers:servers]
	w.lag = func(string, string, bool) time.Duration { return 5 * time.Millisecond }
	for i := range others {
		young = append(young, w.add(fmt.Sprint("young", i)))
	}
	return w, old, young
}

// bytesOf is the length of a message's batches.
func (w *world) bytesOf(m *engine.Message) int {
	alone := *m
	alone.Batches = nil
	return w.codec.Size(m) - w.codec.Size(&alone)
}

func (w *world) knowAll(n *node) bool {
	return n.e.Vector().Version(w.nodes[0].e.Self()) == catchUpKeys
}

// Several messages are under way, in one exchange and outside of its budget, but never
// more than the window and the last message that it let begin. Nothing comes twice.
func TestCatchUpFillsAWindow(t *testing.T) {
	t.Parallel()
	w, old, young := newcomers(t, 1, 1)
	under, most, pushes := 0, 0, 0
	exchanges := map[uint64]bool{}
	w.spy = func(m *engine.Message, d *delivery) bool {
		if m.Kind == engine.Push {
			under += w.bytesOf(m)
			most = max(most, under)
			pushes++
			exchanges[m.Exchange] = true
		} else if m.Kind == engine.Pull { // what came before it is not under way any more
			got := young[0].e.Stats().UpdatesApplied
			under = int(old[0].e.Stats().UpdatesSent-got) * w.bytesPerUpdate()
		}
		return true
	}
	w.announce()
	w.until(time.Minute, "the newcomer has everything", func() bool { return w.knowAll(young[0]) })
	if limit := catchUpWindow + catchUpWindow/4 + 500; most > limit || most < catchUpWindow/2 {
		t.Errorf("up to %d bytes were under way, want about %d, at most %d", most, catchUpWindow, limit)
	}
	if len(exchanges) != 1 || pushes < 10 {
		t.Errorf("%d messages in %d exchanges", pushes, len(exchanges))
	}
	if s := young[0].e.Stats(); s.CatchUps != 1 || s.UpdatesRedundant > 10 || s.Pulls > uint64(pushes) {
		t.Errorf("%d catch-ups, %d updates came twice, %d pulls for %d messages", s.CatchUps, s.UpdatesRedundant, s.Pulls, pushes)
	}
}

// bytesPerUpdate is about what one of the updates takes in a message.
func (w *world) bytesPerUpdate() int { return 55 }

// How far a newcomer is.
func TestCatchUpProgress(t *testing.T) {
	t.Parallel()
	w, old, young := newcomers(t, 1, 1)
	n, last := young[0], engine.CatchUp{}
	w.announce()
	w.until(time.Minute, "the newcomer has everything", func() bool {
		c := n.e.CatchUp(w.now)
		if c != (engine.CatchUp{}) {
			if here := n.e.Vector().Version(old[0].e.Self()); c.From != old[0].name || c.Have < last.Have || uint64(here) < c.Have || c.Want > catchUpKeys {
				t.Fatalf("%+v, after %+v; %d of %d versions are here", c, last, here, catchUpKeys)
			}
			last = c
		}
		return w.knowAll(n)
	})
	if last.Have < catchUpKeys/2 {
		t.Errorf("%+v was the last", last)
	}
	if c := n.e.CatchUp(w.now); c != (engine.CatchUp{}) {
		t.Errorf("%+v at the end", c)
	}
}

// A message is lost: the newcomer asks anew from where it is, once.
func TestCatchUpAfterALoss(t *testing.T) {
	t.Parallel()
	for lost := range 6 {
		t.Run(fmt.Sprint(lost), func(t *testing.T) {
			w, _, young := newcomers(t, 1, 1)
			pushes := 0
			w.spy = func(m *engine.Message, d *delivery) bool {
				if m.Kind == engine.Push {
					pushes++
				}
				return m.Kind != engine.Push || pushes != lost+1
			}
			w.announce()
			start := w.now
			w.until(time.Minute, "the newcomer has everything", func() bool { return w.knowAll(young[0]) })
			if s := young[0].e.Stats(); s.UpdatesRedundant > 2*catchUpWindow/55 {
				t.Errorf("%d updates came twice", s.UpdatesRedundant)
			}
			if d := w.now.Sub(start); d > 3*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

// The peer dies half-way, and membership says so, or does not yet: another one goes on
// from there.
func TestCatchUpServerDies(t *testing.T) {
	t.Parallel()
	for _, noticed := range []bool{true, false} {
		t.Run(fmt.Sprint("noticed=", noticed), func(t *testing.T) {
			w, old, young := newcomers(t, 2, 1)
			n, self := young[0], old[0].e.Self()
			w.announce()
			from := ""
			w.until(time.Minute, "half of it is there", func() bool {
				from = n.e.CatchUp(w.now).From
				return n.e.Vector().Version(self) > catchUpKeys/2
			})
			here := n.e.Stats().UpdatesApplied
			for _, o := range old {
				if o.name == from {
					w.crash(o)
				}
			}
			if noticed {
				w.announce()
			}
			start := w.now
			w.until(time.Minute, "the newcomer has everything", func() bool { return w.knowAll(n) })
			if d, limit := w.now.Sub(start), 3*time.Second; d > limit || noticed && d > time.Second {
				t.Errorf("it took %v", d)
			}
			if s := n.e.Stats(); s.UpdatesRedundant > 2*catchUpWindow/55 {
				t.Errorf("%d updates came twice; %d were there when the peer died", s.UpdatesRedundant, here)
			}
		})
	}
}

// Rounds of the server do not break off the exchange in which a newcomer is about to catch
// up. If its first PULL takes very long they do: then the newcomer goes on in the next one, and
// does not wait for what will never come.
func TestCatchUpBesideRounds(t *testing.T) {
	t.Parallel()
	for lag, exchanges := range map[time.Duration]int{10 * time.Millisecond: 1, 100 * time.Millisecond: 2} {
		t.Run(lag.String(), func(t *testing.T) {
			w, old, young := newcomers(t, 1, 1)
			server, n := old[0].e, young[0].e
			pulls := map[uint64]bool{} // exchanges in which the newcomer caught up
			slow := false
			w.spy = func(m *engine.Message, d *delivery) bool {
				if slow = m.Kind == engine.Pull && m.CatchUp && len(pulls) == 0; slow {
					server.Hurry(w.now)
				}
				if m.Kind == engine.Pull && m.CatchUp {
					pulls[m.Exchange] = true
				}
				return true
			}
			w.lag = func(string, string, bool) time.Duration {
				if slow {
					return lag
				}
				return 10 * time.Millisecond
			}
			server.SetPeer(w.now, young[0].name, engine.PeerAlive) // only the server begins exchanges
			w.until(time.Minute, "the newcomer catches up", func() bool { return n.CatchUp(w.now) != engine.CatchUp{} })
			start := w.now
			w.until(time.Minute, "the newcomer has everything", func() bool { return w.knowAll(young[0]) })
			if len(pulls) != exchanges {
				t.Errorf("it caught up in %d exchanges, want %d", len(pulls), exchanges)
			}
			if d := w.now.Sub(start); d > 500*time.Millisecond {
				t.Errorf("it took %v", d)
			}
		})
	}
}

// Who serves several newcomers gives each of them a part in turn.
func TestCatchUpIsFair(t *testing.T) {
	t.Parallel()
	w, _, young := newcomers(t, 1, 4)
	for _, n := range young { // they know only the server
		n.e.SetPeer(w.now, w.nodes[0].name, engine.PeerAlive)
		w.nodes[0].e.SetPeer(w.now, n.name, engine.PeerAlive)
	}
	done := map[string]time.Time{}
	w.until(time.Minute, "all have everything", func() bool {
		least, most := clock.Version(catchUpKeys), clock.Version(0)
		for _, n := range young {
			v := n.e.Vector().Version(w.nodes[0].e.Self())
			least, most = min(least, v), max(most, v)
			if v == catchUpKeys && done[n.name].IsZero() {
				done[n.name] = w.now
			}
		}
		return len(done) == len(young)
	})
	first, last := time.Time{}, time.Time{}
	for _, at := range done {
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	if d := last.Sub(first); d > 100*time.Millisecond {
		t.Errorf("the last one was done %v after the first", d)
	}
}

// One call sends one message of a catch-up, whatever was granted.
func TestCatchUpHoldsTheLockForOneMessage(t *testing.T) {
	t.Parallel()
	w, old, _ := newcomers(t, 1, 0)
	n := old[0]
	give(t, w, n, syn(1))
	pull := message(engine.Pull, 1)
	pull.CatchUp, pull.Credit = true, 1<<30
	pull.Digest.Entries = []engine.DigestEntry{known(n.e.Self(), 0)}
	out := give(t, w, n, pull)
	sent := 0
	for len(out.Send) > 0 {
		if len(out.Send) > 1 {
			t.Fatalf("%d messages at once", len(out.Send))
		}
		m := out.Send[0].Message
		if sent++; m.Kind != engine.Push || len(m.Batches) == 0 {
			t.Fatalf("%v with %d batches", m.Kind, len(m.Batches))
		}
		if !m.CatchUp {
			break
		}
		if n.e.Next().After(w.now) {
			t.Fatalf("the next one is due in %v", n.e.Next().Sub(w.now))
		}
		out = n.e.Tick(w.now)
	}
	if sent < 5 {
		t.Errorf("%d messages", sent)
	}
}

// A node whose links carry what others write sends smaller messages of a catch-up, and pauses
// after each.
func TestCatchUpGivesWay(t *testing.T) {
	t.Parallel()
	live := func(t *testing.T, w *world, from string) {
		m := message(engine.Live, 1)
		m.From.Node = from
		m.Batches = []engine.Batch{batch(m.From, updateOf(m.From, 1, "live"))}
		give(t, w, w.nodes[0], m)
	}
	whole, small := []int{2048, 2048, 904}, []int{1024, 1024, 1024, 1024, 904}
	for name, c := range map[string]struct {
		before func(t *testing.T, w *world)
		want   []int
	}{
		"nobody writes":         {func(*testing.T, *world) {}, whole},
		"only the newcomer":     {func(t *testing.T, w *world) { live(t, w, "peer") }, whole},
		"another node":          {func(t *testing.T, w *world) { live(t, w, "other") }, small},
		"this node, to another": {func(_ *testing.T, w *world) { w.feedTo("other") }, small},
		"another, a while ago":  {func(t *testing.T, w *world) { live(t, w, "other"); w.now = w.now.Add(2 * time.Second) }, whole},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1, 1, engine.Config{Window: 1 << 20})
			n := w.nodes[0]
			w.mustIssue(n, "s", drafts(5000, func(i int) model.Draft { return draft(fmt.Sprint(i), "v") })...)
			for _, peer := range []string{"peer", "other"} {
				n.e.SetPeer(w.now, peer, engine.PeerAlive)
				n.e.SetLink(w.now, peer, true)
			}
			c.before(t, w)
			give(t, w, n, syn(8))
			pull := message(engine.Pull, 8)
			pull.CatchUp, pull.Credit, pull.Digest.Entries = true, 1<<20, []engine.DigestEntry{known(n.e.Self(), 0)}
			var got []int
			begun := w.now
			for out, more := give(t, w, n, pull), true; more; out = n.e.Tick(w.now) {
				for _, env := range out.Send {
					if m := env.Message; m.Kind == engine.Push {
						got = append(got, len(m.Batches[0].Updates))
						more = m.CatchUp
					}
				}
				if next := n.e.Next(); more && next.After(w.now) {
					w.now = next
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("batches of %d updates, want %d", got, c.want)
			}
			pauses := time.Duration(0)
			if len(c.want) == len(small) {
				pauses = time.Duration(len(small)-1) * time.Millisecond
			}
			if d := w.now.Sub(begun); d < pauses || d > pauses+time.Millisecond {
				t.Errorf("it took %v, want %v", d, pauses)
			}
		})
	}
}

// feedTo has the first node write something and send it to a peer.
func (w *world) feedTo(peer string) {
	n := w.nodes[0]
	w.mustWrite(n, "s", "0", "v")
	n.e.Feed(w.now, []string{peer})
}

// However small updates are, a message has no more than some: who receives it waits for no
// more.
func TestCatchUpOfSmallUpdates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{Window: 1 << 20})
	n := w.nodes[0]
	var drafts []model.Draft
	for i := range 5000 {
		drafts = append(drafts, model.Draft{Key: fmt.Append(nil, i), Value: []byte("v")})
	}
	w.mustIssue(n, "s", drafts...)
	give(t, w, n, syn(8))
	pull := message(engine.Pull, 8)
	pull.CatchUp, pull.Credit, pull.Digest.Entries = true, 1<<20, []engine.DigestEntry{known(n.e.Self(), 0)}
	out := give(t, w, n, pull)
	for range 10 {
		out.Send = append(out.Send, n.e.Tick(w.now).Send...)
	}
	var got []int
	for _, env := range out.Send {
		for _, b := range env.Message.Batches {
			got = append(got, len(b.Updates))
		}
	}
	if want := []int{2048, 2048, 904}; !slices.Equal(got, want) {
		t.Errorf("batches of %d updates, want %d", got, want)
	}
}

// A server makes the next messages of those that were given back, and all of them are right.
func TestCatchUpReusesMessages(t *testing.T) {
	t.Parallel()
	const updates = 8_000
	w := newWorld(t, 1, 1, engine.Config{Window: 1 << 20})
	n := w.nodes[0]
	drafts := make([]model.Draft, updates)
	for i := range drafts {
		drafts[i] = model.Draft{Key: fmt.Append(nil, i), Value: []byte("v")}
	}
	w.mustIssue(n, "s", drafts...)
	give(t, w, n, syn(8))
	pull := message(engine.Pull, 8)
	pull.CatchUp, pull.Credit, pull.Digest.Entries = true, 1<<20, []engine.DigestEntry{known(n.e.Self(), 0)}
	slices, next := map[**model.Update]bool{}, clock.Version(1)
	for out := give(t, w, n, pull); len(out.Send) > 0; out = n.e.Tick(w.now) {
		m := out.Send[0].Message
		for _, u := range m.Batches[0].Updates {
			if u.Version != next || string(u.Key) != fmt.Sprint(next-1) {
				t.Fatalf("version %d with key %s, want %d", u.Version, u.Key, next)
			}
			next++
		}
		slices[&m.Batches[0].Updates[0]] = true
		n.e.Reuse(m)
	}
	if next != updates+1 || len(slices) > 2 {
		t.Errorf("%d updates in %d slices", next-1, len(slices))
	}
}

// What makes no sense in a catch-up does no harm.
func TestCatchUpNonsense(t *testing.T) {
	t.Parallel()
	w, old, _ := newcomers(t, 1, 0)
	n := old[0]
	pull := func(exchange uint64, credit uint32, entries ...engine.DigestEntry) engine.Output {
		m := message(engine.Pull, exchange)
		m.CatchUp, m.Credit, m.Digest.Entries = true, credit, entries
		return give(t, w, n, m)
	}
	all := known(n.e.Self(), 0)
	// Of an exchange that is not there: nothing more comes.
	if out := pull(7, 1000, all); len(out.Send) != 1 || out.Send[0].Message.CatchUp || len(out.Send[0].Message.Batches) > 0 {
		t.Errorf("%d answers to a pull of no exchange", len(out.Send))
	}
	give(t, w, n, syn(8))
	for what, out := range map[string]engine.Output{
		"no credit":        pull(8, 0, all),
		"nothing lacking":  pull(8, 1000, known(n.e.Self(), catchUpKeys)),
		"unknown replicas": pull(8, 1000, known(clock.Replica{Node: "x", Epoch: 1}, 0)),
		"no digest":        pull(8, 1000),
	} {
		if len(out.Send) > 0 {
			t.Errorf("%s: %d messages", what, len(out.Send))
		}
	}
	// More credit without an end is no more than all of it.
	out := pull(8, 1<<31-1, all)
	for range 1000 {
		tick := n.e.Tick(w.now)
		out.Send = append(out.Send, tick.Send...)
	}
	updates := 0
	for _, env := range out.Send {
		for _, b := range env.Message.Batches {
			updates += len(b.Updates)
		}
	}
	if updates != catchUpKeys {
		t.Errorf("%d updates, want %d", updates, catchUpKeys)
	}
}
