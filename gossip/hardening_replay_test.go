package gossip

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
)

// replayed is a cluster whose every message is recorded, watched by a witness.
type replayed struct {
	t   *testing.T
	net *memnet.Network
	w   *witness
	rng *rand.Rand

	nodes     map[string]*Node
	recorders map[string]*recorder
	tape      []transport.Packet
	writes    int
}

func (r *replayed) start(name string) {
	n := startBare(r.t, r.net, name)
	r.nodes[name], r.recorders[name] = n, &recorder{w: r.w}
	delete(r.w.vectors, name) // a restarted node begins again
	attach(r.t, n, "s", r.recorders[name])
}

func (r *replayed) stop(name string, leave bool) {
	stop := r.nodes[name].Close
	if leave {
		stop = func() error { return r.nodes[name].Leave(r.t.Context()) }
	}
	if err := stop(); err != nil {
		r.t.Fatal(err)
	}
	delete(r.nodes, name)
	delete(r.recorders, name)
}

func (r *replayed) names() []string { return slices.Sorted(maps.Keys(r.nodes)) }

// write sets or deletes a key somewhere.
func (r *replayed) write() {
	r.writes++
	names := r.names()
	m, key := r.recorders[names[r.rng.IntN(len(names))]], fmt.Sprint(r.rng.IntN(50))
	err := m.Set(r.t.Context(), key, fmt.Sprint("value ", r.writes))
	if r.rng.IntN(4) == 0 {
		err = m.Delete(r.t.Context(), key)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// look checks the invariants on all nodes.
func (r *replayed) look() {
	synctest.Wait()
	for name, n := range r.nodes {
		r.w.look(n, r.recorders[name])
	}
}

// state is what a node has: vector, state hashes, values.
func (r *replayed) state(name string) string {
	s := r.nodes[name].Status()
	return fmt.Sprint(s.Self, s.Clean, s.Vector, s.Spaces, maps.Collect(r.recorders[name].All()))
}

func (r *replayed) settle(limit time.Duration) {
	r.t.Helper()
	eventually(r.t, limit, "all agree", func() bool {
		var first string
		for _, n := range r.nodes {
			s := n.Status()
			state := fmt.Sprint(s.Vector, s.Spaces)
			if !s.Clean || first != "" && state != first {
				return false
			}
			first = state
		}
		return true
	})
	r.look()
}

// replay injects a shuffled part of the tape into all nodes, some at a time, and
// calls between after each.
func (r *replayed) replay(part []transport.Packet, between func()) {
	const at = 200 // few enough for a receive queue
	part = slices.Clone(part)
	r.rng.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
	for run := range slices.Chunk(part, at) {
		for _, p := range run {
			for name := range r.nodes {
				r.net.Inject(name, p.Channel, p.Bytes)
			}
		}
		synctest.Wait()
		time.Sleep(10 * time.Millisecond) // virtual time
		between()
	}
}

func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// All messages of an hour in which nodes write, leave, crash and come back, in any
// order, to every node, again: nothing changes, nothing grows (I13). Then some more
// while the cluster works and a newcomer catches up: they agree all the same.
func TestReplayOfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &replayed{
			t: t, w: newWitness(t), rng: rand.New(rand.NewPCG(1, 2)),
			net:   memnet.New(memnet.Config{Faults: memnet.Faults{Loss: 0.05, MaxDelay: 30 * time.Millisecond, Streams: true}}),
			nodes: map[string]*Node{}, recorders: map[string]*recorder{},
		}
		r.net.Tap(func(_, _ string, ch transport.Channel, msg []byte) {
			r.tape = append(r.tape, transport.Packet{Channel: ch, Bytes: slices.Clone(msg)})
		})
		for _, name := range names(4) {
			r.start(name)
		}
		for minute := range 60 {
			for range 6 {
				r.write()
				time.Sleep(10 * time.Second) // virtual time
			}
			switch minute {
			case 20:
				r.stop("d", true)
			case 30:
				r.stop("c", false)
			case 32:
				r.start("c")
			case 40:
				r.net.Partition([]string{"a"}, []string{"b", "c"})
			case 45:
				r.net.Heal()
			}
			r.look()
		}
		r.net.SetFaults(memnet.Faults{})
		r.settle(time.Minute)
		time.Sleep(10 * time.Second) // virtual time
		r.net.Tap(nil)

		before, heap := map[string]string{}, heapInUse()
		for _, name := range r.names() {
			before[name] = r.state(name)
		}
		begun := time.Now()
		r.replay(r.tape, func() {})
		time.Sleep(time.Minute) // whatever was begun has timed out
		synctest.Wait()
		grown := heapInUse() - heap
		for name, want := range before {
			if got := r.state(name); got != want {
				t.Errorf("%s was changed by the replay:\n%s\n%s", name, want, got)
			}
			if s := r.nodes[name].Status().Stats; s.Forks+s.Mismatches+s.Epochs > 0 {
				t.Errorf("%s: %+v after the replay", name, s)
			}
		}
		if grown > 4<<20 {
			t.Errorf("the replay left %d KiB on the heap", grown>>10)
		}
		if n := r.net.Counters().Dropped; n > 0 {
			t.Errorf("%d messages overran a queue: they show nothing", n)
		}
		r.look()
		t.Logf("%d messages to %d nodes in %v: %d KiB more on the heap", len(r.tape), len(before), time.Since(begun), grown>>10)

		r.start("e")
		runs := 0
		r.replay(r.tape[len(r.tape)*9/10:], func() { // the last minutes
			if runs++; runs%10 == 0 {
				r.write()
				r.look()
			}
		})
		r.settle(10 * time.Second)
	})
}
