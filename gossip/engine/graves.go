package engine

import (
	"cmp"
	"container/heap"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// grave is a dead update that waits to be collected: a tombstone, or one that has
// expired. Or it did before it was superseded.
type grave struct {
	time    clock.Timestamp // of the update, or when it expired
	replica *replica
	version clock.Version
}

// isRetained reports whether the update is still there.
func (g grave) isRetained() bool {
	_, ok := g.replica.log.get(g.version)
	return ok
}

// graves are ordered by time: a heap. Those of one update are neighbours. They are in
// pieces of one size, so that a million more or fewer move none of the others at once.
type graves struct {
	pieces [][]grave // one more than needed at most
	count  int
}

const gravesPiece = 512

func (g *graves) at(i int) *grave { return &g.pieces[i/gravesPiece][i%gravesPiece] }

// first returns the first; there must be one.
func (g *graves) first() grave { return *g.at(0) }

// Len, Less and Swap implement heap.Interface.
func (g *graves) Len() int { return g.count }
func (g *graves) Less(i, j int) bool {
	a, b := g.at(i), g.at(j)
	if a.time != b.time {
		return a.time < b.time
	}
	return cmp.Or(a.replica.id.Compare(b.replica.id), cmp.Compare(a.version, b.version)) < 0
}
func (g *graves) Swap(i, j int) {
	a, b := g.at(i), g.at(j)
	*a, *b = *b, *a
}

// Push and Pop are not used: they would put each grave on the heap of the program.
func (g *graves) Push(any) {}
func (g *graves) Pop() any { return nil }

// add notes one more; waiting tells how many count. When most do not any more they
// are forgotten.
func (g *graves) add(one grave, waiting func() int) {
	if g.count >= 1024 && g.count >= 2*waiting() {
		g.keep(grave.isRetained)
	}
	if g.count == len(g.pieces)*gravesPiece {
		g.pieces = append(g.pieces, make([]grave, gravesPiece))
	}
	g.count++
	*g.at(g.count - 1) = one
	heap.Fix(g, g.count-1)
}

// pop takes the first.
func (g *graves) pop() grave {
	first := g.first()
	*g.at(0) = *g.at(g.count - 1)
	g.truncate(g.count - 1)
	if g.count > 1 {
		heap.Fix(g, 0)
	}
	return first
}

// keep forgets all others.
func (g *graves) keep(which func(grave) bool) {
	n := 0
	for i := range g.count {
		if one := *g.at(i); which(one) {
			*g.at(n) = one
			n++
		}
	}
	g.truncate(n)
	heap.Init(g)
}

// truncate forgets all but the first ones in memory.
func (g *graves) truncate(n int) {
	need := (n + gravesPiece - 1) / gravesPiece
	for i := n; i < min(g.count, (need+1)*gravesPiece); i++ {
		*g.at(i) = grave{} // its replica may be garbage
	}
	if g.count = n; len(g.pieces) > need+1 {
		clear(g.pieces[need+1:])
		g.pieces = fit(g.pieces[:need+1])
	}
}
