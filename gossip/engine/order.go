package engine

import (
	"cmp"
	"math/rand"
	"slices"
)

// span orders candidates for a delta that may not carry everything: the replica
// with the most versions behind first, ties at random, each replica run to
// completion. It looks at no update: O(1) per replica, like the paper's depth
// order (Paper §3) but counting versions instead of retained updates.
func span(rng *rand.Rand, all []candidate) {
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(b.span(), a.span()) })
}
