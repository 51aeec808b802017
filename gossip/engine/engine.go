package engine

import (
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// PeerState is what membership says of a peer.
type PeerState uint8

// The states of a peer.
const (
	PeerAlive   PeerState = iota // gossip with it (alive or suspect)
	PeerFailed                   // try it now and then: partitions heal
	PeerRemoved                  // forget it: it left, or failed long ago
)

// Engine is the pure core of a node. It is not safe for concurrent use, except
// that any number of goroutines may read (Status, Clean, Vector, Hash, and
// models) while none calls anything else.
type Engine struct{ cfg Config }

// Output is the work that a call leaves to its caller, to be done in the order
// of the fields.
type Output struct {
	Persist []*model.Update // make durable before anything of this output is sent
	Send    []Envelope      // in order per peer
	Changed []model.Change  // what models now show; valid until the engine's next call
}

// Envelope is a message on its way.
type Envelope struct {
	To      string // node name
	Stream  bool   // over the stream channel: larger than a datagram, or must not be lost with others
	Message *Message
}

// New returns an engine that knows nothing. Its first round is due at a random
// moment within the first interval.
func New(now time.Time, cfg Config) (*Engine, error) { panic("TODO") }

// Self returns the replica under which this node writes now. It changes when
// the node must take a new epoch (R1).
func (e *Engine) Self() clock.Replica { panic("TODO") }

// Attach gives a space its model and applies what the log retains of the space
// (R14).
func (e *Engine) Attach(space string, m model.Model) error { panic("TODO") }

// Write issues drafts as updates of this replica in a space. Either all are
// issued or, with an error, none.
func (e *Engine) Write(now time.Time, space string, drafts []model.Draft) (Output, error) {
	panic("TODO")
}

// Step handles a message. An error means that the message was refused and
// nothing changed.
func (e *Engine) Step(now time.Time, m *Message) (Output, error) { panic("TODO") }

// Tick does what is due at now: rounds, time-outs. Call it at Next or later.
func (e *Engine) Tick(now time.Time) Output { panic("TODO") }

// Next returns when Tick has something to do.
func (e *Engine) Next() time.Time { panic("TODO") }

// SetPeer tells what membership says of a node. The engine gossips with nodes it
// was told of only, but answers everybody.
func (e *Engine) SetPeer(now time.Time, name string, s PeerState) { panic("TODO") }

// Clean reports whether the state is exactly the models' value over everything
// in the vector (R4).
func (e *Engine) Clean() bool { panic("TODO") }

// Vector returns a copy of what is known.
func (e *Engine) Vector() clock.Vector { panic("TODO") }

// Stats returns what has been counted since New.
func (e *Engine) Stats() Stats { panic("TODO") }

// Spaces returns what the engine knows of each space, by name.
func (e *Engine) Spaces() []SpaceStatus { panic("TODO") }

// Pending returns how many versions peers were last seen to know that this
// node does not.
func (e *Engine) Pending() uint64 { panic("TODO") }

// Check returns the first broken invariant, nil when all hold. It looks at
// everything: O(updates).
func (e *Engine) Check() error { panic("TODO") }

// SpaceStatus describes a space.
type SpaceStatus struct {
	Space      string
	Attached   bool
	Updates    int // retained, tombstones included
	Tombstones int
	Bytes      int64 // keys and values of retained updates
	Hash       Hash  // SH: of retained updates that are never collected
}

// Stats counts what the engine did.
type Stats struct {
	Exchanges        ExchangeStats
	UpdatesSent      uint64 // put into messages
	UpdatesApplied   uint64 // remote updates that were new here
	UpdatesRedundant uint64 // remote updates that were known already
	UpdatesWritten   uint64 // local writes
	OpenHoles        uint64 // batches applied with an open hole: the horizon rose (R4)
	BatchesRefused   uint64 // batches not applied: unknown exchange, floor above the vector (R4, R9)
	Gaps             uint64 // batches that started after the vector, answered with a pull (R3)
	Held             uint64 // updates held because of their clock
	Forks            uint64 // dots seen with two contents (R1)
	Epochs           uint64 // new epochs taken (R1)
	Mismatches       uint64 // equal vectors with different state hashes (R12)
	Repairs          uint64 // repairs started (R12)
	Repaired         uint64 // updates that repairs brought or dropped
}

// ExchangeStats counts exchanges that this node initiated, by how they ended,
// and those it answered.
type ExchangeStats struct {
	Started  uint64
	Equal    uint64 // the vectors were the same
	Complete uint64 // both sides know the same afterwards, as far as this node can tell
	Partial  uint64 // the budget ended it
	Timeout  uint64 // no answer
	Answered uint64
}
