package gossip

import (
	"fmt"
	"math/rand"
	"sync"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/wire"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// codec is that of nodes with the default cluster id.
var codec = wire.New(Config{}.withDefaults().Cluster)

// puppet is a node with a map in space "s" whose clock is wrong: the engine of a
// node on a network in memory, behind a loop of its own.
type puppet struct {
	net   *memnet.Endpoint
	skew  time.Duration
	timer *time.Timer

	mu     sync.Mutex
	engine *engine.Engine
	m      model.Map[string]
}

// startPuppet starts a puppet that gossips with peers; it ends with the test.
func startPuppet(t *testing.T, net *memnet.Network, name string, skew time.Duration, peers ...string) *puppet {
	t.Helper()
	endpoint, err := net.Join(name)
	if err != nil {
		t.Fatal(err)
	}
	p := &puppet{net: endpoint, skew: skew}
	p.engine, err = engine.New(p.now(), engine.Config{
		Self:    clock.Replica{Node: name, Epoch: uint64(p.now().UnixMilli())},
		Cluster: Config{}.withDefaults().Cluster, Codec: codec, Rand: rand.New(rand.NewSource(1)),
	})
	if err == nil {
		err = p.engine.Attach("s", &p.m)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, peer := range peers {
		p.engine.SetPeer(p.now(), peer, engine.PeerAlive)
	}
	p.timer = time.NewTimer(0)
	done := make(chan struct{})
	go p.run(done)
	t.Cleanup(func() {
		_ = endpoint.Close(canceled())
		<-done
	})
	return p
}

// now is what the puppet's clock shows.
func (p *puppet) now() time.Time { return time.Now().Add(p.skew) }

func (p *puppet) run(done chan<- struct{}) {
	defer close(done)
	for {
		select {
		case packet, ok := <-p.net.Receive():
			if !ok {
				return
			}
			if m, err := codec.Decode(packet.Bytes); err == nil {
				_ = p.do(func(now time.Time) (engine.Output, error) { return p.engine.Step(now, m) })
			}
		case <-p.timer.C:
			_ = p.do(func(now time.Time) (engine.Output, error) { return p.engine.Tick(now), nil })
		}
	}
}

// do calls the engine and sends what it wants sent.
func (p *puppet) do(f func(now time.Time) (engine.Output, error)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	out, err := f(p.now())
	for _, e := range out.Send {
		ch := transport.Datagram
		if e.Stream {
			ch = transport.Stream
		}
		_ = p.net.Send(e.To, ch, codec.Encode(e.Message))
	}
	p.timer.Reset(p.engine.Next().Sub(p.now()))
	return err
}

func (p *puppet) set(key, value string) error {
	return p.do(func(now time.Time) (engine.Output, error) {
		return p.engine.Write(now, "s", []model.Draft{{Key: []byte(key), Value: []byte(value)}})
	})
}

func (p *puppet) vector() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.engine.Vector().String()
}

// forged is a message to a node that claims to come from another, with updates of
// a replica that follow version from.
func forged(to *peer, sender, writer clock.Replica, from clock.Version, updates ...*model.Update) []byte {
	b := engine.Batch{Replica: writer, From: from, Through: from + clock.Version(len(updates)), Updates: updates}
	for i, u := range updates {
		u.Dot = clock.Dot{Replica: writer, Version: from + clock.Version(i) + 1}
	}
	return codec.Encode(&engine.Message{
		Kind: engine.Push, From: sender, To: to.Status().Self.Epoch, Exchange: 1, HLC: clock.TimestampOf(time.Now()),
		MaxUpdate: uint32(Config{}.withDefaults().MaxUpdate), Batches: []engine.Batch{b},
	})
}

// forgery is an update of space "s" to be forged, of this time.
func forgery(at time.Time, key, value string) *model.Update {
	return &model.Update{Time: clock.TimestampOf(at), Space: "s", Key: []byte(key), Value: []byte(value)}
}

// stranger is the replica that forged messages come from.
var stranger = clock.Replica{Node: "stranger", Epoch: 1}

// version returns what a node knows of a replica.
func (p *peer) version(r clock.Replica) clock.Version {
	return p.Status().Vector.Version(r)
}

// healthy reports broken invariants of nodes.
func healthy(t *testing.T, peers ...*peer) {
	t.Helper()
	for _, p := range peers {
		if err := p.check(); err != nil {
			t.Error(err)
		}
	}
}

// names returns "a", "b", … .
func names(n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("%c", 'a'+i))
	}
	return list
}
