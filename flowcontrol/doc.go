// Package flowcontrol will decide how fast each node may write, so that the
// cluster is not given more updates than gossip can carry (Paper §4). It is not
// there yet: today writes are never throttled, and under lasting overload nodes
// fall behind instead.
//
// What comes, all of it pure:
//
//   - desired and maximum rates (ρ and τ) that two nodes share fairly in each
//     exchange, without changing their sum;
//   - AIMD, the paper's local adaptation of the maximum rate;
//   - Quota, the default: adaptation to a known capacity, which settles
//     closer to it.
//
// The token bucket that writers meet belongs to package gossip.
package flowcontrol
