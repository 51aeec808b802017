// Package transporttest is the suite that every transport passes:
//
//	func TestConformance(t *testing.T) {
//		transporttest.Run(t, func(t *testing.T) transporttest.Cluster { return newCluster(t) })
//	}
//
// It states what the engine relies on. A message arrives whole and unchanged, on
// the channel it was sent on, or not at all; streams arrive while both sides are up
// and their queues have room. Order is promised on no channel, so nothing here
// looks at it. Send never waits, whatever the receiver does. Members that leave are
// Left, members that vanish are Failed, and each change is announced. A name may
// come back after either. The suite waits on channels, with a deadline; it repeats
// datagrams, as those may be lost.
package transporttest
