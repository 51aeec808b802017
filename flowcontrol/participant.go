package flowcontrol

// Participant is one node's part in flow control: its desired rate ρ and its
// maximum rate τ. It is not safe for concurrent use.
type Participant struct {
	controller Controller
	desired    float64 // ρ
	maximum    float64 // τ
}

// NewParticipant returns a participant that desires nothing, and may nothing until
// its first exchange. The controller is its own from now on.
func NewParticipant(c Controller) *Participant { return &Participant{controller: c} }

// SetDesired sets ρ, in updates per second.
func (p *Participant) SetDesired(rate float64) { p.desired = clamp(rate) }

// Rates returns what to tell a peer; all are finite.
func (p *Participant) Rates() Rates {
	return Rates{Desired: p.desired, Maximum: p.maximum, Capacity: clamp(p.controller.Capacity())}
}

// Observe takes notice of an exchange: the pair shares what both have told, then
// the controller adapts τ. What is shared is added to τ or taken away, as far as
// there is any: τ may have moved since it was told, and both sides change by the
// same amount, so that exchanges that overlap leave the sum over all nodes alone
// (I12). With a node that takes no part nothing is shared.
func (p *Participant) Observe(x Exchange) {
	if x.Mine != (Rates{}) && x.Theirs != (Rates{}) {
		share, _ := Share(x.Mine, x.Theirs)
		p.maximum = clamp(p.maximum + share - clamp(x.Mine.Maximum))
	}
	p.maximum = clamp(p.controller.Adapt(x, p.maximum))
}
