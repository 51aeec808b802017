package sim

import (
	"maps"
	"math"
	"math/rand"
	"slices"
	"strconv"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Sim is one simulated cluster. It is not safe for concurrent use.
type Sim struct {
	cfg    Config
	rng    *rand.Rand // the caller's
	net    *rand.Rand // delays and losses
	draws  *rand.Rand // partners, when Uniform
	wires  *rand.Rand // delays of live messages
	links  uint64     // that were made
	picks  *rand.Rand // what Replay chooses from, and chooses
	seeds  source     // of engines and loads
	start  time.Time
	now    time.Duration // since the start
	seq    uint64
	events uint64
	queue  queue
	rota   rota
	nodes  []*Node
	byName map[string]*Node
	spaces []string // of Config.Models, in order
	living []*Node  // in no order that means anything
	lives  int      // that were begun
	cuts   []Cut
	apart  [2]*Node // that did not agree when it was last asked
	past   []*packet
	sent   uint64 // messages that could have become part of past
	counts counts
	asked  map[asking]bool // that are not answered
	check  *checker        // nil: Off
	trace  tracer
	buffer []byte // of the message that arrives
	failed error

	stepping bool // an event is under way
	collects bool // some node takes part in collection
}

// never is after everything.
const never = time.Duration(math.MaxInt64)

// New returns a simulation of cfg.Nodes nodes that know of each other and nothing
// else.
func New(cfg Config) (*Sim, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	stream := func(i uint64) *rand.Rand { return stream(cfg.Seed, i).rand() }
	s := &Sim{
		cfg: cfg.withDefaults(), start: time.UnixMilli(1_700_000_000_000).UTC(), byName: map[string]*Node{}, asked: map[asking]bool{}, trace: tracer{w: cfg.Trace},
		rng: stream(1), net: stream(2), draws: stream(3), picks: stream(4), wires: stream(6), seeds: source(stream(5).Uint64()),
	}
	if cfg.Check != Off {
		s.check = newChecker(s)
	}
	s.spaces = slices.Sorted(maps.Keys(s.cfg.Models()))
	for i := range cfg.Nodes {
		s.Join("n" + strconv.Itoa(i))
	}
	return s, s.failed
}

// Start returns the virtual time at which the simulation began.
func (s *Sim) Start() time.Time { return s.start }

// Now returns the virtual time.
func (s *Sim) Now() time.Time { return s.start.Add(s.now) }

// Rand returns randomness for the caller: what it draws changes nothing else.
func (s *Sim) Rand() *rand.Rand { return s.rng }

// Events returns how many events there were: messages that arrived, rounds,
// writes, and functions of At.
func (s *Sim) Events() uint64 { return s.events }

// Nodes returns all nodes in the order in which they first joined, dead ones too.
// The slice is the simulator's.
func (s *Sim) Nodes() []*Node { return s.nodes }

// Node returns the node of this name, nil if it never joined.
func (s *Sim) Node(name string) *Node { return s.byName[name] }

// At lets do run once, d after the start; at once within the next Step if that has
// passed.
func (s *Sim) At(d time.Duration, do func()) {
	s.seq++
	s.queue.push(event{at: max(d, s.now), seq: s.seq, do: do})
}

// after lets do run d from now on.
func (s *Sim) after(d time.Duration, do func()) { s.At(s.now+d, do) }

// next returns when the next event is due.
func (s *Sim) next() time.Duration {
	at := never
	if len(s.queue) > 0 {
		at = s.queue[0].at
	}
	if len(s.rota) > 0 {
		at = min(at, s.rota[0].due)
	}
	return at
}

// Step lets the next event happen, if there is one. An error is a *Violation, or
// what broke the simulation; every later Step returns it again.
func (s *Sim) Step() error {
	at := s.next()
	if s.failed != nil || at == never {
		return s.failed
	}
	s.now, s.stepping = max(s.now, at), true
	defer func() { s.stepping = false }()
	if len(s.queue) > 0 && s.queue[0].at == at {
		e := s.queue.pop()
		if e.packet != nil {
			s.arrive(e.packet)
		} else {
			s.events++
			e.do()
		}
	} else {
		s.tick(s.rota[0])
	}
	return s.failed
}

// Run lets everything happen that is due within d, and time pass up to its end.
func (s *Sim) Run(d time.Duration) error {
	end := s.now + d
	for s.failed == nil && s.next() <= end {
		_ = s.Step() // it stays in failed
	}
	if s.failed == nil {
		s.now = end
	}
	return s.failed
}

// Until runs until done reports true, which is asked after each event; it is a
// violation if that takes longer than limit. what completes "not: …".
func (s *Sim) Until(limit time.Duration, what string, done func() bool) error {
	for end := s.now + limit; s.failed == nil && !done(); {
		if s.next() > end {
			s.now = end
			return s.violate("Until", nil, "not after %v: %s", limit, what)
		}
		_ = s.Step() // it stays in failed
	}
	return s.failed
}

// tick starts a round of a node.
func (s *Sim) tick(n *Node) {
	s.trace.event(s, "tick", n)
	if s.cfg.Uniform {
		s.drawPeer(n)
	}
	s.done(n, nil, nil, n.engine.Tick(n.Clock()))
	s.counts.when(countHeldBack, !n.clean && n.engine.OldestDead() > 0)
}

// Write issues drafts at a node, as one step. It returns ErrDown, or the engine's
// error as it is; a violation is returned by the next Step.
func (s *Sim) Write(n *Node, space string, drafts ...model.Draft) error {
	if n.state != running {
		return ErrDown
	}
	out, err := n.engine.Write(n.Clock(), space, drafts)
	if err != nil {
		return err
	}
	s.counts.drafts(drafts)
	s.trace.write(s, n, space, drafts)
	s.done(n, nil, nil, out)
	return nil
}

// done is the end of every call of a node's engine: its output is handled, and it
// is checked. m is the message that the call was about, nil for others, and p how
// that came.
func (s *Sim) done(n *Node, p *packet, m *engine.Message, out engine.Output) {
	s.events++
	n.noteEpoch()
	n.noteChanges(&out)
	if clean := n.engine.Clean(); clean != n.clean {
		n.clean = clean
		s.counts.when(countClean, clean)
		s.counts.when(countDirty, !clean)
	}
	var before glance
	if s.check != nil {
		before = s.check.look(n)
	}
	for i := range out.Send {
		s.send(n, &out.Send[i])
	}
	n.reschedule()
	if s.check != nil {
		s.check.event(n, before, p, m)
	}
	if n.leaving {
		s.departIfDone(n)
	}
	if out.Fresh {
		s.feed(n)
	}
}
