package sim

import (
	"encoding/hex"
	"fmt"
	"io"
	"strconv"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// tracer writes one line per event: seconds since the start, what it is, of whom,
// and its bytes.
type tracer struct {
	w   io.Writer // nil: nothing is written
	buf []byte
}

func (t *tracer) event(s *Sim, kind string, nodes ...*Node) {
	if t.w == nil {
		return
	}
	t.begin(s, kind)
	for _, n := range nodes {
		t.buf = append(append(t.buf, ' '), n.name...)
	}
	t.end(s)
}

func (t *tracer) write(s *Sim, n *Node, space string, drafts []model.Draft) {
	if t.w == nil {
		return
	}
	t.begin(s, "write")
	t.buf = append(append(t.buf, ' '), n.name...)
	t.buf = strconv.AppendQuote(append(t.buf, ' '), space)
	for _, d := range drafts {
		t.buf = fmt.Appendf(t.buf, " %x=%x/%d", d.Key, d.Value, d.Kind)
	}
	t.end(s)
}

// packet notes what becomes of a message.
func (t *tracer) packet(s *Sim, kind string, p *packet) {
	if t.w == nil {
		return
	}
	t.begin(s, kind)
	t.buf = append(append(append(append(t.buf, ' '), p.from.name...), '>'), p.to.name...)
	if p.stream {
		t.buf = append(t.buf, " stream"...)
	}
	t.buf = append(t.buf, ' ')
	if p.bytes != nil {
		t.buf = hex.AppendEncode(t.buf, p.bytes)
	} else {
		t.describe(p.message)
	}
	t.end(s)
}

// fate notes that a message that was just sent does not arrive, or twice.
func (t *tracer) fate(s *Sim, kind string, p *packet) {
	if t.w == nil {
		return
	}
	t.begin(s, kind)
	t.buf = append(append(append(append(t.buf, ' '), p.from.name...), '>'), p.to.name...)
	t.end(s)
}

// describe stands for the bytes of a message that is not encoded.
func (t *tracer) describe(m *engine.Message) {
	t.buf = fmt.Appendf(t.buf, "%v %d digest", m.Kind, m.Exchange)
	for _, d := range m.Digest.Entries {
		t.buf = fmt.Appendf(t.buf, " %v:%d", d.Replica, d.Version)
	}
	for _, b := range m.Batches {
		t.buf = fmt.Appendf(t.buf, " batch %v %d-%d", b.Replica, b.From, b.Through)
		for _, u := range b.Updates {
			t.buf = fmt.Appendf(t.buf, " %d", u.Version)
		}
	}
}

func (t *tracer) begin(s *Sim, kind string) {
	t.buf = strconv.AppendFloat(t.buf[:0], s.now.Seconds(), 'f', 9, 64)
	t.buf = append(append(t.buf, ' '), kind...)
}

func (t *tracer) end(s *Sim) {
	if _, err := t.w.Write(append(t.buf, '\n')); err != nil {
		s.fail(fmt.Errorf("sim: trace: %w", err))
	}
}
