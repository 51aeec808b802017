package swim

import (
	"fmt"

	"github.com/hashicorp/memberlist"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

type datagram struct {
	node memberlist.Node
	msg  []byte
}

// queueDatagram passes msg to the goroutine that writes datagrams.
func (t *Transport) queueDatagram(p peer, msg []byte) error {
	select {
	case t.datagrams <- datagram{p.node, msg}:
		return nil
	default:
		t.count.inc(dropSendFull)
		return fmt.Errorf("datagram to %s: %w", p.node.Name, transport.ErrQueueFull)
	}
}

// writeDatagrams sends datagrams, and replies to questions, until Close: encryption
// and the socket's buffer must not hold up who calls Send or memberlist.
func (t *Transport) writeDatagrams() {
	for {
		select {
		case d := <-t.datagrams:
			if err := t.list.Load().SendBestEffort(&d.node, frameDatagram(d.msg)); err != nil {
				t.count.inc(dropSendFailed)
				continue
			}
			t.count.inc(datagramsOut)
			t.count.add(datagramBytesOut, len(d.msg))
		case r := <-t.replies:
			_ = t.list.Load().SendToAddress(memberlist.Address{Addr: r.to}, r.payload)
		case <-t.stopped:
			return
		}
	}
}
