// Package flowcontrol decides how fast each node may write, so that the cluster
// is not given more updates than gossip can carry (Paper §4).
package flowcontrol
