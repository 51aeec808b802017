package engine

import (
	"math"
	"time"
)

// Flow is a node's part in flow control (Paper §4): it says what to tell peers and
// learns what exchanges show. The engine calls it from within Step and Tick, and
// decides nothing itself.
type Flow interface {
	// Rates returns what to tell a peer, in a SYN or an ACK. Pending is ignored.
	Rates(now time.Time) Rates
	// Exchanged is called once for each exchange of which both sides' rates are
	// known: at its initiator when the ACK is there, at its responder when that is
	// sent. If the ACK is lost only the responder hears of it.
	Exchanged(now time.Time, x Exchanged)
}

// Exchanged is what one exchange showed.
type Exchanged struct {
	Peer      string
	Initiated bool    // by this node
	Mine      Rates   // what this node told its peer; by now its own may be others
	Theirs    Rates   // what the peer told; zero: it takes no part
	Peers     int     // living peers of this node
	Pending   int     // retained updates that the peer lacked before the exchange; at the initiator, of the two directions the larger number
	Budget    float64 // updates of the size usual here that the budget carries per direction; infinite before this node has seen any size
}

// rates returns what a message says of this node's rates.
func (e *Engine) rates(now time.Time) Rates {
	if e.cfg.Flow == nil {
		return Rates{}
	}
	r := e.cfg.Flow.Rates(now)
	r.Pending = 0
	return r
}

// pending counts what candidates have retained, 0 without flow control.
func (e *Engine) pending(all []candidate) int {
	if e.cfg.Flow == nil {
		return 0
	}
	n := 0
	for _, c := range all {
		n += c.pending()
	}
	return n
}

// share hands one exchange's figures to flow control.
func (e *Engine) share(now time.Time, p *peer, initiated bool, mine, theirs Rates, pending int) {
	if e.cfg.Flow == nil {
		return
	}
	x := Exchanged{Peer: p.name, Initiated: initiated, Mine: mine, Theirs: theirs, Pending: pending, Budget: math.Inf(1)}
	if e.updateSize > 0 {
		x.Budget = float64(e.cfg.Budget) / e.updateSize
	}
	for _, p := range e.peerOrder {
		if p.state == PeerAlive {
			x.Peers++
		}
	}
	e.cfg.Flow.Exchanged(now, x)
}

// weigh notes the size of updates as they were sent, smoothed over some hundred.
func (e *Engine) weigh(bytes, updates int) {
	if updates == 0 {
		return
	}
	size := float64(bytes) / float64(updates)
	if e.updateSize == 0 {
		e.updateSize = size
		return
	}
	e.updateSize += (size - e.updateSize) * min(1, float64(updates)/256)
}
