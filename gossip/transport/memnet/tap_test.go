package memnet_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
)

// What Tap saw, lost messages included, can be injected again, over any
// partition.
func TestTapAndInject(t *testing.T) {
	n := memnet.New(memnet.Config{Faults: memnet.Faults{Loss: 1}})
	nodes := join(t, n, "a", "b")
	a, b := nodes[0], nodes[1]
	var heard []string
	n.Tap(func(from, to string, ch transport.Channel, msg []byte) {
		heard = append(heard, fmt.Sprintf("%s>%s %v %s", from, to, ch, msg))
	})
	_ = a.Send("b", transport.Datagram, []byte("x"))
	_ = b.Send("a", transport.Stream, []byte("y"))
	_ = a.Send("nobody", transport.Datagram, []byte("z"))
	n.Tap(nil)
	_ = a.Send("b", transport.Datagram, []byte("later"))
	if want := []string{"a>b datagram x", "b>a stream y"}; !slices.Equal(heard, want) {
		t.Errorf("heard %q, want %q", heard, want)
	}

	n.Partition([]string{"a"}, []string{"b"})
	msg := []byte("1")
	n.Inject("b", transport.Datagram, msg)
	msg[0] = '2'
	n.Inject("nobody", transport.Datagram, msg)
	if got := drain(b); string(got) != "1" {
		t.Errorf("b received %q, want the 1 that was injected", got)
	}
	if list, _ := b.Members(); len(list) != 2 {
		t.Errorf("members %v, want a and b alone", list)
	}
	if c := n.Counters(); c.Delivered != 2 || c.Cut != 1 || c.Sent != 3 {
		t.Errorf("counters %+v, want y and 1 delivered, 1 cut, 3 sent", c)
	}
}
