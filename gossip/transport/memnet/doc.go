// Package memnet is a network in memory with seeded faults: the transport of
// tests and of many nodes in one process.
//
//	net := memnet.New(memnet.Config{Seed: 1})
//	a, err := net.Join("a")
//	b, err := net.Join("b")
//	net.SetFaults(memnet.Faults{MinDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond, Loss: 0.1})
//	net.Partition([]string{"a"}, []string{"b"})
//	net.Heal()
//	net.Crash("b")
//	b, err = net.Join("b") // a restarted node
//
// # What is promised
//
// A message arrives whole or not at all, unchanged, in bytes of the receiver's
// own. Order is promised on no channel. Without faults a message is in the
// receiver's queue when Send returns; a full queue drops it (Endpoint.Dropped).
// A delayed message goes to whoever has the name when it arrives: a restarted
// node sees what was sent to its predecessor, as it would on a real network.
//
// # Faults
//
// Every message draws its fate (lost, repeated, how late) from a generator of
// its link and channel, made from Config.Seed and the two names, and always draws
// the same number of times. So the same seed and the same sequence of sends on a
// link give the same fate, whatever happens on other links and whenever faults are
// switched on. A delay drawn from a range reorders. Loss and repetition spare
// streams unless Faults.Streams is set; delays and partitions concern both.
//
// # Listening in and forging
//
// Network.Tap shows every message, Network.Inject delivers one that nobody on the
// network sent: what was recorded can be replayed, what a liar would say be said.
//
// # Membership
//
// A simulated failure detector: who is on the network and not cut off is Alive at
// once. Who closed without leaving, or is on the other side of a partition, becomes
// Suspect after half of Config.DetectAfter, Failed after all of it, and is forgotten
// after Config.RemoveAfter more. Who leaves is Left at once for those who can hear
// it, and Failed for the others. Loss and delay do not deceive the detector.
//
// # Time
//
// The package waits with time.AfterFunc only, so it works inside testing/synctest.
// When the last node has closed, no timer and no goroutine is left.
package memnet
