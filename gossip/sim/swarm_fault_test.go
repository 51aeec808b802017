package sim_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// run lets everything happen, and the faults end.
func (s *swarm) run() error {
	for range s.events {
		if err := s.event(); err != nil {
			return err
		}
	}
	return s.end()
}

// event writes something, lets time pass, and sometimes breaks something.
func (s *swarm) event() error {
	for range 1 + s.rng.Intn(s.burst) {
		if err := s.write(); err != nil {
			return err
		}
	}
	if err := s.Run(time.Duration(s.rng.Int63n(int64(s.pace)))); err != nil {
		return err
	}
	if do := pick(s.rng, s.faults...); do != nil {
		do(s)
	}
	if s.live != nil && chance(s.live, 4) {
		s.Snap(pick(s.live, s.Nodes()...), pick(s.live, s.Nodes()...))
	}
	return nil
}

// faults are what breaks, and mends, in clusters that have it. Each cluster has
// about half of them: with all of them at once some would hide what others show.
var faults = []struct {
	weight int
	do     func(*swarm)
}{
	{1, (*swarm).comeBack},
	{1, (*swarm).crash},
	{1, (*swarm).revive},
	{1, (*swarm).leave},
	{1, (*swarm).bounce},
	{2, (*swarm).orphan},
	{1, (*swarm).attachLate},
	{2, func(s *swarm) { s.Replay(5) }},
	{4, (*swarm).split},
	{1, (*swarm).turnClock},
	{2, (*swarm).pause},
	{1, (*swarm).grow},
	{2, (*swarm).forget},
	{1, (*swarm).retire},
}

// drawFaults draws which of them a cluster has.
func (s *swarm) drawFaults() {
	s.faults = make([]func(*swarm), 8) // nothing breaks
	for _, f := range faults {
		if chance(s.rng, 2) {
			for range f.weight {
				s.faults = append(s.faults, f.do)
			}
		}
	}
}

// any returns a node, living or not.
func (s *swarm) any() *sim.Node { return pick(s.rng, s.Nodes()...) }

// living returns a living node: there is always one.
func (s *swarm) living() *sim.Node {
	for {
		if n := s.any(); n.Up() {
			return n
		}
	}
}

// alive counts the nodes that live and mean to.
func (s *swarm) alive() int {
	k := 0
	for _, n := range s.Nodes() {
		if n.Up() && !n.Leaving() {
			k++
		}
	}
	return k
}

// crash stops a node that may never come back.
func (s *swarm) crash() {
	if n := s.living(); s.alive() > 2 {
		s.Crash(n)
		s.died = true
	}
}

// leave lets a node leave.
func (s *swarm) leave() {
	if n := s.living(); s.alive() > 2 {
		s.Leave(n)
		s.died = true
	}
}

// revive starts a node again that is down, or one that crashes with its state; it
// may have lost that.
func (s *swarm) revive() {
	n := s.any()
	if n.Up() && s.alive() > 2 {
		s.Crash(n)
	}
	if !n.Up() {
		s.Restart(n, chance(s.rng, 2))
		s.died = true
	}
}

// orphan takes away much of what could explain the holes of a dirty node, once: if
// nobody is left who is clean, there is less to check.
func (s *swarm) orphan() {
	for _, n := range s.Nodes() {
		if n.Up() && !n.Engine().Clean() && !s.orphaned {
			s.orphaned = true
			for _, o := range s.Nodes() {
				if o != n && o.Up() && chance(s.rng, 2) {
					s.Restart(o, false)
					s.died = true
				}
			}
			return
		}
	}
}

// bounce restarts a node with its state before anybody notices.
func (s *swarm) bounce() {
	s.Restart(s.living(), true)
	s.died = true
}

// comeBack starts a node again that lost everything but its name. Once for each
// node the wall clock stepped back meanwhile: a second time might give two lives one
// identity, which is a fork, and no part of this.
func (s *swarm) comeBack() {
	n := s.any()
	s.died = true
	if chance(s.rng, 3) && !s.steppedBy[n] {
		s.steppedBy[n] = true
		s.seen["clock stepped back"]++
		s.Crash(n)
		s.Skew(n, -time.Hour)
		s.Restart(n, false)
		s.Skew(n, time.Hour)
		return
	}
	s.Restart(n, false)
}

func (s *swarm) attachLate() {
	for _, n := range s.Nodes() {
		for _, space := range []string{"a", "b"} {
			if n.Up() && n.Model(space) == nil {
				if err := s.Attach(n, space); err != nil {
					panic(err)
				}
			}
		}
	}
}

// split cuts the network, in two, around one node, or one way only, or heals it.
func (s *swarm) split() {
	if s.isCut = !s.isCut || chance(s.rng, 4); !s.isCut {
		s.Heal()
		return
	}
	switch s.rng.Intn(3) {
	case 0:
		s.seen["cut in halves"]++
		s.Cut(sim.Halves(s.rng, s.Nodes()))
	case 1:
		s.seen["isolated node"]++
		s.Cut(sim.Isolate(s.living().Name()))
	case 2:
		s.seen["one-way cut"]++
		s.Cut(sim.OneWay(s.rng, s.Nodes()))
	}
}

// turnClock steps a living node's clock: ahead by seconds, or back by less than a
// round.
func (s *swarm) turnClock() {
	n := s.living()
	ahead := n.Clock().Sub(s.Now())
	switch {
	case chance(s.rng, 3):
		s.Skew(n, -time.Duration(s.rng.Int63n(int64(150*time.Millisecond))))
	case ahead < s.maxSkew:
		s.Skew(n, time.Duration(s.rng.Int63n(int64(s.maxSkew-ahead))))
	}
}

// pause stops a node for a while, or lets all go on.
func (s *swarm) pause() {
	if chance(s.rng, 2) {
		s.Pause(s.living())
	} else {
		s.resumeAll()
	}
}

// grow adds a node.
func (s *swarm) grow() {
	if s.joined < 10 {
		s.join()
	}
}

// forget lets a node take another for gone, or all know better.
func (s *swarm) forget() {
	if at, peer := s.living(), s.any(); at == peer || chance(s.rng, 2) {
		s.recallAll()
	} else {
		s.Forget(at, peer)
	}
}

// retire lets somebody declare a node lost: one that is down, or one that he takes for
// failed.
func (s *swarm) retire() {
	at, lost := s.living(), s.any()
	if at == lost || lost.Up() && !chance(s.rng, 4) {
		return
	}
	if err := s.Retire(at, lost); err == nil && lost.Up() {
		s.seen["false retirement"]++
	}
}

func (s *swarm) resumeAll() {
	for _, n := range s.Nodes() {
		s.Resume(n)
	}
}

func (s *swarm) recallAll() {
	for _, at := range s.Nodes() {
		for _, peer := range s.Nodes() {
			if at != peer && at.Up() {
				s.Recall(at, peer)
			}
		}
	}
}

// write lets a living node write something.
func (s *swarm) write() error {
	n := s.living()
	space := pick(s.rng, "a", "b")
	d := model.Draft{Key: fmt.Append(nil, "k", s.rng.Intn(s.keys)), Value: []byte(strings.Repeat("v", s.rng.Intn(200)))}
	if chance(s.rng, s.deletes) {
		d.Kind, d.Value = model.Tombstone, nil
	} else if _, ok := n.Model(space).(model.Expirer); ok && len(d.Value)%8 == 7 {
		d.TTL = time.Duration(len(d.Value)) * 50 * time.Millisecond
	}
	only := false
	switch s.rng.Intn(8) {
	case 0: // what others may depend on is never overwritten
		only, d.TTL = true, 0
		d.Key = fmt.Append(nil, "only", len(s.onlies), n.Name()[:2])
	case 1:
		if ref, ok := s.referent(n); ok {
			d.Deps = []clock.Dot{ref}
		}
	}
	if g, ok := n.Model(space).(*siblings); ok {
		d.Context = g.context(d.Key)
		s.seen["siblings"]++
	}
	switch err := s.Write(n, space, d); {
	case errors.Is(err, sim.ErrDown), errors.Is(err, engine.ErrClock), errors.Is(err, engine.ErrJoining), errors.Is(err, engine.ErrNotAttached), errors.Is(err, engine.ErrTooLarge):
		return nil
	case err != nil:
		return err
	}
	if only {
		s.onlies = append(s.onlies, s.lastOf(n))
	}
	if s.eager {
		s.push(n, space, string(d.Key))
	}
	return nil
}

// lastOf returns the latest update that a node wrote.
func (s *swarm) lastOf(n *sim.Node) clock.Dot {
	self := n.Engine().Self()
	return clock.Dot{Replica: self, Version: n.Engine().Vector().Version(self)}
}

// referent returns an update that a node knows and nothing supersedes.
func (s *swarm) referent(n *sim.Node) (clock.Dot, bool) {
	var known []clock.Dot
	for _, d := range s.onlies {
		if n.Engine().Vector().Covers(d) {
			known = append(known, d)
		}
	}
	if len(known) == 0 {
		return clock.Dot{}, false
	}
	return pick(s.rng, known...), true
}

// push sends the latest write of a node to all others at once, as a gapless batch:
// those that lack what came before must leave it (R3).
func (s *swarm) push(n *sim.Node, space, key string) {
	g, ok := n.Model(space).(*sim.Register)
	if !ok || g.Get(key) == nil || g.Get(key).Dot != s.lastOf(n) {
		return
	}
	u := g.Get(key)
	for _, p := range s.Nodes() {
		if p == n || !p.Up() {
			continue
		}
		s.seen["eager push"]++
		s.Send(n, p.Name(), true, &engine.Message{
			Kind: engine.Push, From: u.Replica, To: p.Engine().Self().Epoch, HLC: u.Time, MaxUpdate: uint32(s.maxUpdate),
			Batches: []engine.Batch{{Replica: u.Replica, From: u.Version - 1, Through: u.Version, Updates: []*model.Update{u}}},
		})
	}
}

// end stops all faults and waits until the living agree. Where tables are too
// small for all replicas there is nothing to agree on: then time passes and the
// invariants hold.
func (s *swarm) end() error {
	s.Heal()
	s.resumeAll()
	s.recallAll()
	if err := s.SetLink(sim.Link{Delay: s.link.Delay, Duplicate: s.link.Duplicate}); err != nil {
		return err
	}
	if chance(s.rng, 2) {
		s.attachLate()
	}
	if wait := loadEnds - s.Now().Sub(s.Start()); s.loaded && wait > 0 {
		if err := s.Run(wait); err != nil {
			return err
		}
	}
	if s.small {
		return s.Run(20 * time.Second)
	}
	if s.Bound() < 10*time.Second {
		s.seen["agreement within I10"]++
	}
	if _, err := s.Converge(0); err != nil {
		return err
	}
	s.seen["agreement"]++
	clean := uint64(1)
	for _, n := range s.Nodes() {
		if n.Up() && !n.Engine().Clean() {
			clean = 0
		}
	}
	s.seen["all clean at the end"] += clean
	return s.replayAll()
}

// shows is what a node knows and shows. What may be collected at any time is left out,
// and what it only passes on, which may be found dead.
func shows(n *sim.Node) string {
	all := n.Vector().String()
	for _, s := range n.Engine().Spaces() {
		if s.Attached {
			all += fmt.Sprint(" ", s.Space, s.Hash)
		}
	}
	return all
}

// replayAll lets messages of the past come once more: they change nothing (I13). A
// node that is still dirty goes on removing what is dead.
func (s *swarm) replayAll() error {
	if s.died {
		return nil
	}
	before := map[string]string{}
	for _, n := range s.Nodes() {
		if n.Engine().Clean() {
			before[n.Name()] = shows(n)
		}
	}
	s.Replay(1000)
	if err := s.Run(time.Second); err != nil {
		return err
	}
	for _, n := range s.Nodes() {
		if was, now := before[n.Name()], shows(n); was != "" && now != was {
			return fmt.Errorf("%s: replayed messages changed %s to %s (I13)", n.Name(), was, now)
		}
	}
	return s.Check()
}
