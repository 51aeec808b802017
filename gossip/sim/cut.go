package sim

import "math/rand"

// Cut reports whether messages from one node to another are lost. It must always
// give the same answer.
type Cut func(from, to string) bool

// Halves cuts nodes into two sides of random sizes, none empty if there are two
// nodes. Who is not among them is on the first side.
func Halves(rng *rand.Rand, nodes []*Node) Cut {
	side := draw(rng, nodes)
	return func(from, to string) bool { return side[from] != side[to] }
}

// Isolate cuts a node off from all others.
func Isolate(name string) Cut {
	return func(from, to string) bool { return (from == name) != (to == name) }
}

// OneWay cuts nodes into two sides, of which one still hears the other.
func OneWay(rng *rand.Rand, nodes []*Node) Cut {
	side := draw(rng, nodes)
	return func(from, to string) bool { return side[from] && !side[to] }
}

// draw puts each node on a side.
func draw(rng *rand.Rand, nodes []*Node) map[string]bool {
	side := make(map[string]bool, len(nodes))
	for {
		second := 0
		for _, n := range nodes {
			if side[n.name] = rng.Intn(2) == 0; side[n.name] {
				second++
			}
		}
		if len(nodes) < 2 || second > 0 && second < len(nodes) {
			return side
		}
	}
}

// Cut adds a cut to those in force: a message passes that none of them stops. What
// is on its way arrives.
func (s *Sim) Cut(c Cut) {
	s.cuts = append(s.cuts, c)
	s.trace.event(s, "cut")
	s.noticeAll()
	s.relink()
}

// Heal ends all cuts.
func (s *Sim) Heal() {
	s.cuts = nil
	s.trace.event(s, "heal")
	s.noticeAll()
	s.relink()
}

// isCut reports whether messages between two nodes are lost.
func (s *Sim) isCut(from, to *Node) bool {
	for _, c := range s.cuts {
		if c(from.name, to.name) {
			return true
		}
	}
	return false
}
