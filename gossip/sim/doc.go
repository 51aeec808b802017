// Package sim runs many real engines (package gossip/engine) in one goroutine,
// over a virtual network and a virtual clock: a week of a cluster in a second, a
// fault at any moment, and the same run again from the same seed, byte for byte.
//
//	s, err := sim.New(sim.Config{Seed: 1, Nodes: 5})
//	err = s.Write(s.Node("n0"), "s", model.Draft{Key: []byte("k"), Value: []byte("v")})
//	err = s.Run(10 * time.Second)
package sim
