//go:build race

package sim_test

// defaultSeeds are few: what has no goroutines has no races, and takes ten times as
// long to show it.
const defaultSeeds = 20
