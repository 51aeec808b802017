package model

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// ErrDetached is returned by a handle's writes before the handle was attached to a
// node, and after its space was detached.
var ErrDetached = errors.New("model: not attached to a node")

// Kind is a model's own tag of an update. The engine reads one bit of it.
type Kind uint8

// Tombstone is the bit of a Kind that marks an update which only removes
// something. The engine keeps tombstones out of the state hash and collects them.
const Tombstone Kind = 1 << 7

// Update is one write: the paper's delta (r, k, v, n) with a time and flags
// (Paper §3). It is immutable once issued: whoever holds one may read it from
// any goroutine for as long as he likes, and nobody may change it or the bytes
// it refers to.
type Update struct {
	clock.Dot
	Time    clock.Timestamp // larger than every timestamp that its writer had seen
	Space   string          // the space whose model it belongs to
	Key     []byte
	Value   []byte
	Kind    Kind
	Context clock.Vector    // per key; only for models that need it
	Deps    clock.Dots      // updates that must be applied before; only for causal models
	Expires clock.Timestamp // not shown from then on (see Expirer); 0: never
}

// IsTombstone reports whether the update only removes something.
func (u *Update) IsTombstone() bool { return u.Kind&Tombstone != 0 }

// Collectable reports whether the update may ever be dropped without being
// superseded: a tombstone, or one that expires (R8). Such updates are left out
// of the state hash.
func (u *Update) Collectable() bool { return u.IsTombstone() || u.Expires != 0 }

// Preparer is a Model that is faster when it hears before what it will be asked.
type Preparer interface {
	Model
	// Prepare says that Apply or Verify is about to be called with u, after some others.
	// Nothing that shows depends on it.
	Prepare(u *Update)
}

// Finder is a Model that retains one update for each key.
type Finder interface {
	Model
	// Find returns the retained update with a key, nil if there is none: a new one takes its
	// place. It does not keep key.
	Find(key []byte) *Update
}

// Effect is what integrating one update did. The zero value means: the update
// is retained, and made nothing else redundant.
type Effect struct {
	// Redundant says that something the model already holds supersedes the
	// update: it is not retained, and Superseded is empty.
	Redundant bool
	// Superseded lists retained updates that became redundant. It is valid until
	// the model's next call.
	Superseded []*Update
}

// Model is a replicated data type. It must be deterministic; Apply must commute
// across replicas and be idempotent, so that its value is a function of the set
// of retained updates alone (DESIGN §5). The engine calls it from one goroutine
// at a time and owns everything else: dots, retention, vectors, hashes,
// collection. A model may keep the pointers it is given; it never changes what
// they point to.
type Model interface {
	// Apply integrates u and says which retained updates it made redundant, or
	// that u itself is.
	Apply(u *Update) Effect
	// Discard undoes u, a retained update: it was proved dead elsewhere (R9), or
	// collected (R8), or found damaged (R12). (DESIGN §5 calls it Remove, which is what
	// users of a set expect to take an element out.)
	Discard(u *Update)
	// Supersedes reports whether a makes b redundant: a strict partial order on
	// the updates of one space, transitive, decided from the two updates alone.
	Supersedes(a, b *Update) bool
}

// Expirer is a Model whose updates may expire (see Draft.TTL): it shows them for a
// time only. It still holds one that has expired, and that one supersedes what it
// did before: to others it is like a tombstone, and it is collected like one (R8).
type Expirer interface {
	Model
	// Expire says that u, which is retained, has expired: it is not shown from now on,
	// and no update is that expires no later and is applied afterwards. It is called
	// once for each update that was shown, in the order of Expires.
	Expire(u *Update)
}

// Verifier is a Model that can tell whether it still holds what it was given. The engine
// asks that of a part of what is retained now and then. What is not as it was is taken out
// of the model and applied again (R12).
type Verifier interface {
	Model
	// Verify reports whether the model holds an update as Apply left it: nothing of it is
	// lost, nor has what the model keeps of it changed. It changes nothing.
	Verify(u *Update) bool
}

// isHeld reports whether what a model holds is u, or a copy of it.
func isHeld(held, u *Update) bool {
	return held == u || held != nil && held.Dot == u.Dot && bytes.Equal(held.Key, u.Key) && bytes.Equal(held.Value, u.Value)
}

// Typed is a Model that says what it is: "map", in one word, at most 128 bytes. Nodes
// that attach one space as models of different types would make nothing sensible of
// it; where both say so they notice. All that are of one type must get on with each
// other: it says nothing of how values are encoded.
type Typed interface {
	Model
	Type() string
}

// Draft is a write that has no identity yet: the engine gives it replica,
// version and time. Its key and value are the writer's again after the write: what is
// issued has copies.
type Draft struct {
	Key     []byte
	Value   []byte
	Kind    Kind
	Context clock.Vector
	Deps    []clock.Dot
	TTL     time.Duration // from the update's own time until it expires; 0: never. Only for an Expirer
}

// Update returns the update that the draft becomes under this identity, with a key and a
// value of its own.
func (d *Draft) Update(dot clock.Dot, at clock.Timestamp, space string) *Update {
	u := Update{
		Dot: dot, Time: at, Space: space, Key: d.Key, Value: d.Value,
		Kind: d.Kind, Context: d.Context, Deps: clock.NewDots(d.Deps),
	}
	if d.TTL > 0 {
		u.Expires = at.Add(d.TTL)
	}
	return u.Clone()
}

// Change is one update that altered a model's state, local or remote, or that
// was taken out of it. What has expired is not part of the state.
type Change struct {
	New *Update // now retained; nil if Old is gone and nothing took its place: it expired, or was removed (R9, R12)
	Old *Update // the retained update it replaced, nil if none; the first one if several
}

// update returns the update that came, or else the one that went.
func (c Change) update() *Update {
	if c.New != nil {
		return c.New
	}
	return c.Old
}

// Tx collects the drafts of one write. All of them become updates of
// consecutive versions, or none does.
type Tx struct {
	drafts []Draft
}

// Put adds a draft.
func (tx *Tx) Put(d Draft) { tx.drafts = append(tx.drafts, d) }

// Reset forgets all drafts: the next write uses the memory again, if it is not much.
func (tx *Tx) Reset() {
	clear(tx.drafts)
	if tx.drafts = tx.drafts[:0]; cap(tx.drafts) > keptDrafts {
		tx.drafts = nil
	}
}

// keptDrafts is of how many drafts a Tx keeps the memory.
const keptDrafts = 16

// Drafts returns what was put, in order.
func (tx *Tx) Drafts() []Draft { return tx.drafts }

// Host is what a typed handle needs of the node it is attached to: one space of
// it. It is implemented by gossip.Node; a handle gets it by Bind.
type Host interface {
	// RLock holds off writes and remote updates until RUnlock, which takes what it
	// returned: defer h.RUnlock(h.RLock()). It is short and never waits for the network.
	// It must not be nested.
	RLock() (reader int)
	RUnlock(reader int)
	// Write calls f while nothing else reads or writes, and issues the drafts it
	// put, in one step; f sees the state before them. wait says whether to wait
	// while local writes are throttled, until ctx is done, or to fail at once. If it
	// waits, f may be called before and after, and what it put first is forgotten.
	// An error of f is returned as it is, and nothing is written. f must not call the
	// host.
	Write(ctx context.Context, wait bool, f func(*Tx) error) error
	// Watch returns a loop that gives w every change of the space from its beginning
	// on, and yields whenever w has taken some, with no lock held. It ends when ctx is
	// done, or when the node is closed and w was given everything; a loop that is left
	// leaves nothing behind. Each loop needs a Watcher of its own.
	Watch(ctx context.Context, w Watcher) func(yield func() bool)
}

// Watcher is the pure half of a watch: it gathers changes until its loop takes
// them, and knows which of them make others unnecessary. The other half, waiting,
// is the host's. The host calls one method at a time; what Take hands over belongs
// to the loop until the next Take. All must be quick: gossip waits.
type Watcher interface {
	// Start is called once, before all others, while the state stands still: what the
	// model shows now is what comes before the first change that is noted.
	Start()
	// Note takes notice of a change, in the order in which they happened. Nothing
	// changes the model meanwhile: the watcher may read it, without a lock, and finds
	// all changes of the same call.
	Note(c Change)
	// Take hands over what was noted and reports whether there was anything.
	Take() bool
	// Len returns how many entries the watcher keeps, those last taken included.
	Len() int
}

// Handle is a model that its users call: attaching it to a node binds it to
// its host. A handle is bound once.
type Handle interface {
	Model
	// Bind gives the handle its host before the first update is applied. It
	// returns an error when the handle is bound already.
	Bind(Host) error
}
