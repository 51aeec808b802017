package wire

import (
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Decoder decodes messages one after the other, and uses memory again. It is not safe
// for concurrent use.
type Decoder struct {
	codec   *Codec
	message *engine.Message // the last one
	slab    slab
	used    int             // of slab, by the last message: all others are zero
	kept    []*model.Update // of the last message, for its slices
}

// Decoder returns a new decoder for messages of the codec's cluster.
func (c *Codec) Decoder() *Decoder { return &Decoder{codec: c, message: new(engine.Message)} }

// Decode is [Codec.Decode], but a message, its updates and the slices of them, not their
// keys and values, are only there until the next call, unless the message is a part of a
// digest: the engine keeps those. The updates of a PUSH of a catch-up, not the slices, are
// for the caller to keep, with keys and values of their own (see [engine.Intake]).
func (d *Decoder) Decode(b []byte) (*engine.Message, error) {
	clear(d.slab.updates[:d.used])
	clear(d.slab.refs[:d.used])
	clear(d.kept)
	r := reader{b: b, slab: d.slab, keeps: true, kept: d.kept[:0]}
	*d.message = engine.Message{}
	m, err := d.codec.decode(&r, d.message)
	d.used = len(d.slab.updates) - len(r.slab.updates)
	if d.kept = r.kept; cap(d.kept) > maxSlab {
		d.kept = nil
	}
	switch {
	case err == nil && m.Digest.Parts > 1:
		d.message, d.slab, d.used = new(engine.Message), slab{}, 0
	case r.slab.lacked > 0:
		n := min(len(d.slab.updates)+r.slab.lacked, maxSlab)
		d.slab, d.used = slab{updates: make([]model.Update, n), refs: make([]*model.Update, n)}, 0
	}
	return m, err
}

// maxSlab is how many updates a decoder keeps memory for.
const maxSlab = 4096

// slab is memory for updates, and for slices of them. The zero value has none to start
// with.
type slab struct {
	updates []model.Update
	refs    []*model.Update // as many
	lacked  int             // updates for which it was too small
}

// take returns n zero updates, and an empty slice with room for as many.
func (s *slab) take(n int) ([]model.Update, []*model.Update) {
	if n > len(s.updates) {
		s.lacked += n
		return make([]model.Update, n), make([]*model.Update, 0, n)
	}
	updates, refs := s.updates[:n:n], s.refs[:0:n]
	s.updates, s.refs = s.updates[n:], s.refs[n:]
	return updates, refs
}
