package swim_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
)

// ports are given out one after the other, so that none is given twice. They are below
// those that systems give to whoever asks for any port, and other packages take others.
var ports atomic.Int32

func init() { ports.Store(rand.Int32N(5000)) }

// freeAddr returns an address that was free a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 25_000+ports.Add(1)%5000))
		if err == nil {
			l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

func TestSeedStartsLater(t *testing.T) {
	seed := freeAddr(t)
	a := start(t, fast("a", seed, "localhost:1"))
	if list, _ := a.Members(); len(list) != 1 || !list[0].Self || list[0].Addr != a.Addr() {
		t.Fatalf("alone: members %+v, want itself", list)
	}
	cfg := fast("b")
	cfg.Bind = seed
	b := start(t, cfg)
	await(t, a, "b", transport.Alive)
	await(t, b, "a", transport.Alive)
}

// TestStartWithDeadSeeds: Start is bounded although a seed swallows everything.
func TestStartWithDeadSeeds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := fast("a", l.Addr().String(), "name.invalid:7946")
	cfg.JoinTimeout = 200 * time.Millisecond
	begin := time.Now()
	a := start(t, cfg)
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("Start took %v", took)
	}
	b := start(t, fast("b", a.Addr()))
	reaches(t, b, a, "a")
}

// TestJoiningOneself: the own address among the seeds answers nothing.
func TestJoiningOneself(t *testing.T) {
	addr := freeAddr(t)
	cfg := fast("a", addr)
	cfg.Bind = addr
	a := start(t, cfg)
	if list, _ := a.Members(); len(list) != 1 {
		t.Errorf("members %+v, want itself", list)
	}
	if c := a.Counters(); c["tcp_bytes_out"] != 0 {
		t.Errorf("it dialled itself: %v", c)
	}
}

// TestSidesMeetAgain cuts two nodes off from each other until memberlist has
// forgotten the other on both sides, then connects them again. In one case the
// transport has forgotten too, and b's seed brings them together; in the other
// neither has seeds, a third having introduced them, and they remember.
func TestSidesMeetAgain(t *testing.T) {
	for _, seeds := range []bool{true, false} {
		t.Run(map[bool]string{true: "by seeds", false: "by memory"}[seeds], func(t *testing.T) {
			t.Parallel()
			cfg := fast("a")
			cfg.GossipToTheDead = time.Millisecond // memberlist forgets at the next round
			if seeds {
				cfg.RemoveAfter = 100 * time.Millisecond // and so do we
			}
			a := start(t, cfg)
			cfg.Name = "b"
			if seeds {
				cfg.Join = []string{a.Addr()}
			}
			b := start(t, cfg)
			if !seeds {
				c := start(t, fast("c", a.Addr(), b.Addr()))
				await(t, a, "b", transport.Alive)
				await(t, b, "a", transport.Alive)
				_ = c.Close(context.Background())
			}
			await(t, a, "b", transport.Alive)
			for _, tr := range []*swim.Transport{a, b} {
				tr.Drop(func(string) bool { return true })
			}
			for _, tr := range []*swim.Transport{a, b} {
				eventually(t, "memberlist has forgotten all others", func() bool {
					return tr.Known() == 1 && len(alive(tr)) == 1
				})
			}
			for _, tr := range []*swim.Transport{a, b} {
				tr.Drop(nil)
			}
			await(t, a, "b", transport.Alive)
			await(t, b, "a", transport.Alive)
			reaches(t, a, b, "b")
			reaches(t, b, a, "a")
		})
	}
}

// TestNameTaken: the later of two live processes is refused, through a third and
// through the namesake itself.
func TestNameTaken(t *testing.T) {
	a := start(t, fast("a"))
	x := start(t, fast("x", a.Addr()))
	await(t, a, "x", transport.Alive)
	for _, seed := range []string{a.Addr(), x.Addr()} {
		tr, err := swim.Start(context.Background(), fast("x", seed))
		if !errors.Is(err, swim.ErrNameTaken) {
			t.Errorf("Start of a second x = %v, %v, want %v", tr, err, swim.ErrNameTaken)
		}
	}
	if x.Err() != nil {
		t.Errorf("the first x stopped: %v", x.Err())
	}
	if m := await(t, a, "x", transport.Alive); m.Addr != x.Addr() {
		t.Errorf("a has x at %s, want %s", m.Addr, x.Addr())
	}
	reaches(t, a, x, "x")
}

// TestNameTakenLater: two of one name start apart and meet through a third, in
// both orders: always the later one stops, and says why.
func TestNameTakenLater(t *testing.T) {
	for _, laterFirst := range []bool{false, true} {
		t.Run(fmt.Sprintf("later first %v", laterFirst), func(t *testing.T) {
			t.Parallel()
			first := start(t, fast("x"))
			later := start(t, fast("x"))
			seeds := []string{first.Addr(), later.Addr()}
			if laterFirst {
				seeds[0], seeds[1] = seeds[1], seeds[0]
			}
			c := start(t, fast("c", seeds[0]))
			await(t, c, "x", transport.Alive)
			d := start(t, fast("d", c.Addr(), seeds[1]))
			select {
			case <-drained(later):
			case <-time.After(patience):
				t.Fatal("the later x goes on")
			}
			if err := later.Err(); !errors.Is(err, swim.ErrNameTaken) {
				t.Errorf("later.Err() = %v, want %v", err, swim.ErrNameTaken)
			}
			if err := later.Send("c", transport.Stream, nil); !errors.Is(err, transport.ErrClosed) {
				t.Errorf("later.Send = %v, want %v", err, transport.ErrClosed)
			}
			if first.Err() != nil {
				t.Errorf("the first x stopped: %v", first.Err())
			}
			eventually(t, "c and d have the first x", func() bool {
				return has(c, "x", first.Addr()) && has(d, "x", first.Addr())
			})
			reaches(t, c, first, "x")
		})
	}
}

func alive(tr *swim.Transport) []string {
	var names []string
	list, _ := tr.Members()
	for _, m := range list {
		if m.State <= transport.Suspect {
			names = append(names, m.Name)
		}
	}
	return names
}

func has(tr *swim.Transport, name, addr string) bool {
	list, _ := tr.Members()
	for _, m := range list {
		if m.Name == name && m.Addr == addr && m.State == transport.Alive {
			return true
		}
	}
	return false
}

// drained returns a channel that is closed when tr's receive queue is.
func drained(tr *swim.Transport) <-chan struct{} {
	end := make(chan struct{})
	go func() {
		for range tr.Receive() {
		}
		close(end)
	}()
	return end
}

// TestReturnAtAnotherAddress: a node killed and started elsewhere is not refused,
// although the others still believe the old one, and is let in once they do not.
func TestReturnAtAnotherAddress(t *testing.T) {
	a := start(t, fast("a"))
	b := start(t, fast("b", a.Addr()))
	await(t, a, "b", transport.Alive)
	kill(b)
	again := start(t, fast("b", a.Addr()))
	eventually(t, "a has b at its new address", func() bool { return has(a, "b", again.Addr()) })
	eventually(t, "b knows that it is listed", func() bool { return !again.Unlisted() })
	reaches(t, a, again, "b")
	reaches(t, again, a, "a")
	_ = again.Close(context.Background()) // left: the next may come from anywhere at once
	await(t, a, "b", transport.Left)
	third := start(t, fast("b", a.Addr()))
	eventually(t, "a has b at its third address", func() bool { return has(a, "b", third.Addr()) })
}

// TestSuspect: a silent node is suspect before it is failed.
func TestSuspect(t *testing.T) {
	cfg := fast("a")
	cfg.SuspicionMult = 20
	a := start(t, cfg)
	b := start(t, fast("b", a.Addr()))
	await(t, a, "b", transport.Alive)
	b.Drop(func(string) bool { return true })
	a.Drop(func(string) bool { return true })
	await(t, a, "b", transport.Suspect)
	if err := a.Send("b", transport.Datagram, []byte("x")); err != nil {
		t.Errorf("Send to a suspect: %v", err)
	}
	a.Drop(nil)
	b.Drop(nil)
	await(t, a, "b", transport.Alive)
}

// TestForget: failed and left members are listed for RemoveAfter, then not.
func TestForget(t *testing.T) {
	cfg := fast("a")
	cfg.RemoveAfter = 300 * time.Millisecond
	a := start(t, cfg)
	b := start(t, fast("b", a.Addr()))
	c := start(t, fast("c", a.Addr()))
	await(t, a, "b", transport.Alive)
	await(t, a, "c", transport.Alive)
	kill(b)
	await(t, a, "b", transport.Failed)
	_ = c.Close(context.Background())
	await(t, a, "c", transport.Left)
	deadline := time.After(patience)
	for {
		list, changed := a.Members()
		if len(list) == 1 {
			break
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("still listed: %+v", list)
		}
	}
	if err := a.Send("b", transport.Datagram, nil); !errors.Is(err, transport.ErrNoPeer) {
		t.Errorf("Send to a forgotten member = %v, want %v", err, transport.ErrNoPeer)
	}
}

// TestLeftIsSeen guards hasLeft, which reads a field that memberlist does not
// export: a node that hears of the leaving from others only must see it too.
func TestLeftIsSeen(t *testing.T) {
	a := start(t, fast("a"))
	b := start(t, fast("b", a.Addr()))
	c := start(t, fast("c", a.Addr()))
	await(t, b, "c", transport.Alive)
	await(t, a, "c", transport.Alive)
	c.Drop(func(addr string) bool { return addr != a.Addr() })
	_ = c.Close(context.Background())
	await(t, a, "c", transport.Left)
	await(t, b, "c", transport.Left)
}

func TestMaxMembers(t *testing.T) {
	cfg := fast("a")
	cfg.MaxMembers = 2
	a := start(t, cfg)
	for _, name := range []string{"b", "c", "d"} {
		start(t, fast(name, a.Addr()))
	}
	eventually(t, "a refuses a third", func() bool { return a.Counters()["reject_member"] > 0 })
	if list, _ := a.Members(); len(list) != 3 {
		t.Errorf("members %+v, want itself and two", list)
	}
}

func TestBindAll(t *testing.T) {
	cfg := fast("a")
	cfg.Bind = "0.0.0.0:0"
	a := start(t, cfg)
	host, _, err := net.SplitHostPort(a.Addr())
	if ip := net.ParseIP(host); err != nil || ip == nil || ip.IsUnspecified() {
		t.Errorf("bound to all, Addr is %q, want an address that others can use", a.Addr())
	}
	cfg = fast("b", "localhost"+a.Addr()[len(host):])
	cfg.Bind, cfg.Advertise = ":0", "localhost:0"
	b := start(t, cfg)
	if host, _, _ := net.SplitHostPort(b.Addr()); host != "127.0.0.1" {
		t.Errorf("Advertise localhost:0 gives %q", b.Addr())
	}
	await(t, b, "a", transport.Alive)
	reaches(t, b, a, "a")
	reaches(t, a, b, "b")
}
