package main

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Of five daemons one is killed and one is stopped, while the others are written to without
// pause. What is written to those shows at each other as before, costs them no memory for
// the ones that are gone, and is there in the end, on all five, as is what those had sent.
func TestFaultsUnderLoad(t *testing.T) {
	t.Parallel()
	others := three(t)
	killed := launch(t, "d", "-join", others[0].gossip)
	stopped := launch(t, "e", "-join", others[0].gossip)
	procs := append(slices.Clone(others), killed, stopped)
	together(t, procs)
	want := load(t, procs[3:], "fault/", 50)
	everywhere(t, 10*time.Second, "what the victims wrote", others, func(p *proc) error { return p.hasAll("fault/", want) })

	w := keepWriting(others)
	before, heap, size := w.measure(t, time.Second), w.heap(), w.size()
	killed.kill()
	stopped.stop()
	time.Sleep(time.Second) // the others may notice for so long: what is claimed begins after it
	during := w.measure(t, 2*time.Second)
	until(t, 20*time.Second, "much is written", func() error { // what waited for the victims would be noticed
		if n := w.size() - size; n < 2*mostGrowth*len(others) {
			return fmt.Errorf("%d bytes", n)
		}
		return nil
	})
	grown := w.heap() - heap
	killed.start()
	stopped.resume()
	maps.Copy(want, w.stop(t))

	t.Logf("p99 of staleness: up to %v s before, %v s during the fault; heap %+.1f MB", before, during, grown/1e6)
	// A machine that is busy otherwise has its ups and downs. Who waits for a victim
	// does so for seconds: for a time-out, or for membership.
	if most := max(1, 10*before); during > most {
		t.Errorf("p99 of staleness up to %v s, %v s before; want at most %v s", during, before, most)
	}
	if grown > mostGrowth {
		t.Errorf("the heap grew by %.0f bytes", grown)
	}
	took := until(t, 15*time.Second, "equal state", func() error { return same(procs) })
	t.Logf("all are equal %v after the victims are back", took.Round(time.Millisecond))
	everywhere(t, 10*time.Second, "all that was written", procs, func(p *proc) error { return p.hasAll("fault/", want) })
	together(t, procs)
}

const (
	faultPace  = 20 * time.Millisecond // between two writes at one daemon
	faultKeys  = 20                    // that are overwritten again and again
	faultBytes = 32 << 10              // of a value
	mostGrowth = 2 << 20               // bytes of heap
)

// writers write to daemons until they are stopped.
type writers struct {
	procs []*proc
	done  chan struct{}
	loops sync.WaitGroup

	mu      sync.Mutex
	written map[string]string
	bytes   int // of all values so far
	err     error
}

// keepWriting writes at each daemon: to the same few keys, and now and then to a new one.
func keepWriting(procs []*proc) *writers {
	w := &writers{procs: procs, done: make(chan struct{}), written: map[string]string{}}
	for _, p := range procs {
		w.loops.Go(func() {
			tick := time.NewTicker(faultPace)
			defer tick.Stop()
			for i := 0; ; i++ {
				select {
				case <-tick.C:
				case <-w.done:
					return
				}
				key, value := fmt.Sprint("fault/", p.name, "/", i%faultKeys), fmt.Sprint(i, strings.Repeat(".", faultBytes))
				if i%5 == 0 {
					key, value = fmt.Sprint("fault/", p.name, "/once/", i), "v"
				}
				w.put(p, key, value)
			}
		})
	}
	return w
}

func (w *writers) put(p *proc, key, value string) {
	code, body, err := p.do("PUT", "/v1/kv/"+url.PathEscape(key), []byte(value))
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || code != 204 {
		w.err = fmt.Errorf("%s: PUT %s = %d %s", p.name, key, code, reason(err, body))
		return
	}
	w.written[key] = value
	w.bytes += len(value)
}

func (w *writers) size() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bytes
}

// stop ends writing and returns what was written.
func (w *writers) stop(t *testing.T) map[string]string {
	t.Helper()
	close(w.done)
	w.loops.Wait()
	if w.err != nil {
		t.Error(w.err)
	}
	return w.written
}

// measure returns below what 99 % of the ages of updates were, in seconds, that came in a
// while.
func (w *writers) measure(t *testing.T, d time.Duration) float64 {
	t.Helper()
	from := w.staleness()
	time.Sleep(d) // what is measured is this while
	to := w.staleness()
	count := to[math.Inf(1)] - from[math.Inf(1)]
	if count == 0 {
		t.Fatalf("no update came in %v", d)
	}
	for _, le := range slices.Sorted(maps.Keys(to)) {
		if to[le]-from[le] >= 0.99*count {
			return le
		}
	}
	return math.Inf(1)
}

// staleness returns how many updates were at most how old when they came, in seconds.
func (w *writers) staleness() map[float64]float64 {
	all := map[float64]float64{}
	for _, p := range w.procs {
		for line := range bytes.Lines(p.must("GET", "/metrics", nil)) {
			var le, n float64
			name, rest, ok := strings.Cut(string(line), `le="`)
			if !ok || !strings.HasPrefix(name, "scuttlebutt_staleness_seconds_bucket") {
				continue
			}
			if _, err := fmt.Sscanf(strings.Replace(rest, `"}`, " ", 1), "%g %g", &le, &n); err != nil {
				p.t.Fatalf("%s: %q: %v", p.name, line, err)
			}
			all[le] += n
		}
	}
	return all
}

// heap returns the largest heap of a daemon, as its last garbage collection left it: by
// default the next one begins at twice that.
func (w *writers) heap() float64 {
	most := 0.0
	for _, p := range w.procs {
		most = max(most, p.metric("go_memstats_next_gc_bytes")/2)
	}
	return most
}
