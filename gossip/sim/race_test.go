//go:build race

package sim_test

// These are few: what has no goroutines has no races, and takes ten times as long to show
// it.
const (
	defaultSeeds      = 10
	defaultModelSeeds = 1
	defaultChurn      = 20
)
