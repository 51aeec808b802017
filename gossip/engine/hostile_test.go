package engine_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// Nothing is sent over MaxStream (I11), which the world checks: not a PULL for a
// hundred replicas, nor an ACK that says Same for forty spaces.
func TestSmallMessages(t *testing.T) {
	t.Parallel()
	cfg := engine.Config{MaxUpdate: 300, MaxStream: 900, MaxDatagram: 512}
	pulls := newWorld(t, 1, 2, cfg)
	for i := range 100 {
		r := clock.Replica{Node: fmt.Sprintf("replica-number-%04d", i), Epoch: 1_700_000_000_000}
		b := batch(r, updateOf(r, 1, fmt.Sprint("k", i)), updateOf(r, 2, fmt.Sprint("j", i)))
		for _, u := range b.Updates {
			pulls.know(u)
		}
		give(t, pulls, pulls.nodes[0], message(engine.Push, 1, b))
	}
	pulls.converge(time.Minute)

	same := newWorld(t, 1, 0, cfg)
	same.spaces = nil
	for i := range 40 {
		same.spaces = append(same.spaces, fmt.Sprintf("a-space-with-a-name-%d", i))
	}
	a := same.add("a")
	same.add("b")
	same.announce()
	for _, s := range same.spaces {
		same.mustWrite(a, s, "k", "v")
	}
	same.converge(time.Minute)
	same.run(10 * time.Second)
}

// A digest in parts has at most MaxReplicas entries and as many exceptions, and no
// more parts than that; of each peer only the newest one is kept.
func TestAssemblyHasAnEnd(t *testing.T) {
	t.Parallel()
	const most = 10
	w := newWorld(t, 1, 1, engine.Config{MaxReplicas: most})
	n := w.nodes[0]
	part := func(exchange uint64, i, of, entries int) *engine.Message {
		m := syn(exchange)
		for k := range entries {
			m.Digest.Entries = append(m.Digest.Entries, known(clock.Replica{Node: fmt.Sprintf("r%02d-%d", i, k)}, 1))
		}
		m.Digest.Part, m.Digest.Parts = uint16(i), uint16(of)
		return m
	}
	if _, err := n.e.Step(w.now, part(1, 0, 2*most+2, 1)); !errors.Is(err, engine.ErrMessage) {
		t.Errorf("%d parts: got %v, want ErrMessage", 2*most+2, err)
	}
	for i := range 3 {
		if out := give(t, w, n, part(2, i, 3, 4)); len(out.Send) != 0 {
			t.Errorf("a digest of 12 entries was answered: %+v", out.Send)
		}
	}
	give(t, w, n, part(3, 0, 2, 1))
	give(t, w, n, part(4, 0, 2, 1)) // the peer has given up the other
	if out := give(t, w, n, part(3, 1, 2, 0)); len(out.Send) != 0 {
		t.Errorf("parts of two digests were answered: %+v", out.Send)
	}
	if out := give(t, w, n, part(3, 0, 2, 1)); len(out.Send) != 1 {
		t.Errorf("a whole digest got %d answers", len(out.Send))
	}
}

// A repair is served to a peer that has shown in an exchange that the vectors are
// equal, at most every second, and each of its messages of hashes once: each costs
// a walk over everything retained (R12).
func TestRepairsAreRationed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	w.mustWrite(n, "s", "k", "v")
	hashes := func(exchange uint64, number clock.Version) int {
		m := message(engine.Repair, exchange)
		m.Repair = &engine.RepairStep{
			Phase: engine.RepairHashes, Space: "s", Range: engine.Range{Through: number},
			Hashes: []engine.ReplicaHash{{Replica: n.e.Self(), Through: 1}},
		}
		return len(give(t, w, n, m).Send)
	}
	for _, exchange := range []uint64{0, 5} {
		if got := hashes(exchange, 1); got != 0 {
			t.Errorf("%d answers for exchange %d, which there is not", got, exchange)
		}
	}
	give(t, w, n, syn(6, known(n.e.Self(), 1)))
	for i, want := range []int{1, 0, 0} {
		if got := hashes(6, 1); got != want {
			t.Errorf("hashes for the %d. time: %d answers, want %d", i+1, got, want)
		}
	}
	w.now = w.now.Add(100 * time.Millisecond)
	give(t, w, n, syn(7, known(n.e.Self(), 1)))
	if got := hashes(7, 1); got != 0 {
		t.Errorf("a second repair within a second: %d answers", got)
	}
	w.now = w.now.Add(2 * time.Second)
	give(t, w, n, syn(8, known(n.e.Self(), 1)))
	if got := hashes(8, 1); got != 1 {
		t.Errorf("a second repair after two seconds: %d answers", got)
	}
}

// Strangers that fill the table of peers make room for members, those that were
// silent for longest first (MaxPeers).
func TestMembersDisplaceStrangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{MaxPeers: 3})
	n := w.nodes[0]
	hear := func(name string) error {
		m := syn(uint64(w.now.UnixNano()))
		m.From.Node = name
		_, err := n.e.Step(w.now, m)
		w.now = w.now.Add(time.Millisecond)
		return err
	}
	for _, name := range []string{"s1", "s2", "s3"} {
		if err := hear(name); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time it is heard of again
		n.e.SetPeer(w.now, "member", engine.PeerAlive)
		if err := hear("s3"); err != nil {
			t.Errorf("the stranger heard last is gone: %v", err)
		}
	}
	if err := hear("s1"); !errors.Is(err, engine.ErrMessage) {
		t.Errorf("the one silent for longest is still there: %v", err)
	}
	w.now = n.e.Next()
	if out := n.e.Tick(w.now); len(out.Send) != 1 || out.Send[0].To != "member" {
		t.Errorf("the round sent %+v, want a SYN to the member", out.Send)
	}
}
