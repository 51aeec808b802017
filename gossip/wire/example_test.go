package wire_test

import (
	"errors"
	"fmt"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/wire"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

func ExampleCodec() {
	codec := wire.New("production")
	alice := clock.Replica{Node: "alice", Epoch: 1}
	b := codec.Encode(&engine.Message{Kind: engine.Pull, From: alice, Exchange: 7})

	m, err := codec.Decode(b)
	fmt.Println(m.Kind, m.From, m.Exchange, len(b), err)
	_, err = wire.New("staging").Decode(b)
	fmt.Println(errors.Is(err, wire.ErrCluster), err)
	// Output:
	// pull alice/1 7 38 <nil>
	// true wire: other cluster: "production", want "staging"
}

func ExampleCodec_Sizer() {
	codec := wire.New("production")
	alice := clock.Replica{Node: "alice", Epoch: 1}
	m := &engine.Message{Kind: engine.Push, From: alice}
	b := engine.Batch{Replica: alice}

	s := codec.Sizer(m)
	s.Begin(&b)
	for v := clock.Version(1); ; v++ {
		u := &model.Update{Dot: clock.Dot{Replica: alice, Version: v}, Space: "greetings", Key: []byte("hello"), Value: []byte("world")}
		if s.Add(u) > 100 {
			s.Undo()
			break
		}
		b.Updates, b.Through = append(b.Updates, u), v
	}
	m.Batches = append(m.Batches, b)
	fmt.Println(len(b.Updates), "updates in", len(codec.Encode(m)), "bytes")
	// Output:
	// 2 updates in 92 bytes
}
