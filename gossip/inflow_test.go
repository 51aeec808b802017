package gossip

import (
	"context"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// arrived is a transport by which messages have come, and nothing goes.
type arrived chan transport.Packet

func (arrived) Send(string, transport.Channel, []byte) error   { return transport.ErrNoPeer }
func (a arrived) Receive() <-chan transport.Packet             { return a }
func (arrived) Members() ([]transport.Member, <-chan struct{}) { return nil, nil }
func (arrived) Close(context.Context) error                    { return nil }

// Messages are dealt with in the order in which they came, be they large or small, and each
// gives its memory back once it is over.
func TestInflowKeepsOrder(t *testing.T) {
	const messages = 500
	peer := clock.Replica{Node: "peer", Epoch: 1}
	at := time.Now()
	queue := make(arrived, messages)
	cfg := Config{Name: "n", Transport: queue}.withDefaults()
	n, err := newNode(cfg, queue)
	if err != nil {
		t.Fatal(err)
	}
	released := 0
	for i := range messages {
		value := make([]byte, 10)
		if i%3 == 0 {
			value = make([]byte, 2*largeMessage)
		}
		version := clock.Version(i + 1)
		b := codec.Encode(&engine.Message{
			Kind: engine.Push, From: peer, To: n.engine.Self().Epoch, HLC: clock.TimestampOf(at), MaxUpdate: uint32(cfg.MaxUpdate), CatchUp: i%2 == 0,
			Batches: []engine.Batch{{Replica: peer, From: version - 1, Through: version, Updates: []*model.Update{{
				Dot: clock.Dot{Replica: peer, Version: version}, Time: clock.TimestampOf(at) + clock.Timestamp(i), Space: "s", Key: []byte{byte(i), byte(i >> 8)}, Value: value,
			}}}},
		})
		queue <- transport.Packet{Channel: transport.Stream, Bytes: b, Release: func(b []byte) {
			clear(b) // it is used for something else
			released++
		}}
	}
	close(queue)
	n.receive()
	if s := n.engine.Stats(); s.Gaps > 0 || s.UpdatesApplied != messages {
		t.Errorf("%d of %d updates were applied, with %d gaps", s.UpdatesApplied, messages, s.Gaps)
	}
	if released != messages {
		t.Errorf("%d of %d messages gave their memory back", released, messages)
	}
}
