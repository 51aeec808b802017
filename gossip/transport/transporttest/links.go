package transporttest

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// testLinks is for transports that are a transport.Linker.
func testLinks(t *testing.T, s *suite) {
	n := s.start(t, "a", "b")
	a, ok := n["a"].(transport.Linker)
	if !ok {
		return
	}
	a.Link([]string{"b"})
	life := awaitLink(t, a, "b")
	awaitLink(t, n["b"].(transport.Linker), "a")

	const messages = 150
	for i := range messages {
		if err := a.Send("b", transport.Stream, binary.BigEndian.AppendUint32(nil, uint32(i))); err != nil {
			t.Fatal(err)
		}
	}
	for want := range uint32(messages) {
		if got := binary.BigEndian.Uint32(receive(t, n["b"]).Bytes); got != want {
			t.Fatalf("message %d comes when %d is due", got, want)
		}
	}
	for _, l := range a.Links(nil) {
		if l.Peer == "b" && l.Life != life {
			t.Errorf("the link to b has life %d, it had %d", l.Life, life)
		}
	}

	_ = n["b"].Close(done())
	awaitLinks(t, a, "no link to b", func(links []transport.Link) bool { return len(links) == 0 })
	b := s.open(t, "b").(transport.Linker)
	if again := awaitLink(t, a, "b"); again == life {
		t.Errorf("the link to another b has the life of the first, %d", life)
	}
	awaitLink(t, b, "a")
	a.Link(nil)
	deliver(t, a, b, "b", transport.Stream, []byte("without a wish for a link"))
}

// awaitLink waits, by notification alone, until there is a link to a peer, and returns
// its life.
func awaitLink(t *testing.T, tr transport.Linker, peer string) (life uint64) {
	t.Helper()
	awaitLinks(t, tr, "a link to "+peer, func(links []transport.Link) bool {
		for _, l := range links {
			if l.Peer == peer {
				life = l.Life
			}
		}
		return life > 0
	})
	return life
}

func awaitLinks(t *testing.T, tr transport.Linker, what string, ok func([]transport.Link) bool) {
	t.Helper()
	for deadline := time.After(patience); ; {
		links := tr.Links(nil)
		if ok(links) {
			return
		}
		select {
		case <-tr.Changed():
		case <-deadline:
			t.Fatalf("there is not: %s, but %+v", what, links)
		}
	}
}
