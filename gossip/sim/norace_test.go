//go:build !race

package sim_test

// defaultSeeds is how many seeds the swarm tries.
const defaultSeeds = 200
