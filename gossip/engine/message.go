package engine

import (
	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Kind says what a message is for.
type Kind uint8

// The kinds of messages. An exchange is SYN → ACK → FIN; a side that still
// lacks something goes on with PULL → PUSH while its budget lasts.
const (
	Syn     Kind = 1 + iota // my digest: what I know
	Ack                     // what you lack, and my digest
	Fin                     // what you lack, after your digest
	Pull                    // a partial digest: send me these replicas from here on
	Push                    // the answer to a pull
	Repair                  // one step of a repair (R12)
	Live                    // fresh updates, asked for by nobody; the same for all who get it (DESIGN §7)
	Receipt                 // live messages up to this one have been dealt with: there is room for more
	Prune                   // these replicas come over another link first: no more live messages of them
	Graft                   // live messages of these replicas again, from here on
)

// String returns the kind's name in lower case.
func (k Kind) String() string {
	if k < Syn || k > Graft {
		return "unknown"
	}
	return [...]string{"syn", "ack", "fin", "pull", "push", "repair", "live", "receipt", "prune", "graft"}[k-1]
}

// Message is what nodes send each other. Updates are shared with the sender's
// log (or, after decoding, with the message's buffer): they are never changed,
// and the engine copies what it retains.
type Message struct {
	Kind      Kind
	From      clock.Replica   // who sends: transports do not tell
	To        uint64          // the receiver's epoch as the sender knows it; 0: it does not, in a first SYN, or it is for all, in a LIVE
	Exchange  uint64          // names the exchange, chosen by its initiator; unique per initiator for long enough; in a LIVE and a RECEIPT the number of the LIVE
	HLC       clock.Timestamp // the sender's clock when it encoded this
	MaxUpdate uint32          // bytes; a cluster-wide constant (R2)
	Credit    uint32          // bytes of updates that the sender accepts in the answer
	Rates     Rates           // in a SYN and an ACK

	// Digest is the sender's vector, whole or in part. In a SYN and an ACK it is
	// the vector itself (maybe part i of n of it). In a FIN and a PUSH it holds what
	// changed in the sender's vector since its SYN or ACK of this exchange, so that
	// the receiver knows V_p of R4. In a PULL: the replicas that are asked for. In a
	// LIVE: what a receiver must know for its closed holes to be closed. In a RECEIPT:
	// what is known of the replica that it is for.
	Digest Digest
	// Exceptions are the replicas of which the sender's horizon is above its
	// vector: (replica, H_p). Empty when the sender is clean (R4).
	Exceptions []clock.Entry
	// Same says, in an ACK, that the sender's vector equals the SYN's; the digest
	// is empty then.
	// In a SYN that asks for cleaning it says that a dirty peer may serve, too; in a LIVE
	// that the sender waits for a RECEIPT of it.
	Same bool
	// Joining says that the sender may not write yet (R11).
	Joining bool
	// Admits says, in an ACK, that the sender is a member, takes the receiver for one,
	// and thus that the receiver, if it is joining, is one too.
	Admits bool
	// Relays says that the sender retains updates of spaces that it has no model for, and
	// cannot tell which of them are dead (R14).
	Relays bool
	// Unsure says that the sender waits for a rebase: what its open holes hide may not be
	// what should be gone (R9).
	Unsure bool
	// Cleaning asks, in a SYN, for all that a clean peer retains up to its vector,
	// untruncated; in the ACK it says that the peer does it (R5).
	Cleaning bool
	// CatchUp says in a PULL that the sender catches up: what the receiver sends is limited
	// by Credit alone, which grants so many bytes of updates in all, since the exchange
	// began and modulo 2^32. Without a digest the receiver goes on where it is. In a PUSH
	// it says that there is more, as soon as there is credit; Credit says how many bytes
	// were sent.
	CatchUp bool
	// Hashes are the state hashes of the sender's spaces, in an ACK that says Same or
	// Cleaning.
	Hashes []SpaceHash
	// Batches are the deltas, each replica's in version order.
	Batches []Batch
	// ReportSum is a hash of all reports that the sender has, in a SYN and an ACK.
	ReportSum uint64
	// Reports are members' reports that the receiver may lack, in an ACK and a FIN (R6).
	Reports []Report
	// RetiredSum is a hash of all that the sender knows to be over, in a SYN and an ACK.
	RetiredSum uint64
	// Retired is what is over that the receiver may not know, in an ACK and a FIN (R13).
	Retired []Retirement
	// Repair is set in messages of kind Repair only.
	Repair *RepairStep
}

// Rates are the sender's flow-control rates in updates per second (Paper §4), in
// SYN and ACK. All zero means flow control is off.
type Rates struct {
	Desired  float64 // ρ
	Maximum  float64 // τ
	Capacity float64 // updates per second that the sender's exchanges can carry
	Pending  uint32  // in an ACK: how many retained updates the receiver lacks
}

// Digest is what a node knows: a version vector, whole or in part.
type Digest struct {
	Full  bool   // absence of a replica means that nothing of it is known; otherwise it means nothing
	Part  uint16 // this is part Part (from 0) …
	Parts uint16 // … of Parts of one snapshot; 0 and 1 both mean there is only one
	// Base identifies the sender's snapshot: the one that this is, in a SYN or ACK, or
	// the one that this changes, in a FIN or PUSH.
	Base uint64
	// Entries ascend by replica.
	Entries []DigestEntry
}

// DigestEntry is one component of a digest.
type DigestEntry struct {
	clock.Entry
	Held bool // send nothing of this replica: the sender holds it back because its clock runs ahead, or gets it over a link
}

// Batch is a run of one replica's updates: "all I retain of this replica with
// From < version ≤ Through" (R3).
type Batch struct {
	Replica clock.Replica
	From    clock.Version
	Through clock.Version // at most From + MaxSpan
	Floor   clock.Version // the sender's floor of the replica (R8, R9)
	Closed  bool          // every hole is closed: superseded by an update in the same message
	Updates []*model.Update

	owned []owned // of the first Updates; see Intake
}

// MaxSpan is the longest run of versions that one batch covers.
const MaxSpan = 1<<32 - 1

// MaxBatch is the largest number of updates in one batch.
const MaxBatch = 1<<16 - 1

// Report is a member's slot outside the log: newest HLC wins (R6).
type Report struct {
	Member  clock.Replica
	Head    clock.Version   // its own last version; the report counts once V covers it
	HLC     clock.Timestamp // when it was written
	Safe    clock.Timestamp // complete when it was written
	View    Hash            // of its member view
	Outside Hash            // of its vector over replicas outside the view
	Waits   bool            // tombstones wait for the others' reports
}

// SpaceHash is the state hash of one space.
type SpaceHash struct {
	Space   string
	Hash    Hash
	Relayed bool   // the sender has no model for it and cannot repair it (R14)
	Type    string // of the sender's model; "": it does not say
}

// RepairPhase is a step of a repair, in the order in which they follow each
// other (R12).
type RepairPhase uint8

// The phases of a repair. The initiator drives: each step can be lost,
// repeated or late, and the next repair resumes where the union stands.
const (
	RepairHashes  RepairPhase = 1 + iota // initiator: hash of what I retain, per replica
	RepairDiffer                         // responder: the replicas whose hash differs
	RepairAsk                            // initiator: list the dots of this replica from here on
	RepairDots                           // responder: dots and content hashes of one run
	RepairUpdates                        // either: updates that the other lacks; the initiator also names what it wants
)

// RepairStep is one step of a repair of one space.
type RepairStep struct {
	Phase  RepairPhase
	Space  string
	Hashes []ReplicaHash // RepairHashes, RepairDiffer
	Range  Range         // RepairAsk, RepairDots
	// Dots are versions of Range.Replica: retained ones in RepairDots, wanted ones
	// in RepairUpdates. They ascend by version.
	Dots    []RepairDot
	Updates []*model.Update // RepairUpdates: of any replica, ascending by dot
}

// Range is a run of versions of one replica, From exclusive, Through inclusive.
type Range struct {
	Replica clock.Replica
	From    clock.Version
	Through clock.Version
}

// ReplicaHash is the hash of everything retained of a replica in one space up
// to a version, tombstones included.
type ReplicaHash struct {
	Replica clock.Replica
	Through clock.Version
	Floor   clock.Version
	Hash    Hash
}

// RepairDot is a version and the hash of its content.
type RepairDot struct {
	Version clock.Version
	Content uint64
}

// Codec measures messages as they will be encoded; wire implements it. It is
// what lets the engine keep budgets exactly without knowing the format.
type Codec interface {
	// Size returns the length of m's encoding in bytes.
	Size(m *Message) int
	// Sizer returns a Sizer for m, which goes on from its last batch. No other field
	// of m may change meanwhile.
	Sizer(m *Message) Sizer
	// UpdateSize returns the largest number of bytes that u can take in a message
	// in which it is the only update, beyond the message's envelope (R2).
	UpdateSize(u *model.Update) int
}

// Sizer measures a message while batches are added to it. Each method returns
// the length of the whole encoding so far, exactly: the fields of a Batch that
// are known only at its end (Through, Closed, the number of updates) take the
// same room whatever they are.
type Sizer interface {
	// Begin adds an empty batch of b's Replica, From and Floor.
	Begin(b *Batch) int
	// Add adds an update to the last batch.
	Add(u *model.Update) int
	// Undo takes back the last Begin or Add. It cannot be repeated without a Begin
	// or Add in between.
	Undo()
}
