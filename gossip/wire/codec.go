package wire

import (
	"errors"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Version is the format that this package writes, and the only one it reads. How the engine
// hashes is part of it: nodes that hash differently would repair each other for ever.
const Version = 5

// Errors that Decode wraps, with what was wrong where.
var (
	// ErrVersion says that the sender speaks another version of the format.
	ErrVersion = errors.New("wire: other format version")
	// ErrCluster says that the message belongs to another cluster.
	ErrCluster = errors.New("wire: other cluster")
	// ErrMalformed says that the bytes are no message, or break a rule of the
	// protocol that can be seen from the message alone.
	ErrMalformed = errors.New("wire: malformed message")
)

// Codec encodes, decodes and measures the messages of one cluster. It holds no
// other state: any number of goroutines may use it at once.
type Codec struct {
	cluster string
}

var _ engine.Codec = (*Codec)(nil)

// New returns the codec of the cluster with this id, of at most
// [engine.MaxName] bytes.
func New(cluster string) *Codec { return &Codec{cluster: cluster} }

// Encode returns m encoded, in a buffer of exactly its size. It panics when a
// batch cannot be expressed: it spans more than [engine.MaxSpan] versions or
// has more than [engine.MaxBatch] updates, or an update is not its replica's,
// not above the one before it, or not in (From, Through]. Everything else that
// Decode refuses is encoded as it is.
func (c *Codec) Encode(m *engine.Message) []byte {
	return c.Append(make([]byte, 0, c.Size(m)), m)
}

// Append appends m encoded to b and returns the longer slice; see Encode.
func (c *Codec) Append(b []byte, m *engine.Message) []byte {
	w := writer{b: b}
	w.message(c.cluster, m)
	return w.b
}

// Decode returns the message that b encodes. Keys and values refer to b, which
// must not change while they are in use; names are copied. Empty slices are
// nil. Memory is at most [MaxGrowth] times the length of b, whatever b holds.
// Errors wrap [ErrVersion], [ErrCluster] or [ErrMalformed].
func (c *Codec) Decode(b []byte) (*engine.Message, error) {
	return c.decode(&reader{b: b}, new(engine.Message))
}

func (c *Codec) decode(r *reader, m *engine.Message) (*engine.Message, error) {
	r.message(c.cluster, m)
	if r.err != nil {
		return nil, r.err
	}
	return m, nil
}

// Size returns len(Encode(m)) without encoding: it looks at every update, but
// not at keys and values.
func (c *Codec) Size(m *engine.Message) int {
	w := writer{measure: true}
	w.message(c.cluster, m)
	return w.size
}

// Sizer returns a Sizer that starts with m as it is: batches are added to those
// that m has. Its other fields must not change any more; the HLC is the base of
// the updates' times.
func (c *Codec) Sizer(m *engine.Message) engine.Sizer {
	s := &sizer{batches: len(m.Batches)}
	s.w.measure = true
	s.w.message(c.cluster, m)
	if n := len(m.Batches); n > 0 {
		s.updates = len(m.Batches[n-1].Updates)
	}
	s.save()
	return s
}

// UpdateSize returns the largest number of bytes that u adds to a message
// without batches: its own, its batch's header and every name it uses.
func (c *Codec) UpdateSize(u *model.Update) int {
	const (
		batch = 3 + maxUint + 5 + maxUint + 1 + 1 // array, From, Through, Floor, Closed, count
		head  = 1 + maxFar + maxUint + 2 + maxFar // flags, time, gap, kind, expiry
		refs  = 2 * 5                             // arrays of context and dependencies
	)
	n := batch + head + refs + definitionSize(u.Replica) + 1 + strSize(len(u.Space))
	n += binSize(len(u.Key)) + binSize(len(u.Value))
	for r := range u.Context.All() {
		n += definitionSize(r) + maxUint
	}
	for _, d := range u.Deps.All() {
		n += definitionSize(d.Replica) + maxUint
	}
	return n
}

// definitionSize is the most that the definition of a replica takes; a
// reference takes less.
func definitionSize(r clock.Replica) int { return 1 + strSize(len(r.Node)) + maxUint }
