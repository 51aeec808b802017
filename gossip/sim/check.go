package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// checkAllEvery is how often, in events, all nodes are checked, touched or not.
const checkAllEvery = 1000

// checkedPerEvent is how many retained updates one event may look at again, on
// average.
const checkedPerEvent = 16

// checker finds violations. It changes nothing in what it watches.
type checker struct {
	sim     *Sim
	history *history
	agreed  map[uint64]*agreed // by hash of the vector
	order   []uint64           // of agreed, oldest first
	fresh   []*record          // scratch
	lost    bool               // somebody has given up waiting for what superseded something (R12), or taken it away (R13)
	forgot  clock.Vector       // what those knew who did, at that moment
	late    bool               // something was shown that is older than what was collected (R11)
	final   []clock.Entry      // of replicas that have vanished somewhere (R13), in that order
}

// watch is what the checks know of one life of a node.
type watch struct {
	vector   clock.Vector
	hash     uint64        // of vector
	over     clock.Vector  // of replicas that have vanished here: what the first one knew
	vanished uint64        // names them
	waiting  []clock.Entry // of replicas that have vanished elsewhere
	finals   int           // how many of the checker's it has looked at
	clean    bool
	changed  bool // a model was called since the last look
	probes   map[string]*probe
	removed  []*record // tombstones, since the last look
	oracle   oracle
	knew     *knowledge // of now, nil: to be made
	served   map[servedKey]*knowledge
	parts    map[partKey]*arrived
	due      uint64 // event from which on the engine checks itself again
	epoch    uint64
	resets   uint64 // in which dead updates were removed
	buried   uint64 // tombstones that it has collected
	holes    uint64 // open ones that it has applied
	givenUp  uint64 // how often it has given up
}

// knowledge is what the sender of a message knew: what an open hole in it stands
// for (R4).
type knowledge struct {
	vector  clock.Vector
	horizon clock.Vector // empty for a clean node's: it is below the vector
	used    time.Duration
}

// servedKey names a cleaning exchange at its server.
type servedKey struct {
	epoch    uint64
	to       string
	exchange uint64
}

// partKey names a message that comes in parts.
type partKey struct {
	from     clock.Replica
	kind     engine.Kind
	exchange uint64
}

// arrived is what has come of a message in parts.
type arrived struct {
	batches []engine.Batch
	last    time.Duration
}

// forgetAfter is when what belongs to an exchange is of no use any more.
const forgetAfter = time.Minute

func newChecker(s *Sim) *checker {
	return &checker{sim: s, history: newHistory(), agreed: map[uint64]*agreed{}}
}

// attach puts a probe before a model.
func (c *checker) attach(n *Node, space string, m model.Model) model.Model {
	p := &probe{Model: m, checker: c, node: n, retained: newRetention()}
	n.watch.probes[space] = p
	if _, ok := m.(model.Expirer); ok {
		return expiring{p}
	}
	return p
}

// begin forgets the life before.
func (c *checker) begin(n *Node) {
	n.watch = watch{
		clean: true, probes: map[string]*probe{}, epoch: n.engine.Self().Epoch,
		served: map[servedKey]*knowledge{}, parts: map[partKey]*arrived{},
	}
}

// learn takes down what was written, and compares it with what was written under
// the same dot (I2).
func (c *checker) learn(n *Node, u *model.Update) *record {
	r, fresh := c.history.learn(u)
	if fresh && u.Version <= c.history.author(u.Replica).covered {
		for _, n := range c.sim.nodes { // oracles were asked without it
			n.watch.oracle = oracle{}
		}
		clear(c.agreed)
		c.order = c.order[:0]
	}
	if fresh {
		r.at = c.sim.now
	}
	if fresh && u.Replica == n.engine.Self() {
		r.saw = n.watch.vector
		c.checkTime(n, r)
	}
	if u.Deps.Len() > 0 {
		c.checkDeps(n, u)
	}
	if !fresh && !r.says(u) {
		_ = c.sim.violate("I2", n, "%v has two contents: %s and %s", u.Dot, describe(&r.Update), describe(u))
	}
	return r
}

// glance is what a call of a node's engine began with, and whether its vector moved.
type glance struct {
	vector clock.Vector
	epoch  uint64
	moved  bool
}

// event checks what one call of a node's engine did. m is the message that it was
// about, nil for others, and p how that came.
func (c *checker) event(n *Node, before glance, p *packet, m *engine.Message) {
	w := &n.watch
	if before.moved {
		c.checkGrowth(n, before)
	}
	if m != nil {
		batches := m.Batches
		if m.Digest.Parts > 1 { // the part that came last need not be the one with the batches
			batches = c.collect(n, m)
		}
		if before.moved {
			c.checkBatches(n, before, batches)
		}
		if holes := n.engine.Stats().OpenHoles; holes > w.holes {
			w.holes = holes
			c.checkHorizon(n, p, m)
		}
		resets := n.engine.Stats().Resets
		if (before.moved || w.changed) && resets == w.resets {
			c.checkRepeated(n, before, m)
		}
		w.resets = resets
	}
	if n.watch.removed != nil {
		c.checkCollected(n, m)
	}
	switch {
	case c.sim.cfg.Check == Every || c.sim.events%checkAllEvery == 0:
		c.all()
	case before.moved || w.changed || n.clean != w.clean:
		c.node(n)
	}
	w.changed, w.clean = false, n.clean
}

// look brings what is known of a node up to date, and returns what was known.
func (c *checker) look(n *Node) glance {
	w := &n.watch
	before := glance{vector: w.vector, epoch: w.epoch}
	w.epoch = n.engine.Self().Epoch
	now := c.known(n)
	i, old := 0, w.vector
	for j := range now.Len() {
		e := now.At(j)
		for ; i < old.Len() && old.At(i).Replica.Compare(e.Replica) < 0; i++ {
			before.moved = true
			w.hash -= c.entryHash(old.At(i))
		}
		if i < old.Len() && old.At(i).Replica == e.Replica {
			i++
			if old.At(i-1).Version == e.Version {
				continue
			}
			w.hash -= c.entryHash(old.At(i - 1))
		}
		before.moved = true
		w.hash += c.entryHash(e)
	}
	for ; i < old.Len(); i++ {
		before.moved = true
		w.hash -= c.entryHash(old.At(i))
	}
	if before.moved {
		w.vector, w.knew = now, nil
	}
	return before
}

func (c *checker) entryHash(e clock.Entry) uint64 {
	return c.history.author(e.Replica).hashAt(e.Version)
}

// all checks all nodes that are up.
func (c *checker) all() {
	for _, n := range c.sim.nodes {
		if n.Up() {
			n.watch.due = 0
			c.node(n)
		}
	}
}

// node checks what must hold of a node at any time. The engine looks at all it
// retains: with a lot of that it is asked less often, so that events stay cheap.
func (c *checker) node(n *Node) {
	w := &n.watch
	if c.sim.events >= w.due {
		if err := n.engine.Check(); err != nil {
			_ = c.sim.violate("I9", n, "%v", err)
		}
		retained := 0
		for _, s := range n.engine.Spaces() {
			retained += s.Updates
		}
		w.due = c.sim.events + uint64(retained/checkedPerEvent)
	}
	if g := n.engine.Stats().GivenUp; g > w.givenUp {
		w.givenUp = g
		c.giveUp(w.vector)
	}
	if d := n.engine.Stats().Damaged; d > 0 {
		_ = c.sim.violate("R12", n, "it takes %d updates for damaged, and nobody damaged any", d)
	}
	c.checkValue(n)
}

// giveUp notes that a node that knew this does not count on what it may have superseded.
func (c *checker) giveUp(knew clock.Vector) {
	c.lost = true
	c.forgot.Merge(knew)
}

// agree remembers what holds for a vector.
func (c *checker) agree(hash uint64, a *agreed) {
	if len(c.order) == maxAgreed {
		delete(c.agreed, c.order[0])
		c.order = slices.Delete(c.order, 0, 1)
	}
	c.agreed[hash] = a
	c.order = append(c.order, hash)
}

// list names some records.
func list(all []*record) string {
	const most = 5
	if len(all) == 0 {
		return "nothing"
	}
	var b strings.Builder
	for i, r := range all[:min(len(all), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(describe(&r.Update))
	}
	if len(all) > most {
		fmt.Fprintf(&b, " and %d more", len(all)-most)
	}
	return b.String()
}

// describe names an update.
func describe(u *model.Update) string {
	kind := ""
	switch {
	case u.IsTombstone():
		kind = " (tombstone)"
	case u.Expires != 0:
		kind = fmt.Sprintf(" (until %v)", u.Expires)
	}
	return fmt.Sprintf("%v of %s %q = %.20q at %v%s", u.Dot, u.Space, u.Key, u.Value, u.Time, kind)
}

// afresh judges one clean node by an oracle that begins anew: one that has followed a
// vector gave its models updates in another order.
func (c *checker) afresh() {
	for _, n := range c.sim.nodes {
		if n.Up() && n.clean {
			n.watch.oracle = oracle{}
			clear(c.agreed)
			c.order = c.order[:0]
			c.node(n)
			return
		}
	}
}
