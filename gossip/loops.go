package gossip

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// take gives a message to the engine, unless it could not be decoded.
func (n *Node) take(p transport.Packet, m *engine.Message, err error) {
	if err != nil {
		n.drop(err)
		return
	}
	n.counters.received(p.Channel, m.Kind, len(p.Bytes))
	var conflicts []engine.SpaceStatus
	err = n.do(func(now time.Time) (engine.Output, error) {
		out, err := n.engine.Step(now, m)
		conflicts = n.newConflicts()
		n.throttle.look(n.engine)
		return out, err
	})
	for _, s := range conflicts {
		n.log.Error("a space has models of two types: nothing sensible comes of it", "space", s.Space, "here", s.Type, "elsewhere", s.Conflict)
	}
	if err != nil && !errors.Is(err, ErrClosed) {
		n.drop(err)
	}
}

// send encodes a message and gives it to the transport. What cannot be sent is
// counted: later rounds bring it.
func (n *Node) send(e engine.Envelope) {
	ch := transport.Datagram
	if e.Stream {
		ch = transport.Stream
	}
	if s, ok := n.transport.(transport.FuncSender); ok && e.Stream && e.Size > 0 {
		n.sendLarge(s, e)
		return
	}
	b := n.codec.Encode(e.Message)
	size := len(b) // b is the transport's once it is sent
	if err := n.transport.Send(e.To, ch, b); err != nil {
		n.drop(err)
		return
	}
	n.counters.sent(ch, e.Message.Kind, size)
}

// sendLarge has a message encoded where it is written, while others are made.
func (n *Node) sendLarge(s transport.FuncSender, e engine.Envelope) {
	err := s.SendFunc(e.To, e.Size, func(b []byte) []byte {
		longer := n.codec.Append(b, e.Message)
		n.counters.sent(transport.Stream, e.Message.Kind, len(longer)-len(b))
		n.encoded.add(e.Message)
		return longer
	})
	if err != nil {
		n.drop(err)
	}
}

// drop counts a message that was refused, here or by the transport, and logs the
// first one of each reason: what may be a misconfigured node would flood the log.
func (n *Node) drop(err error) {
	r := reasonOf(err)
	level := slog.LevelDebug
	if n.counters.dropped[r].Add(1) == 1 && r.inbound() {
		level = slog.LevelWarn
	}
	n.log.Log(context.Background(), level, "message dropped", "reason", r, "error", err)
}

// rounds calls the engine's Tick when it is due.
func (n *Node) rounds() {
	timer := time.NewTimer(n.arm())
	defer timer.Stop()
	for {
		select {
		case <-n.done:
			return
		case <-n.wake:
		case <-timer.C:
			// The only error is ErrClosed.
			_ = n.do(func(now time.Time) (engine.Output, error) {
				out := n.engine.Tick(now)
				n.throttle.look(n.engine)
				return out, nil
			})
		}
		timer.Reset(n.arm())
	}
}

// arm returns how long the timer loop may sleep. From here on, an engine that
// wants to be called earlier wakes it.
func (n *Node) arm() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.armed = n.engine.Next()
	return time.Until(n.armed)
}

// membership tells the engine who is there.
func (n *Node) membership() {
	r := roster{removeAfter: n.cfg.RemoveAfter, peers: map[string]*rosterPeer{}}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		members, changed := n.transport.Members()
		now := time.Now()
		moved := r.update(now, members)
		var neighbours []string
		// The only error is ErrClosed.
		_ = n.do(func(now time.Time) (engine.Output, error) {
			for _, c := range moved {
				n.engine.SetPeer(now, c.name, c.state)
			}
			n.setStandings(moved)
			n.throttle.setPeers(now, r.alive())
			neighbours = n.engine.Neighbours()
			return engine.Output{}, nil
		})
		n.link(neighbours)
		for _, c := range moved {
			n.log.Info("peer", "peer", c.name, "state", peerStates[c.state])
		}
		timer.Stop()
		if next, ok := r.next(); ok {
			timer.Reset(next.Sub(now))
		}
		select {
		case <-n.done:
			return
		case <-changed:
		case <-timer.C:
		}
	}
}
