package swim_test

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// replica is a whole node, with one map.
type replica struct {
	*gossip.Node
	tr *swim.Transport
	m  model.Map[string]
}

func startReplica(t *testing.T, tape *tape, cfg swim.Config) *replica {
	t.Helper()
	r := &replica{tr: start(t, cfg)}
	tape.record(r.tr)
	var err error
	r.Node, err = gossip.Start(t.Context(), gossip.Config{
		Name: cfg.Name, Transport: r.tr, Interval: 200 * time.Millisecond,
		ReportInterval: time.Hour, // nothing is collected: that would change the state, whatever is sent
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() }) // the test may have closed it
	if err := r.Attach("s", &r.m); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *replica) set(t *testing.T, key, value string) {
	t.Helper()
	if err := r.m.Set(t.Context(), key, value); err != nil {
		t.Fatal(err)
	}
}

// state is what a node replicates: vector, state hashes, values.
func (r *replica) state() string {
	s := r.Status()
	return fmt.Sprint(s.Clean, s.Vector, s.Spaces, maps.Collect(r.m.All()))
}

// listed returns the members that a node sees, with their states.
func (r *replica) listed() string {
	var list []string
	for _, m := range r.Members() {
		list = append(list, m.Name+" "+m.State.String())
	}
	return strings.Join(list, ", ")
}

func converged(nodes []*replica) func() bool {
	return func() bool {
		for _, n := range nodes {
			if n.state() != nodes[0].state() || !n.Status().Clean {
				return false
			}
		}
		return true
	}
}

// TestReplay records every packet and stream of a cluster in which a node leaves
// and one crashes and comes back, until membership has forgotten who is gone;
// then a stranger sends it all again, in any order, to every node. What nodes
// replicate does not change. Those who are there stay members; who is gone may
// appear again, as a member that does not answer.
func TestReplay(t *testing.T) {
	for _, tt := range []struct{ name, key string }{
		{"plain", ""},
		{"encrypted", "0123456789abcdef"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			replay(t, []byte(tt.key))
		})
	}
}

func replay(t *testing.T, key []byte) {
	tape := newTape(t)
	config := func(name string, join ...string) swim.Config {
		cfg := fast(name, join...)
		cfg.Key, cfg.GossipToTheDead = key, 500*time.Millisecond
		return cfg
	}
	a := startReplica(t, tape, config("a"))
	seed := tape.relay(a.tr.Addr())
	b, c, d := startReplica(t, tape, config("b", seed)), startReplica(t, tape, config("c", seed)), startReplica(t, tape, config("d", seed))
	large := strings.Repeat("v", 100<<10) // goes over a stream
	for i, n := range []*replica{a, b, c, d} {
		for k := range 20 {
			n.set(t, fmt.Sprint(i, k), "v")
		}
		n.set(t, fmt.Sprint("large", i), large)
	}
	eventually(t, "all four agree", converged([]*replica{a, b, c, d}))
	if err := d.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	await(t, a.tr, "c", transport.Failed)
	c = startReplica(t, tape, config("c", seed))
	nodes := []*replica{a, b, c}
	for i, n := range nodes {
		n.set(t, "again", fmt.Sprint(i))
		_ = n.m.Delete(t.Context(), fmt.Sprint(i, 0))
	}
	eventually(t, "all three agree", converged(nodes))
	eventually(t, "d is forgotten, c is back", func() bool {
		for _, n := range nodes {
			if n.tr.Known() != 3 || strings.Contains(n.listed(), "c failed") {
				return false
			}
		}
		return true
	})

	packets, streams := tape.recorded()
	before := a.state()
	sent := resend(t, nodes, packets, streams)
	for _, n := range nodes {
		if err := n.Err(); err != nil {
			t.Fatalf("%s stopped: %v", n.Status().Self, err)
		}
		if got := n.state(); got != before {
			t.Errorf("%s was changed by the replay", n.Status().Self)
		}
		if s := n.Status().Stats; s.Forks+s.Mismatches+s.Epochs > 0 {
			t.Errorf("%s: %+v after the replay", n.Status().Self, s)
		}
	}
	t.Logf("%d packets and %d streams, sent again %d times; a lists %s", len(packets), len(streams), sent, a.listed())
	for i, n := range nodes {
		n.set(t, "after", fmt.Sprint("replay ", i))
	}
	eventually(t, "all agree after the replay", converged(nodes))
	for _, n := range nodes {
		for _, name := range []string{"a", "b", "c"} {
			await(t, n.tr, name, transport.Alive)
		}
		eventually(t, "nobody believes that d is there", func() bool {
			return !strings.Contains(n.listed(), "d alive") && !strings.Contains(n.listed(), "d suspect")
		})
	}
}

// resend sends everything to all nodes, shuffled, from a socket of nobody's, and
// waits until they have read it. It returns how many times it sent something.
func resend(t *testing.T, nodes []*replica, packets, streams [][]byte) int {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(len(packets), func(i, j int) { packets[i], packets[j] = packets[j], packets[i] })
	rng.Shuffle(len(streams), func(i, j int) { streams[i], streams[j] = streams[j], streams[i] })
	pace := time.NewTicker(time.Millisecond) // receive queues must not run over
	defer pace.Stop()
	sent := 0
	for i, p := range packets {
		if i%4 == 0 {
			<-pace.C
		}
		for _, n := range nodes {
			to, _ := net.ResolveUDPAddr("udp", n.tr.Addr())
			if _, err := udp.WriteTo(p, to); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		if len(streams) > 0 && i%max(1, len(packets)/(len(streams)+1)) == 0 {
			for _, n := range nodes {
				say(t, n.tr.Addr(), streams[0])
				sent++
			}
			streams = streams[1:]
		}
	}
	for _, n := range nodes {
		if c := n.tr.Counters(); c["drop_receive_queue_full"]+c["reject_overload"] > 0 {
			t.Errorf("queues ran over: %v", c)
		}
	}
	return sent
}

// say sends all of a stream to an address and waits until it is answered or closed.
func say(t *testing.T, addr string, b []byte) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = c.Write(b)
	_ = c.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, c)
}
