package sim

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// ErrDown is returned by Write at a node that does not run.
var ErrDown = errors.New("sim: the node is not running")

// Join starts a node that knows nothing, and tells all others. If there is one of
// that name it is returned, restarted without its state if it was down. If it cannot
// be, nil is returned, and the next Step says why.
func (s *Sim) Join(name string) *Node {
	n := s.byName[name]
	switch {
	case n != nil && n.Up():
		return n
	case n != nil:
		return s.Restart(n, false)
	}
	n = &Node{sim: s, name: name, index: len(s.nodes), state: down, place: -1, alive: -1}
	if err := s.begin(n); err != nil {
		s.fail(err)
		return nil
	}
	s.nodes = append(s.nodes, n)
	s.byName[name] = n
	s.counts.add(countJoin, 1)
	s.trace.event(s, "join", n)
	s.appear(n)
	return n
}

// begin gives a node a new life.
func (s *Sim) begin(n *Node) error {
	epoch := n.newEpoch()
	cfg := s.cfg.engineOf(n.name, epoch, source(s.seeds.Uint64()))
	cfg.Joining = cfg.Joining || cfg.Collect && s.now > 0
	n.flow = nil
	if s.cfg.Flow != nil {
		n.flow = newFlow(s, s.cfg.Flow(n.name))
		cfg.Flow = n.flow
	}
	e, err := engine.New(n.Clock(), cfg)
	if err != nil {
		return fmt.Errorf("sim: node %q: %w", n.name, err)
	}
	n.engine, n.codec = e, cfg.Codec
	n.maxDatagram = cmp.Or(cfg.MaxDatagram, 1400) // the engine's defaults
	n.maxUpdate = cmp.Or(cfg.MaxUpdate, 1<<20)
	n.maxStream = cmp.Or(cfg.MaxStream, n.maxUpdate+64<<10)
	n.encoder, _ = cfg.Codec.(encoder)
	n.interval, n.budget = cmp.Or(cfg.Interval, time.Second), cmp.Or(cfg.Budget, 1<<20)
	if cfg.Window > 0 {
		n.budget = min(n.budget, cfg.Window)
	}
	n.epochs = append(n.epochs, epoch)
	s.lives++
	n.models, n.peer, n.leaving, n.backlog = map[string]model.Model{}, nil, false, nil
	n.clean, n.began, n.peers = true, s.now, map[*Node]belief{}
	n.pipes = map[*Node]*pipe{}
	s.collects = s.collects || cfg.Collect
	n.removeAfter = cmp.Or(cfg.RemoveAfter, 10*time.Minute)
	if s.check != nil {
		s.check.begin(n)
	}
	models := s.cfg.Models()
	spaces := s.spaces
	if s.cfg.Spaces != nil {
		spaces = s.cfg.Spaces(n.name)
	}
	for _, space := range spaces {
		if err := s.attach(n, space, models[space]); err != nil {
			return err
		}
	}
	return nil
}

// Attach gives a node the model of a space that it has not attached yet.
func (s *Sim) Attach(n *Node, space string) error {
	err := s.attach(n, space, s.cfg.Models()[space])
	if err == nil {
		s.counts.add(countAttach, 1)
		s.trace.event(s, "attach "+space, n)
		s.done(n, nil, nil, engine.Output{})
	}
	return err
}

func (s *Sim) attach(n *Node, space string, m model.Model) error {
	if m == nil {
		return fmt.Errorf("sim: node %q: Config.Models has no space %q", n.name, space)
	}
	if h, ok := m.(model.Handle); ok {
		if err := h.Bind(&host{s, n, space}); err != nil {
			return fmt.Errorf("sim: node %q: space %q: %w", n.name, space, err)
		}
	}
	seen := m
	if s.check != nil {
		seen = s.check.attach(n, space, m)
	}
	if err := n.engine.Attach(space, seen); err != nil {
		return err
	}
	n.models[space] = m
	return nil
}

// appear makes a node run, tells it of all others, and them of it.
func (s *Sim) appear(n *Node) {
	n.state = running
	n.alive = len(s.living)
	s.living = append(s.living, n)
	n.reschedule()
	s.announce(n)
	s.introduce(n)
	s.relink()
}

// vanish stops a node without telling anybody.
func (s *Sim) vanish(n *Node) {
	n.state = down
	n.backlog = nil
	s.rota.drop(n)
	last := s.living[len(s.living)-1]
	s.living[n.alive], last.alive = last, n.alive
	s.living = s.living[:len(s.living)-1]
	n.alive = -1
	s.relink()
}

// Crash stops a node at once. What it sent still arrives; what arrives there is
// lost. The others take it for failed, at once unless Config.Detect says when.
func (s *Sim) Crash(n *Node) {
	if !n.Up() {
		return
	}
	s.counts.add(countCrash, 1)
	s.trace.event(s, "crash", n)
	s.vanish(n)
	s.noticeAll()
}

// Restart starts a node that is down, or that crashes now. With keep it goes on with
// its state, as from a durable store; conversations that were under way are part of
// it, as long as engines cannot be read from a store. Without, it knows nothing but
// its name, and takes a new epoch.
func (s *Sim) Restart(n *Node, keep bool) *Node {
	if n.Up() {
		s.vanish(n)
	}
	if !keep {
		s.counts.engine(n.engine)
		if err := s.begin(n); err != nil {
			s.fail(err)
			return n
		}
	}
	n.gone, n.leaving = false, false
	n.engine.Rejoin()
	if keep {
		s.counts.add(countRestartKeeping, 1)
		s.trace.event(s, "restart keeping its state", n)
	} else {
		s.counts.add(countRestart, 1)
		s.trace.event(s, "restart", n)
	}
	s.appear(n)
	return n
}

// Pause stops a node as SIGSTOP does: it does nothing, and messages to it wait.
func (s *Sim) Pause(n *Node) {
	if n.state != running {
		return
	}
	n.state = paused
	s.rota.drop(n)
	s.counts.add(countPause, 1)
	s.trace.event(s, "pause", n)
	s.noticeAll()
}

// maxBacklog is how many messages wait for a paused node; what is more is lost.
const maxBacklog = 1000

// Resume lets a paused node go on. What waited arrives at once, in order.
func (s *Sim) Resume(n *Node) {
	if n.state != paused {
		return
	}
	n.state = running
	for _, p := range n.backlog {
		s.seq++
		s.queue.push(event{at: s.now, seq: s.seq, packet: p})
	}
	n.backlog = nil
	s.trace.event(s, "resume", n)
	n.reschedule()
	s.noticeAll()
	s.after(0, func() { s.noticeLinks(n) })
}

// leaveTimeout is how long a leaving node stays at most.
const leaveTimeout = 5 * time.Second

// Leave lets a node go: it hands over what it wrote and then stops, after five
// seconds at the latest. The others forget it when it does.
func (s *Sim) Leave(n *Node) {
	if n.state != running || n.leaving {
		return
	}
	s.counts.add(countLeave, 1)
	s.trace.event(s, "leave", n)
	n.leaving = true
	life := n.engine
	s.after(leaveTimeout, func() {
		if n.leaving && n.engine == life {
			s.depart(n)
		}
	})
	n.engine.Hurry(n.Clock())
	n.reschedule()
}

// departIfDone lets a leaving node go if what it wrote is known elsewhere, and that it
// writes no more.
func (s *Sim) departIfDone(n *Node) {
	switch {
	case n.state != running:
	case n.engine.HasDeparted():
		s.depart(n)
	case n.engine.Published() >= n.engine.Vector().Version(n.engine.Self()):
		n.engine.Depart(n.Clock())
		n.reschedule()
	}
}

// Retire lets one node declare another one lost for good (R13). It need not be.
func (s *Sim) Retire(at, lost *Node) error {
	if err := at.engine.Retire(at.Clock(), lost.name); err != nil {
		return err
	}
	s.collects = true // nodes become dirty as they do there
	s.counts.add(countRetire, 1)
	s.trace.event(s, "retire", at, lost)
	s.done(at, nil, nil, engine.Output{})
	return nil
}

func (s *Sim) depart(n *Node) {
	n.leaving = false
	if !n.Up() {
		return
	}
	n.gone = true
	s.trace.event(s, "left", n)
	s.vanish(n)
	s.announce(n)
}

// Skew steps a node's clock by d. Its engine has no other: a step back holds up its
// timers, too.
func (s *Sim) Skew(n *Node, d time.Duration) {
	n.skew += d
	s.counts.add(countSkew, 1)
	s.trace.event(s, "skew "+d.String(), n)
	n.reschedule()
}
