package sim

import (
	"errors"
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// encoder is a codec that makes bytes of messages.
type encoder interface {
	Encode(*engine.Message) []byte
	Decode([]byte) (*engine.Message, error)
}

// packet is a message on its way.
type packet struct {
	from, to *Node
	stream   bool
	bytes    []byte          // encoded …
	message  *engine.Message // … or as it is
	knew     *knowledge      // what its sender knew; nil: nothing is checked
}

// send puts a message on the network.
func (s *Sim) send(n *Node, env *engine.Envelope) {
	m := env.Message
	s.counts.message(m)
	p := &packet{from: n, to: s.byName[env.To], stream: env.Stream}
	if p.to == nil {
		s.counts.add(countToNobody, 1)
		return
	}
	s.cleaning(n, p.to, m)
	if n.encoder == nil {
		p.message = m
	} else {
		p.bytes = n.encoder.Encode(m)
	}
	if s.check != nil {
		s.check.checkSize(n, p, m)
		p.knew = s.check.knowledge(n, env.To, m)
	}
	s.trace.packet(s, "send", p)
	s.remember(p)
	link := &s.cfg.Link
	if s.cfg.LinkOf != nil {
		l := s.cfg.LinkOf(n.name, env.To)
		link = &l
	}
	switch {
	case len(s.cuts) > 0 && s.isCut(n, p.to):
		s.counts.add(countCutOff, 1)
		s.trace.fate(s, "cut off", p)
		return
	case link.Loss > 0 && s.net.Float64() < link.Loss:
		s.counts.add(countLost, 1)
		s.trace.fate(s, "lost", p)
		return
	}
	s.dispatch(p, link)
	if link.Duplicate > 0 && s.net.Float64() < link.Duplicate {
		s.counts.add(countDuplicate, 1)
		s.trace.fate(s, "twice", p)
		s.dispatch(p, link)
	}
}

// Send puts a message on the network as if a node's engine had sent it: for what
// engines do not send by themselves, and for hostile peers.
func (s *Sim) Send(from *Node, to string, stream bool, m *engine.Message) {
	if from.Up() {
		s.send(from, &engine.Envelope{To: to, Stream: stream, Message: m})
	}
}

// dispatch lets a message arrive when its link says.
func (s *Sim) dispatch(p *packet, link *Link) {
	d, late := link.draw(s.net)
	if late {
		s.counts.add(countLate, 1)
	}
	s.seq++
	s.queue.push(event{at: s.now + d, seq: s.seq, packet: p})
}

// remember keeps a random sample of all messages.
func (s *Sim) remember(p *packet) {
	if s.cfg.Remember < 0 {
		return
	}
	s.sent++
	if len(s.past) < s.cfg.Remember {
		s.past = append(s.past, p)
	} else if i := s.picks.Int63n(int64(s.sent)); i < int64(len(s.past)) {
		s.past[i] = p
	}
}

// Replay lets k messages of the past arrive once more, now, whatever the network
// does. Which ones is random; Config.Remember says how many there are to choose from.
func (s *Sim) Replay(k int) {
	for _, i := range s.picks.Perm(len(s.past))[:min(k, len(s.past))] {
		s.counts.add(countReplay, 1)
		s.seq++
		s.queue.push(event{at: s.now, seq: s.seq, packet: s.past[i]})
	}
}

// arrive hands a message to its receiver.
func (s *Sim) arrive(p *packet) {
	n := p.to
	switch {
	case n.state == down:
		s.counts.add(countToNobody, 1)
		return
	case n.state == paused:
		if len(n.backlog) < maxBacklog {
			n.backlog = append(n.backlog, p)
		}
		return
	}
	s.trace.packet(s, "arrive", p)
	m, err := s.decode(p)
	if err != nil {
		s.fail(err)
		return
	}
	if s.cfg.Tamper != nil {
		s.cfg.Tamper(n, m)
	}
	var horizon clock.Vector
	if m.Kind == engine.Live && s.check != nil {
		horizon = n.engine.Horizon()
	}
	own := m.CatchUp && p.message == nil // as a node does
	if own {
		keep(m)
		n.engine.Intake().Own(m)
	}
	out, err := n.engine.Step(n.Clock(), m)
	if errors.Is(err, engine.ErrMessage) {
		s.counts.add(countRefused, 1)
	} else if err != nil {
		s.fail(err)
		return
	}
	if m.Kind == engine.Live && s.check != nil {
		s.check.checkLive(n, horizon)
	}
	s.done(n, p, m, out)
	if p.message == nil && m.Digest.Parts <= 1 && !own {
		forget(m)
	}
}

// keep makes the updates of a message copies of what they are.
func keep(m *engine.Message) {
	for i := range m.Batches {
		for j, u := range m.Batches[i].Updates {
			m.Batches[i].Updates[j] = u.Clone()
		}
	}
}

// forget overwrites the updates of a message: an engine that kept any would notice.
func forget(m *engine.Message) {
	for i := range m.Batches {
		for _, u := range m.Batches[i].Updates {
			*u = model.Update{}
		}
	}
	if m.Repair != nil {
		for _, u := range m.Repair.Updates {
			*u = model.Update{}
		}
	}
}

// decode returns the message of a packet. Its bytes are overwritten by the next
// one's: an engine that kept any would notice. Only parts of a digest may be kept.
func (s *Sim) decode(p *packet) (*engine.Message, error) {
	if p.message != nil {
		if s.cfg.Tamper == nil {
			return p.message, nil
		}
		m := *p.message
		m.Batches, m.Exceptions = slices.Clone(m.Batches), slices.Clone(m.Exceptions)
		return &m, nil
	}
	s.buffer = append(s.buffer[:0], p.bytes...)
	m, err := p.to.encoder.Decode(s.buffer)
	if err == nil && m.Digest.Parts > 1 {
		return p.to.encoder.Decode(slices.Clone(p.bytes))
	}
	return m, err
}
