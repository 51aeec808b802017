package gossip

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// history is a watcher that notes every state in which the keys with a prefix
// have ever been. It never has anything to take.
type history struct {
	prefix string
	now    map[string]string
	states map[string]bool
}

func (h *history) Start() {
	h.now, h.states = map[string]string{}, map[string]bool{}
	h.states[fingerprint(h.now)] = true // begun before the first write
}

func (h *history) Note(c model.Change) {
	if key := string(c.New.Key); strings.HasPrefix(key, h.prefix) {
		if delete(h.now, key); !c.New.IsTombstone() {
			h.now[key] = string(c.New.Value)
		}
		h.states[fingerprint(h.now)] = true
	}
}

func (h *history) Take() bool { return false }
func (h *history) Len() int   { return 0 }

func fingerprint(m map[string]string) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "%q=%q ", key, m[key])
	}
	return b.String()
}

// Whatever is written at two nodes, and however slowly watches read: at each
// moment that a watch shows, its changes add up to a state that the map has had,
// and at last to the state that it has.
func TestWatchReplays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) { watchReplays(t, rt) })
	})
}

func watchReplays(t *testing.T, rt *rapid.T) {
	net := memnet.New(memnet.Config{Seed: 1, Faults: memnet.Faults{MinDelay: time.Millisecond, MaxDelay: 40 * time.Millisecond, Loss: 0.1}})
	peers := []*peer{startOn(t, net, "a"), startOn(t, net, "b")}
	defer func() {
		for _, p := range peers {
			_ = p.Close()
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	type watching struct {
		*replay
		of     *peer
		prefix string
	}
	var watches []watching
	histories := map[*peer]map[string]*history{}
	for _, p := range peers {
		histories[p] = map[string]*history{}
		for _, prefix := range []string{"", "a"} {
			h := &history{prefix: prefix}
			histories[p][prefix] = h
			s := p.spaces["s"].watch(h)
			defer p.unwatch(s)
		}
	}
	begin := func(cfg model.WatchConfig) {
		p := rapid.SampledFrom(peers).Draw(rt, "watched")
		h := histories[p][cfg.Prefix]
		w := watching{of: p, prefix: cfg.Prefix, replay: follow(ctx, &p.m, cfg, make(chan struct{}), func(shown map[string]string) {
			p.order.Lock() // guards the history
			defer p.order.Unlock()
			if !h.states[fingerprint(shown)] {
				rt.Errorf("%s has never shown %s", p.cfg.Name, fingerprint(shown))
			}
		})}
		watches = append(watches, w)
	}
	begin(model.WatchConfig{}) // from the first write on: no state needed
	for i := range rapid.IntRange(1, 40).Draw(rt, "steps") {
		p := rapid.SampledFrom(peers).Draw(rt, "peer")
		key := rapid.SampledFrom([]string{"", "a", "ab", "b"}).Draw(rt, "key")
		switch rapid.IntRange(0, 9).Draw(rt, "step") {
		case 0:
			begin(model.WatchConfig{State: true, Prefix: rapid.SampledFrom([]string{"", "a"}).Draw(rt, "prefix")})
		case 1:
			time.Sleep(time.Duration(rapid.IntRange(1, 100).Draw(rt, "ms")) * time.Millisecond) // virtual time
		case 2, 3, 4:
			w := rapid.SampledFrom(watches).Draw(rt, "reader")
			for range rapid.IntRange(1, 4).Draw(rt, "reads") {
				synctest.Wait()
				select {
				case w.gate <- struct{}{}:
				default: // nothing to show
				}
			}
		case 5, 6:
			_ = p.m.Delete(ctx, key)
		default:
			_ = p.m.Set(ctx, key, fmt.Sprint(i))
		}
	}
	for _, w := range watches {
		close(w.gate)
	}
	eventually(t, time.Minute, "both agree", agree(peers...))
	for _, w := range watches {
		w.mu.Lock()
		if want := maps.Collect(w.of.m.Prefix(w.prefix)); !maps.Equal(w.shown, want) || len(w.wrong) > 0 {
			rt.Errorf("shown %v, want %v; %q", w.shown, want, w.wrong)
		}
		w.mu.Unlock()
	}
	cancel()
	for _, w := range watches {
		<-w.ended
	}
}
