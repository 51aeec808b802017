package engine_test

import (
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/wire"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// stage is a few engines whose messages a transcript delivers by hand.
type stage struct {
	now       time.Time
	codec     *wire.Codec
	engines   map[string]*engine.Engine
	models    map[string]*register
	queue     []queued
	exchanges map[uint64]int // in order of appearance
}

type queued struct {
	to    string
	bytes []byte
}

// Transcripts of exchanges, message by message. The commands:
//
//	node NAME [budget=N] [spaces=a,b]   starts an engine
//	write NAME SPACE KEY VALUE …        one write per pair; the value "-" deletes
//	tick NAME PEER                      NAME starts an exchange with PEER
//	deliver [N]                         the oldest N messages arrive (default 1); what they cause is queued
//	repeat                              the oldest message arrives, and stays queued
//	drop                                the oldest message is lost
//	later                               the oldest message goes to the end of the queue
//	restart NAME                        NAME starts again, empty, in a later epoch
//	push FROM TO REPLICA N M            FROM sends TO what it retains of REPLICA in (N, M], asked or not
//	state                               vectors, horizons, and what the nodes show
func TestTranscripts(t *testing.T) {
	t.Parallel()
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &stage{
			now: time.UnixMilli(1_700_000_000_000), codec: wire.New("transcript"),
			engines: map[string]*engine.Engine{}, models: map[string]*register{}, exchanges: map[uint64]int{},
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out := s.do(t, d)
			for _, e := range s.engines {
				if err := e.Check(); err != nil {
					t.Fatalf("%s: %v", d.Pos, err)
				}
			}
			return out
		})
	})
}

func (s *stage) do(t *testing.T, d *datadriven.TestData) string {
	var args []string
	for _, a := range d.CmdArgs {
		args = append(args, a.Key)
	}
	switch d.Cmd {
	case "node":
		return s.start(t, d, args[0], 1)
	case "restart":
		return s.start(t, d, args[0], s.engines[args[0]].Self().Epoch+1)
	case "write":
		return s.write(t, args[0], args[1], args[2:])
	case "tick":
		e := s.engines[args[0]]
		for name := range s.engines {
			e.SetPeer(s.now, name, engine.PeerRemoved)
		}
		e.SetPeer(s.now, args[1], engine.PeerAlive)
		s.now = s.now.Add(10 * time.Second)
		return s.sent(args[0], e.Tick(s.now))
	case "deliver":
		n := 1
		if len(args) > 0 {
			n, _ = strconv.Atoi(args[0])
		}
		var b strings.Builder
		for ; n > 0 && len(s.queue) > 0; n-- {
			q := s.queue[0]
			s.queue = s.queue[1:]
			b.WriteString(s.step(t, q))
		}
		return b.String()
	case "repeat":
		return s.step(t, s.queue[0])
	case "drop":
		s.queue = s.queue[1:]
		return ""
	case "later":
		s.queue = append(s.queue[1:], s.queue[0])
		return ""
	case "push":
		return s.push(args)
	case "state":
		return s.state()
	}
	t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
	return ""
}

func (s *stage) start(t *testing.T, d *datadriven.TestData, name string, epoch uint64) string {
	cfg := engine.Config{
		Self: clock.Replica{Node: name, Epoch: epoch}, Cluster: "transcript",
		Codec: s.codec, Rand: rand.New(rand.NewSource(int64(epoch)<<8 + int64(name[0]))), MaxUpdate: 1000,
	}
	spaces := "s"
	d.MaybeScanArgs(t, "budget", &cfg.Budget)
	d.MaybeScanArgs(t, "spaces", &spaces)
	e, err := engine.New(s.now, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for space := range strings.SplitSeq(spaces, ",") {
		if space == "none" {
			continue
		}
		m := newRegister()
		s.models[name+" "+space] = m
		if err := e.Attach(space, m); err != nil {
			t.Fatal(err)
		}
	}
	s.engines[name] = e
	return ""
}

func (s *stage) write(t *testing.T, name, space string, pairs []string) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		draft := model.Draft{Key: []byte(pairs[i]), Value: []byte(pairs[i+1])}
		if pairs[i+1] == "-" {
			draft.Value, draft.Kind = nil, model.Tombstone
		}
		if _, err := s.engines[name].Write(s.now, space, []model.Draft{draft}); err != nil {
			return err.Error() + "\n"
		}
	}
	return ""
}

func (s *stage) step(t *testing.T, q queued) string {
	m, err := s.codec.Decode(slices.Clone(q.bytes))
	if err != nil {
		t.Fatal(err)
	}
	head := fmt.Sprintf("%s gets %s\n", q.to, s.describe(m))
	out, err := s.engines[q.to].Step(s.now, m)
	if err != nil {
		return head + "  " + err.Error() + "\n"
	}
	return head + s.sent(q.to, out)
}

// push queues a batch that nobody asked for.
func (s *stage) push(args []string) string {
	from, to := s.engines[args[0]], s.engines[args[1]]
	n, _ := strconv.Atoi(args[3])
	m, _ := strconv.Atoi(args[4])
	b := engine.Batch{Replica: s.engines[args[2]].Self(), From: clock.Version(n), Through: clock.Version(m)}
	for _, u := range from.Retained(b.Replica) {
		if u.Version > b.From && u.Version <= b.Through {
			b.Updates = append(b.Updates, u)
		}
	}
	return s.sent(args[0], engine.Output{Send: []engine.Envelope{{To: args[1], Message: &engine.Message{
		Kind: engine.Push, From: from.Self(), To: to.Self().Epoch, MaxUpdate: 1000, Exchange: 1, Batches: []engine.Batch{b},
	}}}})
}

// sent queues an output's messages and describes them.
func (s *stage) sent(from string, out engine.Output) string {
	var b strings.Builder
	for _, env := range out.Send {
		s.queue = append(s.queue, queued{env.To, s.codec.Encode(env.Message)})
		fmt.Fprintf(&b, "  %s > %s %s\n", from, env.To, s.describe(env.Message))
	}
	return b.String()
}

func (s *stage) describe(m *engine.Message) string {
	if s.exchanges[m.Exchange] == 0 {
		s.exchanges[m.Exchange] = len(s.exchanges) + 1
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%v %d", m.Kind, s.exchanges[m.Exchange])
	if m.Digest.Full || len(m.Digest.Entries) > 0 {
		fmt.Fprintf(&b, " %s", entries(m.Digest.Entries))
	}
	if m.Same {
		b.WriteString(" same")
	}
	if len(m.Exceptions) > 0 {
		fmt.Fprintf(&b, " dirty")
	}
	for _, batch := range m.Batches {
		fmt.Fprintf(&b, " %s(%d,%d]", id(batch.Replica), batch.From, batch.Through)
		if batch.Closed {
			b.WriteString("closed")
		}
		for _, u := range batch.Updates {
			fmt.Fprintf(&b, " %d:%s=%s", u.Version, u.Key, show(u))
		}
	}
	return b.String()
}

func (s *stage) state() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.engines)) {
		e := s.engines[name]
		fmt.Fprintf(&b, "%s V=%s", name, vector(e.Vector()))
		if !e.Clean() {
			fmt.Fprintf(&b, " dirty H=%s", vector(e.Horizon()))
		}
		for _, sp := range e.Spaces() {
			m := s.models[name+" "+sp.Space]
			if m == nil {
				fmt.Fprintf(&b, " %s: %d relayed", sp.Space, sp.Updates)
				continue
			}
			fmt.Fprintf(&b, " %s:", sp.Space)
			for _, key := range slices.Sorted(maps.Keys(m.byKey)) {
				fmt.Fprintf(&b, " %s=%s", key, show(m.byKey[key]))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func show(u *model.Update) string {
	if u.IsTombstone() {
		return "-"
	}
	return string(u.Value)
}

func id(r clock.Replica) string {
	if r.Epoch == 1 {
		return r.Node
	}
	return r.String()
}

func entries(all []engine.DigestEntry) string {
	var v []string
	for _, d := range all {
		v = append(v, fmt.Sprintf("%s:%d", id(d.Replica), d.Version))
	}
	return "{" + strings.Join(v, " ") + "}"
}

func vector(v clock.Vector) string {
	var all []engine.DigestEntry
	for r, n := range v.All() {
		all = append(all, engine.DigestEntry{Entry: clock.Entry{Replica: r, Version: n}})
	}
	return entries(all)
}
