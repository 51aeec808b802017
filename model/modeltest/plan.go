package modeltest

import (
	"math/rand/v2"
	"slices"
)

// plan is a history before it has run: which replica writes when, and who sends
// what to whom. It does not say what is written, for that depends on what the
// writer shows then; a step's own seed decides. So steps can be left out and the
// others still mean the same.
type plan struct {
	seed     uint64
	replicas int
	steps    []step
}

// step is a write of one replica, or a batch that it receives (R3).
type step struct {
	at    int // the replica that writes or receives
	write bool

	seed   uint64 // of the write
	millis int64  // the writer's wall clock, which may step back

	from    int    // whom the batch comes from
	author  int    // whose updates it carries
	through int    // the version that it ends with, if the sender knows so many
	late    uint64 // bit v mod 64: version v was sent before its superseder was known
}

const everything = 1 << 30

// newPlan draws a history.
func newPlan(seed uint64, replicas, writes int) plan {
	rng := rand.New(rand.NewPCG(mix(seed), 0))
	p := plan{seed: seed, replicas: 1}
	if replicas > 1 && rng.IntN(8) > 0 {
		p.replicas = 2 + rng.IntN(replicas-1)
	}
	writes = 1 + rng.IntN(writes)
	chatter := 1 + rng.IntN(4)
	for writes > 0 {
		at := rng.IntN(p.replicas)
		if p.replicas == 1 || rng.IntN(chatter+1) == 0 {
			writes--
			p.steps = append(p.steps, step{at: at, write: true, seed: rng.Uint64(), millis: 1 + rng.Int64N(3)})
			continue
		}
		s := step{
			at: at, from: (at + 1 + rng.IntN(p.replicas-1)) % p.replicas,
			author: rng.IntN(p.replicas), through: everything,
		}
		if rng.IntN(3) == 0 {
			s.through = 1 + rng.IntN(6)
		}
		switch rng.IntN(4) {
		case 0:
			s.late = rng.Uint64()
		case 1:
			s.late = ^s.late
		}
		p.steps = append(p.steps, s)
	}
	return p
}

// mix spreads neighbouring seeds (splitmix64).
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

const (
	shrinkTries = 8   // how many random orders a law is given while shrinking
	shrinkRuns  = 800 // how many smaller plans are tried at most
)

// shrink returns a smaller plan that fails in the same way: it leaves out steps,
// many at first, then makes those that stay simpler, until nothing helps.
func shrink(p plan, fails func(plan, int) bool) plan {
	runs := 0
	try := func(steps []step) bool {
		if runs++; runs > shrinkRuns {
			return false
		}
		q := p
		q.steps = steps
		if !fails(q, shrinkTries) {
			return false
		}
		p = q
		return true
	}
	for progress := true; progress && runs <= shrinkRuns; {
		progress = false
		for n := max(len(p.steps)/2, 1); n > 0; n /= 2 {
			for i := len(p.steps) - n; i >= 0; i-- {
				if i+n <= len(p.steps) && try(slices.Concat(p.steps[:i], p.steps[i+n:])) {
					progress = true
				}
			}
		}
		for i := range p.steps {
			for _, simpler := range simplify(p.steps[i]) {
				steps := slices.Clone(p.steps)
				steps[i] = simpler
				if try(steps) {
					progress = true
					break
				}
			}
		}
	}
	return p
}

// simplify returns simpler forms of a step, the simplest first.
func simplify(s step) []step {
	var forms []step
	add := func(change func(*step)) {
		simpler := s
		change(&simpler)
		if simpler != s {
			forms = append(forms, simpler)
		}
	}
	if s.write {
		add(func(s *step) { s.millis = 1 })
		for seed := range min(s.seed, 4) {
			add(func(s *step) { s.seed = seed })
		}
		return forms
	}
	add(func(s *step) { s.late = ^uint64(0) })
	add(func(s *step) { s.through = everything })
	return forms
}
