package swim_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/transporttest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// A probe ends by its own time-out, one on behalf of another node, too.
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).handleIndirectPing.func2"))
}

const patience = 20 * time.Second

// fast returns a configuration whose nodes notice within a second what takes the
// defaults many.
func fast(name string, join ...string) swim.Config {
	return swim.Config{
		Name: name, Bind: "127.0.0.1:0", Join: join,
		JoinInterval: 20 * time.Millisecond, JoinMax: 200 * time.Millisecond, RedialInterval: 100 * time.Millisecond,
		ProbeInterval: 100 * time.Millisecond, ProbeTimeout: 50 * time.Millisecond,
		GossipInterval: 10 * time.Millisecond, PushPullInterval: time.Second,
		TCPTimeout: 2 * time.Second,
	}
}

func start(t *testing.T, cfg swim.Config) *swim.Transport {
	t.Helper()
	tr, err := swim.Start(context.Background(), cfg)
	if err != nil {
		t.Fatalf("Start(%s): %v", cfg.Name, err)
	}
	t.Cleanup(func() { kill(tr) })
	return tr
}

// kill stops a node abruptly.
func kill(tr transport.Transport) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = tr.Close(ctx)
}

// await waits until tr sees a member in a state.
func await(t *testing.T, tr transport.Transport, name string, want transport.State) transport.Member {
	t.Helper()
	deadline := time.After(patience)
	for {
		list, changed := tr.Members()
		for _, m := range list {
			if m.Name == name && m.State == want {
				return m
			}
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%s is not %s in %+v", name, want, list)
		}
	}
}

// eventually waits for what nothing announces.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) { // pace of polling real sockets
		if time.Now().After(deadline) {
			t.Fatalf("waiting in vain: %s", what)
		}
	}
}

// reaches sends a stream message until it arrives, which it must do unchanged.
func reaches(t *testing.T, from, to transport.Transport, name string) {
	t.Helper()
	for deadline := time.After(patience); ; {
		_ = from.Send(name, transport.Stream, []byte("hello"))
		select {
		case p := <-to.Receive():
			if string(p.Bytes) != "hello" {
				t.Fatalf("got %q", p.Bytes)
			}
			return
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			t.Fatalf("nothing reaches %s", name)
		}
	}
}

// cluster is what the conformance suite runs on: real sockets on loopback. A
// restarted node has its old port.
type cluster struct {
	key  []byte
	addr map[string]string
}

func (c cluster) MaxDatagram() int { return 1400 }
func (c cluster) Queue() int       { return 256 }

func (c cluster) Start(t *testing.T, name string) transport.Transport {
	t.Helper()
	cfg := fast(name)
	cfg.Key = c.key
	cfg.ReceiveQueue = 256
	if old, ok := c.addr[name]; ok {
		cfg.Bind = old
	}
	for _, addr := range c.addr {
		cfg.Join = append(cfg.Join, addr)
	}
	tr, err := swim.Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.addr[name] = tr.Addr()
	return tr
}

func TestConformance(t *testing.T) {
	for _, tt := range []struct{ name, key string }{
		{"plain", ""},
		{"encrypted", "0123456789abcdef"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			transporttest.Run(t, func(*testing.T) transporttest.Cluster {
				return cluster{key: []byte(tt.key), addr: map[string]string{}}
			})
		})
	}
}
