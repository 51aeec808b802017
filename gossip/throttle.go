package gossip

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/flowcontrol"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// FlowControl says how a node finds out how fast it may write (Paper §4); see
// package flowcontrol.
type FlowControl uint8

// The ways to control the flow. All nodes of a cluster should agree: one that does
// not take part writes as fast as it likes, and the others make room for it.
const (
	FlowQuota FlowControl = iota // an equal part of what gossip can carry, and what others leave
	FlowAIMD                     // the paper's: less after overflows, more after none
	FlowOff                      // none: writes never wait
)

// String returns the name in lower case.
func (f FlowControl) String() string {
	if f > FlowOff {
		return fmt.Sprintf("flow control %d", uint8(f))
	}
	return [...]string{"quota", "aimd", "off"}[f]
}

const (
	// assumedUpdate is how many bytes an update is taken to have before exchanges
	// show it.
	assumedUpdate = 128
	// increase is what AIMD adds, as a part of an equal share of the capacity: the
	// paper's 0.2 updates per second are 6 % of it with 64 nodes, 13 % with 128.
	increase = 0.05
	// leastShare is the part of an equal share of the capacity that a node may write
	// whatever its τ is: so that everybody gets on.
	leastShare = 0.01
	// demandMemory is how long writes count for the rate that is desired.
	demandMemory = time.Second
	// demandStep is for how long they count in full.
	demandStep = time.Millisecond
	// grace is for how long links may have no room before writers wait: a burst is let in.
	grace = 20 * time.Millisecond
	// calm is how long they must have had room for the next burst.
	calm = 100 * time.Millisecond
	// patience is how long one writer waits for room, at most.
	patience = 100 * time.Millisecond
)

var _ engine.Flow = (*throttle)(nil)

// throttle holds local writes back to the rate τ that flow control gives this node.
// What is not marked otherwise is guarded by Node.mu.
type throttle struct {
	nominal float64 // exchanges per second that this node can take part in at best
	aimd    bool

	controller  flowcontrol.Controller
	participant *flowcontrol.Participant
	peers       int           // living members besides this one
	exchanged   bool          // since there are peers
	budget      float64       // of an exchange, in updates
	leaving     bool          // nobody waits any more
	accepted    float64       // updates written per second, smoothed, at …
	acceptedAt  time.Time     // … this moment
	refusedAt   time.Time     // the last refusal of a write that would not wait
	limiter     *rate.Limiter // has a lock of its own

	full     atomic.Bool // links have no room for more; written under Node.mu
	fullFrom time.Time   // when they had none for the first time after a calm …
	fullAt   time.Time   // … and when last

	written clock.Dot // the newest own update
	sent    clock.Dot // the newest own update that was put into a message; guarded by Node.order

	waiting atomic.Int64  // writers that wait
	refused atomic.Uint64 // writes that would not wait
	turn    chan struct{} // capacity 1: held by the writer that waits in front of all others
	changed chan struct{} // capacity 1: it must look again how long it has to wait
}

// newThrottle returns nil when flow control is off.
func newThrottle(cfg Config) *throttle {
	if cfg.Flow == FlowOff {
		return nil
	}
	t := &throttle{
		nominal: 2 / cfg.MinInterval.Seconds(),
		aimd:    cfg.Flow == FlowAIMD,
		budget:  max(1, float64(cfg.Budget)/assumedUpdate),
		limiter: rate.NewLimiter(rate.Inf, 1),
		turn:    make(chan struct{}, 1), changed: make(chan struct{}, 1),
	}
	t.begin()
	return t
}

// begin forgets what was agreed with others.
func (t *throttle) begin() {
	t.exchanged = false
	if t.controller = (&flowcontrol.Quota{Rate: t.nominal, Budget: t.budget}); t.aimd {
		t.controller = &flowcontrol.AIMD{}
	}
	t.participant = flowcontrol.NewParticipant(t.controller)
}

// flow returns the throttle as the engine takes it.
func (t *throttle) flow() engine.Flow {
	if t == nil {
		return nil
	}
	return t
}

// Rates implements engine.Flow.
func (t *throttle) Rates(now time.Time) engine.Rates {
	t.participant.SetDesired(t.desired(now))
	r := t.participant.Rates()
	return engine.Rates{Desired: r.Desired, Maximum: r.Maximum, Capacity: r.Capacity}
}

// Exchanged implements engine.Flow.
func (t *throttle) Exchanged(now time.Time, x engine.Exchanged) {
	rates := func(r engine.Rates) flowcontrol.Rates {
		return flowcontrol.Rates{Desired: r.Desired, Maximum: r.Maximum, Capacity: r.Capacity}
	}
	if aimd, ok := t.controller.(*flowcontrol.AIMD); ok {
		aimd.Increase = increase * t.share()
	}
	t.participant.Observe(flowcontrol.Exchange{
		Time: now, Initiated: x.Initiated, Nodes: x.Peers + 1,
		Pending: float64(x.Pending), Budget: x.Budget, Mine: rates(x.Mine), Theirs: rates(x.Theirs),
	})
	t.exchanged = true
	if !math.IsInf(x.Budget, 1) {
		t.budget = x.Budget
	}
	t.adjust(now)
}

// setPeers says how many living members there are besides this one. Of what was
// agreed with those that are all gone nothing is left.
func (t *throttle) setPeers(now time.Time, peers int) {
	if t == nil || t.peers == peers {
		return
	}
	t.peers = peers
	if peers == 0 {
		t.begin()
	}
	t.adjust(now)
}

// leave lets all go who wait: writes are refused.
func (t *throttle) leave(now time.Time) {
	if t == nil {
		return
	}
	t.leaving = true
	t.adjust(now)
}

// adjust makes the limiter follow what is known.
func (t *throttle) adjust(now time.Time) {
	limit := rate.Limit(t.maximum())
	if math.IsInf(float64(limit), 1) {
		limit = rate.Inf
	}
	t.limiter.SetBurstAt(now, max(1, int(t.budget)))
	t.limiter.SetLimitAt(now, limit)
	t.wake()
}

// wake tells who waits in front to look again.
func (t *throttle) wake() {
	select {
	case t.changed <- struct{}{}:
	default: // he has not seen the last one yet
	}
}

// maximum returns how many updates per second may be written, infinity while there
// is nobody for whose sake writes should wait.
func (t *throttle) maximum() float64 {
	if t.peers == 0 || !t.exchanged || t.leaving {
		return math.Inf(1)
	}
	return max(t.participant.Rates().Maximum, leastShare*t.share())
}

// share returns an equal part of what exchanges can carry at best.
func (t *throttle) share() float64 { return t.nominal * t.budget / float64(t.peers+1) }

// desired returns ρ: what is written, or, while a write waits, or would have had
// to, more than there is.
func (t *throttle) desired(now time.Time) float64 {
	if t.waiting.Load() > 0 || now.Sub(t.refusedAt) < demandMemory {
		return max(t.nominal*t.budget, 2*t.participant.Rates().Maximum)
	}
	return t.demand(now)
}

// demand returns how many updates per second were written lately.
func (t *throttle) demand(now time.Time) float64 {
	return t.accepted * math.Exp(-now.Sub(t.acceptedAt).Seconds()/demandMemory.Seconds())
}

// rates returns ρ, τ and C for people.
func (t *throttle) rates(now time.Time) flowcontrol.Rates {
	if t == nil {
		return flowcontrol.Rates{Maximum: math.Inf(1)}
	}
	return flowcontrol.Rates{Desired: t.desired(now), Maximum: t.maximum(), Capacity: t.participant.Rates().Capacity}
}

// isOpen reports whether a write may be made now.
func (t *throttle) isOpen(now time.Time) bool {
	return t == nil || t.waiting.Load() == 0 && !t.full.Load() && (t.limiter.Limit() == rate.Inf || t.limiter.TokensAt(now) >= 1)
}

// charge pays for what was written, whatever there is to pay with. An update in
// whose place another one came before most others had it costs nothing.
func (t *throttle) charge(now time.Time, e *engine.Engine, changed []model.Change) {
	if t == nil {
		return
	}
	cost, self, sent := 0, e.Self(), t.sentOf(e)
	for _, c := range changed {
		t.written = c.New.Dot
		if c.Old == nil || c.Old.Replica != self || c.Old.Version <= sent {
			cost++
		}
	}
	if e.Room() <= 0 {
		t.fill(now)
	}
	if now.Sub(t.acceptedAt) >= demandStep {
		t.accepted, t.acceptedAt = t.demand(now), now
	}
	t.accepted += float64(cost) / demandMemory.Seconds()
	if cost > 0 {
		t.limiter.ReserveN(now, min(cost, t.limiter.Burst()))
	}
}

// fill notes that links have no room.
func (t *throttle) fill(now time.Time) {
	if now.Sub(t.fullAt) >= calm {
		t.fullFrom = now
	}
	if t.fullAt = now; now.Sub(t.fullFrom) >= grace {
		t.full.Store(true)
	}
}

// look lets writers go on who wait for room, if there is some.
func (t *throttle) look(e *engine.Engine) {
	if t == nil || !t.full.Load() || e.Room() <= 0 {
		return
	}
	t.full.Store(false)
	t.wake()
}

// isFree reports whether drafts for a space cost nothing: each takes the place of an
// update that most others have not been sent yet.
func (t *throttle) isFree(e *engine.Engine, space string, drafts []model.Draft) bool {
	sent := t.sentOf(e)
	for _, d := range drafts {
		if !e.Unsent(space, d.Key, sent) {
			return false
		}
	}
	return true
}

// hasUnsent reports whether there may be writes that are free.
func (t *throttle) hasUnsent(e *engine.Engine) bool {
	return t.written.Replica == e.Self() && t.written.Version > t.sentOf(e)
}

// refuse says that a write would have to wait.
func (t *throttle) refuse(now time.Time) error {
	t.refusedAt = now
	return ErrThrottled
}

// sentOf returns the newest version of this node that was put into a message, and over
// most links, if there are any.
func (t *throttle) sentOf(e *engine.Engine) clock.Version {
	if t.sent.Replica != e.Self() {
		return 0
	}
	return min(t.sent.Version, e.Spread())
}

// note takes notice of what leaves this node. Node.order is held.
func (t *throttle) note(self clock.Replica, m *engine.Message) {
	if t == nil {
		return
	}
	sent := clock.Version(0)
	if t.sent.Replica == self {
		sent = t.sent.Version
	}
	for i := range m.Batches {
		if b := &m.Batches[i]; b.Replica == self {
			sent = max(sent, b.Through)
		}
	}
	if m.Repair != nil {
		for _, u := range m.Repair.Updates {
			if u.Replica == self {
				sent = max(sent, u.Version)
			}
		}
	}
	t.sent = clock.Dot{Replica: self, Version: sent}
}

// await waits until a write may be made, in the order of arrival, and returns what
// lets the next one wait in front.
func (t *throttle) await(ctx context.Context, done <-chan struct{}) (pass func(), err error) {
	over := func() error {
		select {
		case <-done:
			return ErrClosed
		default:
			return fmt.Errorf("%w: %w", ErrThrottled, context.Cause(ctx))
		}
	}
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, over()
	case <-done:
		return nil, over()
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for begin := time.Now(); ; {
		now := time.Now()
		d := t.delay(now)
		if t.full.Load() {
			d = max(d, begin.Add(patience).Sub(now))
		}
		if d <= 0 {
			return func() { <-t.turn }, nil
		}
		timer.Reset(d)
		select {
		case <-timer.C:
		case <-t.changed:
		case <-ctx.Done():
			<-t.turn
			return nil, over()
		case <-done:
			<-t.turn
			return nil, over()
		}
	}
}

// delay returns how long it takes until one update can be paid for.
func (t *throttle) delay(now time.Time) time.Duration {
	limit := t.limiter.Limit()
	lacking := 1 - t.limiter.TokensAt(now)
	if limit == rate.Inf || lacking <= 0 {
		return 0
	}
	seconds := min(lacking/float64(limit), time.Hour.Seconds())
	return time.Duration(seconds*float64(time.Second)) + 1 // the fraction that is cut off
}
