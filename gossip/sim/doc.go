// Package sim runs many engines (package gossip/engine) as one program without
// goroutines, over a virtual network and a virtual clock: minutes of a cluster in
// milliseconds, any fault at any moment, and the same run again from the same seed,
// byte for byte. It uses nothing but what the engines are in production, too; what
// is missing is sockets, locks and waiting.
//
// It is for three things: to find out whether the engine keeps its promises, to
// find out whether your own model does on top of it, and to measure.
//
//	s, err := sim.New(sim.Config{Seed: 1, Nodes: 5, Models: newCarts})
//	s.Load(sim.Load{Rate: 20, Until: 10 * time.Second, Draft: fill})
//	s.At(3*time.Second, func() { s.Cut(sim.Isolate("n2")) })
//	s.At(8*time.Second, s.Heal)
//	if err := s.Run(10 * time.Second); err != nil {
//		t.Fatal(err) // what was violated, where, when, and the seed
//	}
//	_, err = s.Converge(0) // and now all agree, in time
//
// # Your own model
//
// Config.Models makes the models of one life of a node, fresh ones at each call:
// any [model.Model] will do. What is a [model.Handle] is bound to its node; its
// methods write there, at the virtual time, and a watch moves the simulation on
// while it waits. Others are written to with [Sim.Write]. [Node.Model] returns what
// Models made, to look at.
//
// The checks work with any model. Whatever the engine tells a model, a probe between
// them sees; so it is known what each node retains. An oracle, models of its own
// from Config.Models, is given every update that a node's vector covers, the
// superseded ones, too: a clean node must retain exactly what the oracle does.
// Equal sets then show equal values, if the model keeps the laws; whether it does
// is what package model/modeltest tests.
//
// # Faults
//
// [Link] says what the network does to messages: delays of some distribution, loss,
// duplicates, and messages that are seconds late; SetLink changes it. [Sim.Cut] cuts
// it: [Halves], [Isolate], [OneWay], or any function. [Sim.Replay] brings messages of
// the past once more, [Sim.Send] what no engine sent. Nodes [Sim.Join], [Sim.Leave],
// [Sim.Crash], [Sim.Restart] with or without their state, [Sim.Pause], and step their
// clocks ([Sim.Skew]). With Config.Live nodes have links for live updates, which cuts and
// crashes break, and [Sim.Snap]. Membership is perfect, unless one node forgets another
// ([Sim.Forget]): there is no failure detector in here, so a cut alone does not make
// nodes take each other for failed.
//
// # What is checked
//
// After each event, of the node that it touched (Config.Check):
//
//	I1    the vector grows
//	I2    one dot has one content, everywhere
//	I3    a clean node retains what the oracle does
//	I4    clean nodes with equal vectors have equal state hashes
//	I5    behind an open hole the horizon covers what its sender knew
//	I8    an applied batch starts at or before what was known
//	I9    nothing retained supersedes anything else, and all of engine.Check
//	I11   no message is over its limit
//	R3    no live message raises a horizon above what is known
//	I13   a message that brings nothing new changes nothing
//	Deps  what an update builds on was known before
//
// I10, that nodes agree in time, is what [Sim.Converge] demands, and I15 is all of
// these after restarts. I12 is tested in package flowcontrol. Invariants of
// collection (I6, I7, I14) come with collection.
//
// An engine looks at everything that it retains in engine.Check: a node that retains
// much is checked that way after some of its events only, so that an event costs
// about the same. All that was ever written is kept, to compare with. Both end with
// Config.Check set to Off, which is for figures.
//
// # Replaying a seed
//
// What happens depends on the Config and the calls alone, time and chance included,
// in the same version of the code. A [Violation] names its seed. Run that again with
// Config.Trace set, and look at what came before; [Sim.At] stops at any moment of it.
// Draw what your own functions do at random from [Sim.Rand], or from the generator
// that they are given.
//
// The package's own swarm draws everything, from the size of messages to the faults,
// from a seed. It prints what replays a failure:
//
//	go test ./gossip/sim -run 'TestSwarm$' -first 17 -seeds 1 -trace
//
// Two others do the same with the models of package model, TestSwarmOfModels with each
// of them and TestSwarmOfAllModels with all on 20 nodes; -model-seeds says how long.
//
// [Sim.Counts] tells how often rare things happened; a swarm in which one of them
// never did has tested less than it seems to.
//
// # Figures
//
// With Config.Uniform a node knows one peer at a time, drawn anew for each round, as
// in the paper; 10,000 nodes are no problem then. [CountUpdates] lets budgets count
// updates, and hands messages over without encoding them. [Precise] is what the
// paper compares scuttlebutt with. Set Check to Off and Remember to -1.
package sim
