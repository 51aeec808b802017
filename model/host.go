package model

import (
	"context"
	"errors"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// errNoSelf is returned by Bind of handles that cannot do without a SelfHost.
var errNoSelf = errors.New("model: the host does not say which replica it writes as")

// SelfHost is a [Host] that says who writes through it. [Counter], [Log] and
// [Presence] need one: what they write depends on what this replica wrote before.
type SelfHost interface {
	// Self returns the replica of the next update. It is called between RLock and
	// RUnlock, in the function of a Write, or by Apply; it may be another one each time
	// (R1).
	Self() clock.Replica
}

// StableHost is a [Host] that knows what all members have. [Set] and [Register]
// write smaller updates with one.
type StableHost interface {
	// Stable returns a time up to which every member is proved to have applied every
	// update, while it was clean (R7); 0 if there is no proof. It is called in the
	// function of a Write.
	Stable() clock.Timestamp
}

// DraftHost is a [Host] that takes a write which does not depend on the state as it is:
// that costs less than a function.
type DraftHost interface {
	// WriteDraft is Host.Write for a function that puts d.
	WriteDraft(ctx context.Context, wait bool, d Draft) error
}

// SeedHost is a [Host] that has a number for its models that nobody can guess. With one,
// who chooses the keys of a [Map] cannot make it slow.
type SeedHost interface {
	// Seed returns a number. It is called by Bind.
	Seed() uint64
}

// MemberHost is a [Host] that knows the members of the cluster. Without one,
// [Presence] takes everybody for present.
type MemberHost interface {
	// Standing returns what is known of a node; this node itself is Present. heard is the
	// time of the latest update of it that is here: one that is not known to membership
	// may be new, if that is not long ago. It is called between RLock and RUnlock, in the
	// function of a Write, or by a Watcher while it is told something.
	Standing(node string, heard clock.Timestamp) Standing
	// First reports whether this node has the first name of all that are present:
	// what one of them should do, it does. It is called in the function of a Write.
	First() bool
}

// Standing is what membership says of a node.
type Standing uint8

// The ways in which a node stands to the cluster.
const (
	Present Standing = iota // alive, for all that is known
	Absent                  // it failed not long ago, or is not known yet: it may come
	Removed                 // it left, failed long ago, or was not heard of for as long
)

// MemberWatcher is a [Watcher] that wants to know of members, too. Hosts that are a
// [MemberHost] tell it, under the rules of Note.
type MemberWatcher interface {
	Watcher
	// NoteMember says that the standing of a node has changed.
	NoteMember(node string)
}

// Tender is a [Handle] that puts its space in order when its host says so: after
// members came or went, and after the space changed. The host calls Tend without
// any lock, never twice at a time, and soon; not for every change.
type Tender interface {
	Handle
	// Tend does what there is to do, mostly nothing; after an error it is called again.
	Tend(ctx context.Context) error
}
