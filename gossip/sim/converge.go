package sim

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// Converged reports whether nodes agree, within each part of the cluster that the
// cuts in force leave connected: all that run know the same, show the same in spaces
// that they attach, and are clean.
//
// There is one exception. What a horizon names may have died with its holders, or be
// on the other side of a cut. Then nodes that are dirty agree, too, if no clean one
// among them attaches all spaces and could vouch for their state (R4, R12, R14); and
// one that does not attach all spaces may be dirty whatever the others are.
func (s *Sim) Converged() bool { return s.disagreement() == "" }

// Converge runs until Converged, checks everything, and returns how long it took. If
// it takes longer than limit, I10 is violated; 0 stands for Bound. Faults should have
// ended, and writes.
func (s *Sim) Converge(limit time.Duration) (time.Duration, error) {
	begin := s.now
	if limit == 0 {
		limit = s.Bound()
	}
	for end := begin + limit; s.failed == nil && !s.Converged(); {
		if s.next() > end {
			s.now = end
			return limit, s.violate("I10", nil, "no agreement after %v: %s", limit, s.disagreement())
		}
		_ = s.Step() // it stays in failed
	}
	return s.now - begin, s.Check()
}

// Bound is how long agreement may take from now on if nothing is written and no
// faults occur. If all nodes are clean, their clocks were always right, messages do not get
// lost or late, all know who is gone, digests need no parts, each of which takes a time of its
// own, and what a node lacks fits into one budget, and into the window that whoever catches
// up keeps to, it is 4·ln N + 10 rounds (I10). Otherwise it is generous, for there is no law:
// so many rounds for every message that what a node lacks fills, and two minutes at least.
// Without checks it is not known what a node lacks, and the generous bound is two minutes.
func (s *Sim) Bound() time.Duration {
	interval, budget := time.Duration(0), math.MaxInt
	calm := s.counts[countSkew] == 0 && s.cfg.LinkOf == nil && s.cfg.Link.Loss == 0 && s.cfg.Link.Late == 0 && s.check != nil
	for _, n := range s.living {
		interval = max(interval, n.interval)
		budget = min(budget, n.budget)
		calm = calm && n.clean && n.state == running && n.tellsWhole() && slices.EqualFunc(n.engine.Retired(), s.living[0].engine.Retired(), isGoneAs)
	}
	rounds := (4*math.Log(float64(max(len(s.living), 1))) + 10) * float64(interval)
	bytes, updates := 0, 0
	if s.check != nil {
		bytes, updates = s.check.pending()
	}
	if calm && bytes <= budget {
		return time.Duration(rounds)
	}
	messages := min(bytes/max(budget, 1), updates)
	return max(2*time.Minute, time.Duration(rounds*float64(1+messages)))
}

// tellsWhole reports whether what a node knows goes as one digest, with room for the largest
// update beside it.
func (n *Node) tellsWhole() bool {
	m := engine.Message{Kind: engine.Syn, From: n.engine.Self(), Digest: engine.Digest{Full: true}}
	for r, v := range n.engine.Vector().All() {
		m.Digest.Entries = append(m.Digest.Entries, engine.DigestEntry{Entry: clock.Entry{Replica: r, Version: v}})
	}
	return n.codec.Size(&m)+n.maxUpdate <= n.maxStream
}

// isGoneAs reports whether two retirements take the same lives of a node for over: who
// learns of such a life, and knows more of it, must be rebased (R13).
func isGoneAs(a, b engine.Retirement) bool {
	return a.Node == b.Node && a.Gone == b.Gone && a.Final == b.Final
}

// pending returns how much the node that lacks most has not seen yet of what others
// know: in bytes, as if each update went alone, and in updates.
func (c *checker) pending() (bytes, updates int) {
	var known clock.Vector
	for _, n := range c.sim.living {
		known.Merge(n.watch.vector)
	}
	for _, n := range c.sim.living {
		c.fresh = c.fresh[:0]
		size := 0
		for r, through := range known.All() {
			if from := n.watch.vector.Version(r); from < through {
				c.fresh = c.history.author(r).between(c.fresh, from, through)
			}
		}
		for _, r := range c.fresh {
			size += n.codec.UpdateSize(&r.Update)
		}
		bytes, updates = max(bytes, size), max(updates, len(c.fresh))
	}
	return bytes, updates
}

// Check checks all invariants at all nodes now. With Off it checks nothing.
func (s *Sim) Check() error {
	if s.check != nil {
		s.check.all()
		s.check.afresh()
	}
	return s.failed
}

// vector returns what a node knows.
func (s *Sim) vector(n *Node) clock.Vector {
	if s.check != nil {
		return n.watch.vector
	}
	return n.engine.Vector() // what has vanished is missing, where it has
}

// disagreement says what keeps nodes from agreeing; "" if nothing does.
func (s *Sim) disagreement() string {
	// What kept them apart a moment ago mostly still does.
	if a, b := s.apart[0], s.apart[1]; a != nil && a.state == running && b.state == running && s.connected(a, b) {
		if why := s.differ(a, b); why != "" {
			return why
		}
	}
	for _, part := range s.parts() {
		for _, n := range part[1:] {
			if why := s.differ(part[0], n); why != "" {
				s.apart = [2]*Node{part[0], n}
				return why
			}
		}
		if why := s.unclean(part); why != "" {
			return why
		}
	}
	return ""
}

// differ says what differs between two nodes.
func (s *Sim) differ(a, b *Node) string {
	if va, vb := s.vector(a), s.vector(b); va.Compare(vb) != clock.Equal {
		return fmt.Sprintf("%s knows %v, %s %v", a.name, va, b.name, vb)
	}
	return ""
}

// unclean says why nodes that know the same do not agree.
func (s *Sim) unclean(part []*Node) string {
	var clean, dirty *Node // of those that attach everything
	all := true
	for _, n := range part {
		all = all && n.clean
		if len(n.models) < len(s.spaces) {
			continue
		}
		if n.clean {
			clean = cmp.Or(clean, n)
		} else {
			dirty = cmp.Or(dirty, n)
		}
	}
	switch {
	case all:
		return ""
	case !s.isLost() || clean != nil && dirty != nil:
		i := slices.IndexFunc(part, func(n *Node) bool { return !n.clean })
		return part[i].name + " is dirty"
	}
	for _, space := range s.spaces {
		var first *Node
		for _, n := range part {
			switch {
			case n.models[space] == nil:
			case first == nil:
				first = n
			case s.hash(first, space) != s.hash(n, space):
				return fmt.Sprintf("%s and %s are dirty and show different things in space %q", first.name, n.name, space)
			}
		}
	}
	return ""
}

// hash returns the state hash of a space at a node.
func (s *Sim) hash(n *Node, space string) [16]byte {
	for _, sp := range n.engine.Spaces() {
		if sp.Space == space {
			return sp.Hash.Bytes()
		}
	}
	return [16]byte{}
}

// isLost reports whether there are lives whose state the living cannot ask for.
func (s *Sim) isLost() bool {
	return s.lives > len(s.living) || len(s.cuts) > 0 || s.counts[countRetire] > 0
}

// parts returns the nodes that run, in groups that cuts leave connected.
func (s *Sim) parts() [][]*Node {
	var all [][]*Node
	placed := map[*Node]bool{}
	for _, n := range s.nodes {
		if n.state != running || placed[n] {
			continue
		}
		placed[n] = true
		part := []*Node{n}
		for i := 0; i < len(part); i++ {
			for _, o := range s.nodes {
				if o.state == running && !placed[o] && s.connected(part[i], o) {
					placed[o] = true
					part = append(part, o)
				}
			}
			if len(s.cuts) == 0 {
				break
			}
		}
		all = append(all, part)
	}
	return all
}

// connected reports whether messages pass both ways.
func (s *Sim) connected(a, b *Node) bool {
	return len(s.cuts) == 0 || !s.isCut(a, b) && !s.isCut(b, a)
}
