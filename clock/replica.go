package clock

import (
	"cmp"
	"strconv"
	"strings"
)

// Replica is one incarnation of a node: the paper's participant (Paper §3). A
// restarted node is a new replica of the same node, with a larger epoch (R1).
// The zero value is no replica.
type Replica struct {
	Node  string // the node's stable name
	Epoch uint64 // which incarnation; unix milliseconds at start unless a larger one was needed
}

// Compare orders replicas by node name, then epoch: -1, 0 or +1.
func (r Replica) Compare(o Replica) int {
	if c := strings.Compare(r.Node, o.Node); c != 0 {
		return c
	}
	return cmp.Compare(r.Epoch, o.Epoch)
}

// String returns "node/epoch".
func (r Replica) String() string {
	return r.Node + "/" + strconv.FormatUint(r.Epoch, 10)
}

// Version numbers an update within its replica: 1, 2, 3 … contiguous over all
// spaces (R2). Zero is before the first.
type Version uint64

// Dot is the identity of one update, cluster-wide and for ever.
type Dot struct {
	Replica Replica
	Version Version
}

// Compare orders dots by replica, then version: -1, 0 or +1.
func (d Dot) Compare(o Dot) int {
	if c := d.Replica.Compare(o.Replica); c != 0 {
		return c
	}
	return cmp.Compare(d.Version, o.Version)
}

// String returns "node/epoch:version".
func (d Dot) String() string {
	return d.Replica.String() + ":" + strconv.FormatUint(uint64(d.Version), 10)
}
