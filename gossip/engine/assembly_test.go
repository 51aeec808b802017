package engine_test

import (
	"slices"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// part returns one part of a SYN of peer.
func part(exchange uint64, i, of int, entries ...engine.DigestEntry) *engine.Message {
	m := syn(exchange, entries...)
	m.Digest.Part, m.Digest.Parts = uint16(i), uint16(of)
	return m
}

// The parts of a digest come in any order and more than once; they are answered
// when all are there, and only if they are parts of one snapshot.
func TestAssembly(t *testing.T) {
	t.Parallel()
	a, b := clock.Replica{Node: "a", Epoch: 1}, clock.Replica{Node: "b", Epoch: 1}
	other := part(7, 1, 3, known(b, 2))
	other.Digest.Base++
	for name, tt := range map[string]struct {
		parts []*engine.Message
		want  int // which of them is answered; as many as there are: none
	}{
		"in order":             {[]*engine.Message{part(7, 0, 3, known(a, 1)), part(7, 1, 3, known(b, 2)), part(7, 2, 3)}, 2},
		"backwards":            {[]*engine.Message{part(7, 2, 3), part(7, 1, 3, known(b, 2)), part(7, 0, 3, known(a, 1))}, 2},
		"twice each":           {[]*engine.Message{part(7, 0, 2, known(a, 1)), part(7, 0, 2, known(a, 1)), part(7, 1, 2), part(7, 1, 2)}, 2},
		"of another snapshot":  {[]*engine.Message{part(7, 0, 3, known(a, 1)), other, part(7, 2, 3)}, 3},
		"of another number":    {[]*engine.Message{part(7, 0, 3, known(a, 1)), part(7, 1, 2)}, 2},
		"of another exchange":  {[]*engine.Message{part(7, 0, 2, known(a, 1)), part(8, 1, 2)}, 2},
		"not in replica order": {[]*engine.Message{part(7, 0, 3, known(b, 1)), part(7, 1, 3, known(a, 2)), part(7, 2, 3)}, 3},
	} {
		w := newWorld(t, 1, 1, engine.Config{})
		n := w.nodes[0]
		answered := len(tt.parts)
		for i, m := range tt.parts {
			out := give(t, w, n, m)
			if len(out.Send) == 0 {
				continue
			}
			if len(out.Send) != 1 || out.Send[0].Message.Kind != engine.Ack || answered < i {
				t.Errorf("%s: part %d of them is answered by %+v", name, i, out.Send)
			}
			answered = i
		}
		if answered != tt.want {
			t.Errorf("%s: number %d of %d is answered, want %d", name, answered, len(tt.parts), tt.want)
		}
	}
}

// Half a digest is forgotten after Timeout: what comes then is the half of
// another.
func TestHalfADigestTimesOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	n.e.SetPeer(w.now, "peer", engine.PeerAlive) // or all of it is forgotten
	give(t, w, n, part(7, 0, 2, known(writer, 1)))
	w.now = w.now.Add(5 * time.Second)
	n.e.Tick(w.now)
	if out := give(t, w, n, part(7, 1, 2)); len(out.Send) != 0 {
		t.Errorf("a half after the time-out was answered: %+v", out.Send)
	}
	if out := give(t, w, n, part(7, 0, 2, known(writer, 1))); len(out.Send) != 1 {
		t.Errorf("both halves got %d answers", len(out.Send))
	}
}

// A dirty node whose exceptions, untold so far, leave no room for updates sends
// those before its first hole; one whose digest leaves none sends nothing (R4).
func TestExceptionsBeforeUpdates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, tiny)
	n := w.nodes[0]
	self := n.e.Self()
	w.mustWrite(n, "s", "j", "before the hole")
	w.mustWrite(n, "s", "k", "overwritten")
	w.mustWrite(n, "s", "k", "behind the hole")
	asked := syn(7)
	asked.Credit = 0
	give(t, w, n, asked)
	lost, found := clock.Replica{Node: "a", Epoch: 1}, clock.Replica{Node: "b", Epoch: 1}
	many := replicas(100)
	digest := []engine.DigestEntry{known(lost, 2)}
	for _, r := range many {
		digest = append(digest, known(r, 9))
	}
	for _, m := range []*engine.Message{syn(1, digest...), fin(1, batch(lost, updateOf(lost, 2, "i"))), message(engine.Push, 2, batch(found, updateOf(found, 1, "h")))} {
		m.From.Node = "dead"
		give(t, w, n, m)
	}
	if n.e.Clean() {
		t.Fatal("clean after an open hole")
	}
	pull := func() *engine.Message {
		m := message(engine.Pull, 7)
		m.Digest.Entries = []engine.DigestEntry{known(lost, 0), known(found, 0), known(self, 0)}
		out := give(t, w, n, m)
		if len(out.Send) != 1 || out.Send[0].Message.Kind != engine.Push {
			t.Fatalf("a pull is answered by %+v", out.Send)
		}
		push := out.Send[0].Message
		if size := len(w.codec.Encode(push)); size > n.cfg.MaxStream {
			t.Errorf("a push of %d bytes (I11)", size)
		}
		return push
	}
	push := pull()
	if len(push.Exceptions) != 0 || len(push.Batches) != 2 {
		t.Fatalf("a push with %d exceptions and the batches %+v, want none and two", len(push.Exceptions), push.Batches)
	}
	for _, b := range push.Batches {
		if b.From != 0 || b.Through != 1 || len(b.Updates) != 1 || b.Closed || b.Replica == lost {
			t.Errorf("%+v, want what is before a hole", b)
		}
	}
	for i, r := range many { // now the vector has changed at many places, too
		give(t, w, n, message(engine.Push, 3, batch(r, updateOf(r, 1, string(rune('A'+i))))))
	}
	if push := pull(); len(push.Batches) != 0 {
		t.Errorf("a push with the batches %+v, want none: the digest fills it", push.Batches)
	}
}

// Exceptions that fill messages of their own travel with the digest; from then on
// the exchange carries what is new of them (R4).
func TestExceptionsAreToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, tiny)
	n := w.nodes[0]
	w.mustWrite(n, "s", "k", "v")
	all := replicas(60)
	soil := func(exchange uint64, hole clock.Replica, lost []clock.Replica, version clock.Version) {
		digest := []engine.DigestEntry{known(hole, 2)}
		for _, r := range lost {
			digest = append(digest, known(r, version))
		}
		for _, m := range []*engine.Message{syn(exchange, digest...), fin(exchange, batch(hole, updateOf(hole, 2, hole.Node)))} {
			m.From.Node = "dead"
			give(t, w, n, m)
		}
	}
	soil(1, clock.Replica{Node: "a", Epoch: 1}, all[:50], 9)
	asked := syn(7)
	asked.Credit = 0
	told := map[clock.Replica]clock.Version{}
	for _, env := range give(t, w, n, asked).Send {
		for _, x := range env.Message.Exceptions {
			told[x.Replica] = x.Version
		}
	}
	if len(told) != 50 || told[all[0]] != 9 {
		t.Errorf("the ACK tells of %d exceptions, %d of the first; want 50, 9", len(told), told[all[0]])
	}
	soil(2, clock.Replica{Node: "b", Epoch: 1}, []clock.Replica{all[0], all[1], all[55]}, 10)
	pull := message(engine.Pull, 7)
	pull.Digest.Entries = []engine.DigestEntry{known(n.e.Self(), 0)}
	push := give(t, w, n, pull).Send[0].Message
	want := []clock.Entry{{Replica: all[0], Version: 10}, {Replica: all[1], Version: 10}, {Replica: all[55], Version: 10}}
	if !slices.Equal(push.Exceptions, want) || len(push.Batches) != 1 {
		t.Errorf("the PUSH has the batches %+v and the exceptions %v, want %v", push.Batches, push.Exceptions, want)
	}
}
