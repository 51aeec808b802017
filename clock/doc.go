// Package clock holds the logical time of the cluster: who writes, what was
// written, what is known, and when.
//
//   - [Replica] is one incarnation of a node; only it writes under its id.
//   - [Version] numbers the updates of one replica: 1, 2, 3 … without gaps.
//   - [Dot] is a replica and a version: the identity of one update for ever.
//   - [Dots] are a list of them.
//   - [Vector] says, for each replica, the highest version known.
//   - [Timestamp] is hybrid logical time in one uint64; [HLC] issues it, larger
//     than every timestamp seen before, also when the wall clock steps back.
//
// The package is pure: nothing in it reads a clock, waits, or depends on the
// order of a Go map. No type here is safe for concurrent mutation; values that
// nobody changes may be read from anywhere.
package clock
