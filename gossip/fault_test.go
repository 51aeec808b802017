package gossip

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// A linked peer dies, or stops, or is cut off, while all nodes write. From a second later
// on the others have each other's writes as soon as before; what they send to the one that
// is gone does not grow with what is written; and when it is back all have everything.
func TestPeerFaults(t *testing.T) {
	tests := []struct {
		name   string
		writes bool // the victim goes on writing
		begin  func(f *faulty)
		end    func(f *faulty)
	}{
		{
			"kill", false,
			func(f *faulty) { f.net.Crash(victim) },
			func(f *faulty) { f.join(victim) },
		},
		{
			"stop", false,
			func(f *faulty) { f.holds[victim].set(true) },
			func(f *faulty) { f.holds[victim].set(false) },
		},
		{
			"partition", true,
			func(f *faulty) { f.net.Partition([]string{victim}) },
			func(f *faulty) { f.net.Heal() },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := startFaulty(t)
				ctx, stop := context.WithCancel(t.Context())
				victims, stopVictim := context.WithCancel(ctx)
				f.write(ctx, others...)
				f.write(victims, victim)

				before := f.measure(3 * time.Second)
				if !tt.writes {
					stopVictim()
					time.Sleep(time.Second) // virtual time; what it wrote has left it
				}
				f.sent.Store(0)
				tt.begin(f)
				time.Sleep(time.Second) // virtual time; the bound that is promised
				during := f.measure(3 * time.Second)
				sent := f.sent.Load()
				tt.end(f)
				time.Sleep(time.Second) // virtual time
				after := f.measure(3 * time.Second)
				stop()
				stopVictim()
				f.loops.Wait()

				t.Logf("p99 before %v, during %v, after %v; %d bytes to the victim", before, during, after, sent)
				for _, p99 := range []time.Duration{during, after} {
					if p99 > before+maxDelay/4 {
						t.Errorf("p99 %v, %v before", p99, before)
					}
				}
				if most := int64(len(others) * 80 << 10); sent > most { // 64 KiB of updates each, and what is around them
					t.Errorf("%d bytes went to the one that was gone, at most %d", sent, most)
				}
				f.agree()
			})
		})
	}
}

const (
	victim     = "d"
	pace       = 20 * time.Millisecond // between two writes of a node
	valueBytes = 4000
	maxDelay   = 4 * time.Millisecond // of the network
)

var others = []string{"a", "b", "c"}

// faulty is a cluster with a victim.
type faulty struct {
	t     *testing.T
	net   *memnet.Network
	peers map[string]*peer
	holds map[string]*hold
	sent  atomic.Int64 // bytes to the victim
	loops sync.WaitGroup

	mu      sync.Mutex
	written map[string]string
	seen    map[string]time.Duration // by receiver and value: how old it was when it showed
}

func startFaulty(t *testing.T) *faulty {
	f := &faulty{
		t: t, peers: map[string]*peer{}, holds: map[string]*hold{}, written: map[string]string{}, seen: map[string]time.Duration{},
		net: memnet.New(memnet.Config{Faults: memnet.Faults{MinDelay: maxDelay / 4, MaxDelay: maxDelay}}),
	}
	f.net.Tap(func(_, to string, _ transport.Channel, msg []byte) {
		if to == victim {
			f.sent.Add(int64(len(msg)))
		}
	})
	for _, name := range append(slices.Clone(others), victim) {
		f.join(name)
	}
	eventually(t, 10*time.Second, "all have links to each other", func() bool {
		return !slices.ContainsFunc(slices.Collect(maps.Values(f.peers)), func(p *peer) bool { return p.Status().Links < len(others) })
	})
	for _, name := range others {
		go f.watch(f.peers[name])
	}
	synctest.Wait() // they have begun
	return f
}

func (f *faulty) join(name string) {
	f.peers[name] = startOn(f.t, f.net, name, func(c *Config) {
		f.holds[name] = newHold(c.Transport.(*memnet.Endpoint))
		c.Transport = f.holds[name]
	})
}

// write has nodes write until ctx is done.
func (f *faulty) write(ctx context.Context, names ...string) {
	for _, name := range names {
		p := f.peers[name]
		f.loops.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key, value := fmt.Sprint(name, "/", i%25), fmt.Sprint(i, " of ", name, strings.Repeat(".", valueBytes))
				if i%7 == 0 {
					key = fmt.Sprint(name, "/once/", i)
				}
				set(f.t, &p.m, key, value)
				f.mu.Lock()
				f.written[key] = value
				f.mu.Unlock()
				time.Sleep(pace) // virtual time
			}
		})
	}
}

// watch notes how old others' writes are when they show.
func (f *faulty) watch(p *peer) {
	for c := range p.m.Watch(f.t.Context(), model.WatchConfig{}) {
		if c.Replica.Node == p.cfg.Name || c.Replica.Node == victim {
			continue
		}
		f.mu.Lock()
		f.seen[p.cfg.Name+" "+c.Value] = time.Since(c.Time.Time())
		f.mu.Unlock()
	}
}

// measure returns the 99th percentile of the ages in a while.
func (f *faulty) measure(d time.Duration) time.Duration {
	f.mu.Lock()
	clear(f.seen)
	f.mu.Unlock()
	time.Sleep(d) // virtual time
	f.mu.Lock()
	defer f.mu.Unlock()
	ages := slices.Sorted(maps.Values(f.seen))
	if want := int(d/pace) * len(others) * (len(others) - 1); len(ages) < want*98/100 {
		f.t.Errorf("%d writes showed in %v, want about %d", len(ages), d, want)
	}
	return ages[len(ages)*99/100]
}

// agree waits until all nodes show all that was written, and nothing else.
func (f *faulty) agree() {
	f.t.Helper()
	eventually(f.t, 10*time.Second, "all have everything", func() bool {
		for _, p := range f.peers {
			if !p.Status().Clean || !maps.Equal(maps.Collect(p.m.All()), f.written) {
				return false
			}
		}
		return true
	})
	want := f.peers[victim].Status()
	for name, p := range f.peers {
		if s := p.Status(); s.Vector.Compare(want.Vector) != clock.Equal || s.Spaces[0].Hash != want.Spaces[0].Hash {
			f.t.Errorf("%s has %v, %s has %v", name, s.Vector, victim, want.Vector)
		}
		if err := p.check(); err != nil {
			f.t.Error(err)
		}
	}
}

// hold is a transport of a node that can be stopped: then nothing comes, what arrives
// waits as far as there is room, and nothing goes.
type hold struct {
	*memnet.Endpoint
	in   chan transport.Packet
	held chan bool
	mute atomic.Bool
}

func newHold(e *memnet.Endpoint) *hold {
	h := &hold{Endpoint: e, in: make(chan transport.Packet), held: make(chan bool)}
	go h.run()
	return h
}

func (h *hold) run() {
	defer close(h.in)
	for {
		select {
		case is := <-h.held:
			for is {
				is = <-h.held
			}
		case p, ok := <-h.Endpoint.Receive():
			if !ok {
				return
			}
			h.in <- p
		}
	}
}

func (h *hold) set(held bool) {
	h.mute.Store(held)
	h.held <- held
}

// Receive implements transport.Transport.
func (h *hold) Receive() <-chan transport.Packet { return h.in }

// Send implements transport.Transport.
func (h *hold) Send(to string, ch transport.Channel, msg []byte) error {
	if h.mute.Load() {
		return nil
	}
	return h.Endpoint.Send(to, ch, msg)
}
