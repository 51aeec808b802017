package engine

import (
	"cmp"
	"math/bits"
	"slices"
)

// neighbourhood is to whom this node wants links. In a small cluster that is everybody,
// and nothing is passed on. In a large one everything that is new is.
type neighbourhood struct {
	stale  bool // peers or links have changed since the following was found out
	sparse bool // not everybody has a link to everybody
	wanted []string
	linked bool // all of them have links
}

// Neighbours returns the peers to which this node wants links: all living ones in a
// cluster of up to Config.Mesh nodes; else the next one on a ring and some more, by hashes of names,
// so that all have about log2 N + 3 links, theirs and those of others, that few of them
// change when a node comes or goes, and that all nodes are connected. The slice is never
// written again.
func (e *Engine) Neighbours() []string {
	e.lookAround()
	return e.live.wanted
}

// isSparse reports whether this node passes on what is new.
func (e *Engine) isSparse() bool {
	e.lookAround()
	return e.live.sparse
}

// isLinked reports whether all wanted links are there: then links carry what is new.
func (e *Engine) isLinked() bool {
	e.lookAround()
	return e.live.linked
}

func (e *Engine) lookAround() {
	n := &e.live.neighbourhood
	if !n.stale {
		return
	}
	var all []string
	for _, p := range e.peerOrder {
		if p.state == PeerAlive {
			all = append(all, p.name)
		}
	}
	n.stale, n.sparse = false, len(all) >= e.cfg.Mesh
	if n.wanted = all; n.sparse {
		n.wanted = e.chosen(all)
	}
	n.linked = len(n.wanted) > 0 && !slices.ContainsFunc(n.wanted, func(name string) bool { return e.live.links[name] == nil })
}

// chosen returns some of many peers.
func (e *Engine) chosen(all []string) []string {
	type place struct {
		name string
		at   uint64
	}
	ring, others := make([]place, len(all)), make([]place, len(all))
	self := e.hasher.names(e.self.Node, "")
	for i, name := range all {
		ring[i] = place{name, e.hasher.names(name, "") - self} // after this node
		others[i] = place{name, e.hasher.names(e.self.Node, name)}
	}
	byPlace := func(a, b place) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.name, b.name)) }
	slices.SortFunc(others, byPlace)
	// Others choose this node as often as it chooses them.
	names := []string{slices.MinFunc(ring, byPlace).name}
	for _, p := range others[:(bits.Len(uint(len(all)))+2)/2] {
		if p.name != names[0] {
			names = append(names, p.name)
		}
	}
	slices.Sort(names)
	return names
}
