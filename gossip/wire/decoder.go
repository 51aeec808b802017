package wire

import (
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Decoder decodes messages one after the other, and uses memory again. It is not safe
// for concurrent use.
type Decoder struct {
	codec *Codec
	slab  []model.Update
}

// Decoder returns a new decoder for messages of the codec's cluster.
func (c *Codec) Decoder() *Decoder { return &Decoder{codec: c} }

// Decode is [Codec.Decode], but the updates of a message, not their keys and values, are
// only there until the next call, unless the message is a part of a digest: the engine
// keeps those.
func (d *Decoder) Decode(b []byte) (*engine.Message, error) {
	r := reader{b: b, slab: slab{free: d.slab}}
	clear(d.slab)
	m, err := d.codec.decode(&r)
	switch {
	case err == nil && m.Digest.Parts > 1:
		d.slab = nil
	case r.slab.lacked > 0:
		d.slab = make([]model.Update, min(len(d.slab)+r.slab.lacked, maxSlab))
	}
	return m, err
}

// maxSlab is how many updates a decoder keeps memory for.
const maxSlab = 4096

// slab is memory for updates. The zero value has none to start with.
type slab struct {
	free   []model.Update
	lacked int // updates for which it was too small
}

// take returns n zero updates.
func (s *slab) take(n int) []model.Update {
	if n > len(s.free) {
		s.lacked += n
		return make([]model.Update, n)
	}
	taken := s.free[:n:n]
	s.free = s.free[n:]
	return taken
}
