//go:build !race

package sim_test

// How many seeds and nodes the swarms and the test of churn try when nothing is said.
const (
	defaultSeeds      = 200
	defaultModelSeeds = 5
	defaultChurn      = 100
)
