package gossip

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

var withState = model.WatchConfig{State: true}

// replay is a watch that keeps what it was shown, one change per token of gate;
// a nil gate is always open.
type replay struct {
	gate    chan struct{}
	moment  func(map[string]string) // called after each change without More
	ended   chan struct{}
	changes atomic.Int64

	mu    sync.Mutex
	shown map[string]string
	wrong []string
}

// follow starts a replay of m.
func follow(ctx context.Context, m *model.Map[string], cfg model.WatchConfig, gate chan struct{}, moment func(map[string]string)) *replay {
	r := &replay{gate: gate, moment: moment, ended: make(chan struct{}), shown: map[string]string{}}
	go func() {
		defer close(r.ended)
		for c := range m.Watch(ctx, cfg) {
			if r.gate != nil {
				<-r.gate
			}
			r.changes.Add(1)
			r.apply(c)
		}
	}()
	synctest.Wait() // it has begun
	return r
}

func (r *replay) apply(c model.MapChange[string]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old, ok := r.shown[c.Key]; ok != c.Existed || old != c.Old || c.Deleted && !ok {
		r.wrong = append(r.wrong, fmt.Sprintf("%+v, but the watch has shown %q, %v", c, old, ok))
	}
	if c.Deleted {
		delete(r.shown, c.Key)
	} else {
		r.shown[c.Key] = c.Value
	}
	if r.moment != nil && !c.More {
		r.moment(r.shown)
	}
}

// shows returns a condition: what the watch has shown adds up to the map.
func (r *replay) shows(t *testing.T, m *model.Map[string]) func() bool {
	return func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, w := range r.wrong {
			t.Error(w)
		}
		r.wrong = nil
		return maps.Equal(r.shown, maps.Collect(m.All()))
	}
}

func TestWatchAcrossNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		a, b := startOn(t, net, "a"), startOn(t, net, "b")
		set(t, &a.m, "before", "v")
		eventually(t, 5*time.Second, "b has it", has(&b.m, "before", "v"))
		next := make(chan model.MapChange[string])
		go func() {
			for c := range b.m.Watch(t.Context(), withState) {
				next <- c
			}
		}()
		if c := <-next; c.Key != "before" || c.Value != "v" || c.Replica != a.Status().Self || c.More {
			t.Errorf("state: %+v", c)
		}
		for _, tt := range []struct {
			by    *peer
			value string
			old   string
		}{{a, "1", ""}, {b, "2", "1"}, {a, "", "2"}, {b, "3", ""}} {
			start := time.Now()
			if tt.value == "" {
				_ = tt.by.m.Delete(t.Context(), "k")
			} else {
				set(t, &tt.by.m, "k", tt.value)
			}
			c := <-next
			if c.Key != "k" || c.Value != tt.value || c.Deleted != (tt.value == "") || c.Old != tt.old || c.Existed != (tt.old != "") ||
				c.Replica != tt.by.Status().Self || c.Time.Time().Before(start.Truncate(time.Millisecond)) {
				t.Errorf("%q at %s: %+v", tt.value, tt.by.cfg.Name, c)
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("%q at %s is shown at b after %v", tt.value, tt.by.cfg.Name, took)
			}
			eventually(t, 5*time.Second, "both agree", agree(a, b))
		}
	})
}

// A watch that stands still holds up nobody, keeps no more than there are keys,
// and is shown the latest when it goes on.
func TestSlowWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		registry := prometheus.NewPedanticRegistry()
		a, b := startOn(t, net, "a"), startOn(t, net, "b", func(c *Config) { c.Metrics = registry })
		gate := make(chan struct{})
		slow := follow(t.Context(), &b.m, withState, gate, nil)
		fast := follow(t.Context(), &b.m, withState, nil, nil)
		for round := range 50 {
			for k := range 20 {
				set(t, &a.m, fmt.Sprint("k", k), fmt.Sprint(round))
			}
			set(t, &a.m, "passing", "v")
			time.Sleep(time.Second) // virtual time
			_ = a.m.Delete(t.Context(), "passing")
			time.Sleep(time.Second) // virtual time
			if !fast.shows(t, &b.m)() || !agree(a, b)() {
				t.Fatalf("round %d: a watch that stands still holds up others", round)
			}
		}
		const perWatch = 2 * (20 + 1) // the keys, and what is shown now
		got := scrape(t, registry)
		if n := got[`scuttlebutt_watchers{node="b"}`]; n != 2 {
			t.Errorf("%v watchers, want 2", n)
		}
		if n := got[`scuttlebutt_watch_pending{node="b"}`]; n < 20 || n > perWatch {
			t.Errorf("%v changes are kept after 50 writes to each of 20 keys, want at most %d", n, perWatch)
		}
		close(gate)
		eventually(t, time.Second, "the slow one has caught up", slow.shows(t, &b.m))
		if s, f := slow.changes.Load(), fast.changes.Load(); s > perWatch || f < 50*22 {
			t.Errorf("%d changes were shown to the slow one, want at most %d; %d to the fast one, want all", s, perWatch, f)
		}
		if n := scrape(t, registry)[`scuttlebutt_watch_pending{node="b"}`]; n != 0 {
			t.Errorf("%v changes are kept for watches that have seen all", n)
		}
	})
}

func TestWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startOn(t, memnet.New(memnet.Config{}), "a")
		set(t, &a.m, "k", "v")
		ctx, cancel := context.WithCancel(t.Context())
		canceled := follow(ctx, &a.m, withState, nil, nil)
		gate := make(chan struct{})
		closed := follow(context.Background(), &a.m, withState, gate, nil)
		for c := range a.m.Watch(context.Background(), withState) {
			if c.Key == "k" {
				break // and nothing is left of it
			}
		}
		if n := a.watches.count.Load(); n != 2 {
			t.Errorf("%d watches, want 2", n)
		}
		cancel()
		<-canceled.ended
		set(t, &a.m, "last", "v")
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		close(gate)
		<-closed.ended
		if !closed.shows(t, &a.m)() || closed.shown["last"] != "v" {
			t.Errorf("the watch ended with %v", closed.shown)
		}
		if canceled.shown["last"] != "" {
			t.Error("a change was shown after its context was done")
		}
		late := follow(context.Background(), &a.m, withState, nil, nil)
		<-late.ended
		if !late.shows(t, &a.m)() {
			t.Errorf("on a closed node a watch shows %v", late.shown)
		}
		if n, p := a.watches.count.Load(), a.watches.pending.Load(); n != 0 || p != 0 || len(a.watches.spaces) != 0 {
			t.Errorf("%d watches and %d changes are left: %v", n, p, a.watches.spaces)
		}
	})
}

// The body may write, also to what it watches, and may watch.
func TestWatchBodyMayDoAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startOn(t, memnet.New(memnet.Config{}), "a")
		set(t, &a.m, "k", "0")
		for c := range a.m.Watch(t.Context(), withState) {
			if c.Value == "10" {
				break
			}
			err := a.m.Update(t.Context(), "k", func(old string, _ bool) string {
				var n int
				fmt.Sscan(old, &n)
				return fmt.Sprint(n + 1)
			})
			if err != nil {
				t.Fatal(err)
			}
			for range a.m.Watch(t.Context(), withState) {
				break
			}
		}
	})
}

// Removals without an update in their place reach watches too.
func TestWatchRemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startOn(t, memnet.New(memnet.Config{}), "a")
		set(t, &a.m, "k", "v")
		r := follow(t.Context(), &a.m, withState, nil, nil)
		u := &model.Update{Space: "s", Key: []byte("k"), Value: []byte("v")}
		_ = a.do(func(time.Time) (engine.Output, error) {
			return engine.Output{Changed: []model.Change{{Old: u}}}, nil
		})
		synctest.Wait()
		if len(r.shown) != 0 {
			t.Errorf("shown: %v, want nothing", r.shown)
		}
	})
}

// Nothing is missing and nothing repeated between the state and the first
// change, while somebody writes as fast as he can.
func TestWatchBeginsExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startOn(t, memnet.New(memnet.Config{}), "a")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; ctx.Err() == nil; i++ {
				_ = a.m.Set(ctx, "k", fmt.Sprint(i))
			}
		}()
		for range 300 {
			r := replay{shown: map[string]string{}}
			n := 0
			for c := range a.m.Watch(ctx, withState) {
				r.apply(c)
				if n++; n == 3 {
					break
				}
			}
			if len(r.wrong) > 0 {
				t.Fatal(r.wrong)
			}
		}
		cancel()
		<-done
	})
}

// Many watches come and go while many write; for the race detector.
func TestManyWatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		a, b := startOn(t, net, "a"), startOn(t, net, "b")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range 100 {
			p, cfg := []*peer{a, b}[i%2], model.WatchConfig{State: i%3 > 0, Prefix: strings.Repeat("1", i%2)}
			wg.Go(func() {
				for ctx.Err() == nil {
					n := 0
					for range p.m.Watch(ctx, cfg) {
						if n++; n > i {
							break
						}
					}
					time.Sleep(time.Millisecond) // virtual time
				}
			})
		}
		for g := range 4 {
			p := []*peer{a, b}[g%2]
			for i := range 200 {
				if key := fmt.Sprint(i % 17); i%5 == 0 {
					_ = p.m.Delete(ctx, key)
				} else {
					_ = p.m.Update(ctx, key, func(old string, ok bool) string { return fmt.Sprint(i) })
				}
				time.Sleep(time.Millisecond) // virtual time
			}
		}
		final := follow(ctx, &b.m, withState, nil, nil)
		eventually(t, 10*time.Second, "both agree", agree(a, b))
		if !final.shows(t, &a.m)() {
			t.Errorf("shown %v", final.shown)
		}
		cancel()
		wg.Wait()
		<-final.ended
	})
}
