package engine

import (
	"fmt"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Engine is the pure core of a node. It is not safe for concurrent use, except
// that any number of goroutines may read (Self, Clean, Vector, Replicas, Spaces, Stats,
// Pending, CatchUp, Next, and the models) while none calls anything else. What a model lets
// be read meanwhile is its own affair.
type Engine struct {
	cfg       Config
	self      clock.Replica
	published clock.Version // some peer has shown that it knows self up to here
	hlc       clock.HLC
	hasher    *hasher
	stats     Stats

	replicas map[clock.Replica]*replica
	order    []*replica // all replicas, ascending by id
	last     *replica   // of the latest lookup
	behind   int        // replicas whose vector is below their horizon; 0 means clean (R4)
	changes  uint64     // grows with every change of the vector
	digest   []DigestEntry
	digestAt uint64 // changes when digest was built; the slice is shared and never written again

	spaces     map[string]*space
	spaceOrder []*space // ascending by name
	lastSpace  *space   // of the latest lookupSpace
	relayed    int      // updates in spaces without a model

	peers      map[string]*peer
	peerOrder  []*peer // ascending by name
	schedule   schedule
	exchanges  uint64 // the last exchange id given
	catchup    catchup
	toServe    []turnOf  // whose turn it is to be sent a part of what they catch up with
	serveAt    time.Time // when it is the next one's
	cleaning   cleaning
	rebase     rebase
	dooms      []doom        // of rebases, oldest first
	zombies    bool          // something dead may be retained: not clean until a rebase (R9)
	reset      bool          // a batch was refused that only a rebase can replace (R9)
	resetSince time.Time     // when the first one was
	desperate  bool          // … and that is too long ago
	rebasedAt  []DigestEntry // what the peer of the latest rebase knew

	reports    reports
	retired    retired
	departed   bool                            // this node does not write again
	goodbye    bool                            // … and a peer knows that
	heads      map[clock.Replica]clock.Version // of replicas that nothing is known of but that they exist
	headless   bool                            // there were too many of them
	graves     graves                          // what waits to be collected, by the time that must be stable
	alarms     graves                          // what will expire, by when it does
	collected  clock.Timestamp                 // up to here something was collected
	lifts      uint64                          // how often a floor rose
	collecting bool                            // somebody may have collected something
	tendAt     time.Time
	unfinished bool            // what is stable was too much to collect at once
	scrubbed   clock.Dot       // the last update that was looked at again
	scrubs     uint64          // how often all were
	scrubPart  scrubPart       // how many at a time
	scrubAt    time.Time       // not before
	joinUntil  time.Time       // not admitted yet, and waiting until then; zero: a member
	stableAt   clock.Timestamp // R7, of the latest look; 0: not usable
	unstable   []string        // why
	dirtySince time.Time       // meaningful while behind > 0

	stolen  bool      // somebody else writes under self: it needs a new epoch (R1)
	epochAt time.Time // when the last one was taken

	updateSize float64 // bytes of one update in a message, smoothed; 0: none was sent

	live    live
	written written
	changed []model.Change // of the latest Write: its memory is used again

	shown  []model.Change // what the latest Step returned: its memory is used again
	spares spares

	interval time.Duration // between rounds, now
	eager    int           // rounds to come that do not make interval longer
	round    time.Time     // when the last round was
	next     time.Time     // when the next one is due
}

// Output is the work that a call leaves to its caller, to be done in the order
// of the fields.
type Output struct {
	Send    []Envelope     // in order per peer
	Live    []LiveEnvelope // from Feed
	Changed []model.Change // what models now show, in the order in which it happened; there until the next Step, from Write until the next Write
	Fresh   bool           // links that are ready can be fed: call Feed
}

// Envelope is a message on its way.
type Envelope struct {
	To      string // node name
	Stream  bool   // too large for a datagram
	Size    int    // its encoding has at most so many bytes; 0: nobody has measured
	Message *Message
}

// send adds a message to the output.
func (o *Output) send(to string, stream bool, m *Message) {
	o.Send = append(o.Send, Envelope{To: to, Stream: stream, Message: m})
}

// New returns an engine that knows nothing. Its first round is due at a random
// moment within the first interval.
func New(now time.Time, cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	e := &Engine{
		scrubPart: scrubPart{scrubUpdates, scrubBytes},
		cfg:       cfg,
		self:      cfg.Self,
		hasher:    newHasher(cfg.Cluster),
		replicas:  map[clock.Replica]*replica{},
		spaces:    map[string]*space{},
		peers:     map[string]*peer{},
		heads:     map[clock.Replica]clock.Version{},
		digestAt:  ^uint64(0),
		interval:  cfg.Interval,
		round:     now,
	}
	e.next = now.Add(time.Duration(cfg.Rand.Int63n(int64(cfg.Interval) + 1)))
	e.exchanges = cfg.Rand.Uint64() >> 16 // unlikely to repeat those of an earlier incarnation
	e.replica(cfg.Self)
	e.measure(now)
	if cfg.Joining {
		e.joinUntil = now.Add(cfg.JoinTimeout)
	}
	return e, nil
}

// Self returns the replica under which this node writes now. It changes when
// the node must take a new epoch (R1).
func (e *Engine) Self() clock.Replica { return e.self }

// Published returns how far some peer has shown to know this node's own updates.
func (e *Engine) Published() clock.Version { return e.published }

// Write issues drafts as updates of this replica in a space. Either all are
// issued or, with an error, none.
func (e *Engine) Write(now time.Time, space string, drafts []model.Draft) (Output, error) {
	var out Output
	s := e.lookupSpace(space)
	if s == nil || s.model == nil {
		return out, fmt.Errorf("%w: %q", ErrNotAttached, space)
	}
	if e.IsJoining(now) || e.isOver(e.self) {
		return out, ErrJoining
	}
	if e.aheadOfPeers() {
		return out, ErrClock
	}
	self := e.replica(e.self)
	if self == nil {
		return out, fmt.Errorf("engine: write: %d replicas already", e.cfg.MaxReplicas)
	}
	var one [1]*model.Update // most writes have one
	updates := one[:]
	if len(drafts) != 1 {
		updates = make([]*model.Update, len(drafts))
	}
	hlc := e.hlc
	for i, d := range drafts {
		if d.TTL != 0 && (d.TTL < 0 || s.expirer == nil) {
			return out, fmt.Errorf("engine: TTL of %v: what is written to %q cannot expire so", d.TTL, space)
		}
		dot := clock.Dot{Replica: e.self, Version: self.version + clock.Version(i) + 1}
		u := d.Update(dot, hlc.Next(now), s.name)
		n := e.cfg.Codec.UpdateSize(u)
		if n > e.cfg.MaxUpdate {
			return out, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, n, e.cfg.MaxUpdate)
		}
		if e.updateSize == 0 {
			e.updateSize = float64(n)
		}
		updates[i] = u
	}
	if len(updates) == 0 {
		return out, nil
	}
	if err := s.admit(updates); err != nil {
		return out, err
	}
	e.hlc = hlc
	out.Changed = e.changed[:0]
	e.issue(self, s, updates, &out)
	if e.changed = out.Changed; cap(e.changed) > changedMost {
		e.changed = nil
	}
	e.announce(now)
	return out, nil
}

// changedMost is of how many changes Write keeps the memory.
const changedMost = 16

// issue integrates new updates of this replica, whose versions follow its last.
func (e *Engine) issue(self *replica, s *space, updates []*model.Update, out *Output) {
	e.freshen(self, out)
	for _, u := range updates {
		e.advance(self, u.Version)
		e.integrate(self, s, e.hasher.own(u), out)
		e.noteIssued(u)
	}
	e.stats.UpdatesWritten += uint64(len(updates))
}

// aheadOfPeers reports whether most peers that were heard of lately have clocks
// more than MaxDrift behind this node's.
func (e *Engine) aheadOfPeers() bool {
	behind, heard := 0, 0
	for _, p := range e.peerOrder {
		if p.state != PeerAlive || p.heard.IsZero() {
			continue
		}
		heard++
		if p.slow {
			behind++
		}
	}
	return behind*2 > heard
}

// Clean reports whether the state is exactly the models' value over everything
// in the vector (R4).
func (e *Engine) Clean() bool { return e.behind == 0 && !e.zombies }

// Vector returns a copy of what is known.
func (e *Engine) Vector() clock.Vector {
	entries := make([]clock.Entry, 0, len(e.order))
	for _, r := range e.order {
		if !r.over {
			entries = append(entries, clock.Entry{Replica: r.id, Version: r.version})
		}
	}
	return clock.NewVector(entries)
}

// Replicas returns how many components Vector has.
func (e *Engine) Replicas() int {
	n := 0
	for _, r := range e.order {
		if !r.over && r.version > 0 {
			n++
		}
	}
	return n
}

// Horizon returns a copy of the horizon (R4).
func (e *Engine) Horizon() clock.Vector {
	entries := make([]clock.Entry, 0, len(e.order))
	for _, r := range e.order {
		entries = append(entries, clock.Entry{Replica: r.id, Version: r.horizon})
	}
	return clock.NewVector(entries)
}

// Floors returns, by replica, the highest version that was collected (R8).
func (e *Engine) Floors() clock.Vector {
	var entries []clock.Entry
	for _, r := range e.order {
		if r.floor > 0 {
			entries = append(entries, clock.Entry{Replica: r.id, Version: r.floor})
		}
	}
	return clock.NewVector(entries)
}

// Stable returns the time up to which everything is known to all members, by this
// node's last look (R7); 0 while that is not known, and who or what stands against it.
// While nothing waits to be collected there is no look, and neither.
func (e *Engine) Stable() (through clock.Timestamp, why []string) { return e.stableAt, e.unstable }

// Stats returns what has been counted since New.
func (e *Engine) Stats() Stats { return e.stats }

// Pending returns how many versions peers were last seen to know that this
// node does not, and that links do not bring.
func (e *Engine) Pending() uint64 {
	var n uint64
	for _, p := range e.peerOrder {
		n = max(n, p.lacking)
	}
	return n
}
