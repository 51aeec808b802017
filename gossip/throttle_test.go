package gossip

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// narrow makes exchanges carry some 20 to 60 updates, ten times per second.
func narrow(c *Config) {
	c.Budget = 1024
	c.Interval, c.MinInterval = 100*time.Millisecond, 100*time.Millisecond
}

// pair is two nodes with a narrow network between them, after their first
// exchanges.
func pair(t *testing.T, change ...func(*Config)) (net *memnet.Network, a, b *peer) {
	t.Helper()
	net = memnet.New(memnet.Config{DetectAfter: time.Hour})
	change = append([]func(*Config){narrow}, change...)
	a, b = startOn(t, net, "a", change...), startOn(t, net, "b", change...)
	set(t, &a.m, "first", "v")
	eventually(t, 10*time.Second, "b has it", has(&b.m, "first", "v"))
	time.Sleep(2 * time.Second) // virtual time
	return net, a, b
}

// exhaust writes until p is throttled, and returns how many writes that took.
func exhaust(t *testing.T, p *peer) int {
	t.Helper()
	for i := range 10_000 {
		switch err := p.m.TrySet(t.Context(), fmt.Sprint("exhaust ", i), "v"); {
		case errors.Is(err, ErrThrottled):
			return i
		case err != nil:
			t.Fatal(err)
		}
	}
	t.Fatal("10,000 writes were not throttled")
	return 0
}

// Without flow control nobody waits.
func TestFlowOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, _ := pair(t, func(c *Config) { c.Flow = FlowOff })
		for i := range 10_000 {
			if err := a.m.TrySet(t.Context(), fmt.Sprint(i), "v"); err != nil {
				t.Fatalf("write %d: %v", i, err)
			}
		}
		if r := a.Status().Rates; !math.IsInf(r.Maximum, 1) || r.Desired != 0 || r.Capacity != 0 {
			t.Errorf("rates %+v", r)
		}
	})
}

// Writes that would have to wait and are told not to are refused and counted, and
// nothing of them is left.
func TestTrySetIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, a, b := pair(t)
		n := exhaust(t, a)
		if n < 10 || n > 40 { // a burst of about a budget is free
			t.Errorf("throttled after %d writes", n)
		}
		before := a.Status()
		for range 9 {
			if err := a.m.TrySet(t.Context(), "refused", "v"); !errors.Is(err, ErrThrottled) {
				t.Fatalf("TrySet: %v, want ErrThrottled", err)
			}
		}
		after := a.Status()
		if a.throttle.refused.Load() != 10 || after.Stats.UpdatesWritten != before.Stats.UpdatesWritten || !has(&a.m, "refused", "")() {
			t.Errorf("%d were counted, %d written", a.throttle.refused.Load(), after.Stats.UpdatesWritten-before.Stats.UpdatesWritten)
		}
		if r := after.Rates; r.Desired <= r.Maximum || r.Maximum <= 0 || r.Capacity <= 0 || math.IsInf(r.Maximum, 1) {
			t.Errorf("rates %+v, want more desired than there is", r)
		}
		net.SetFaults(memnet.Faults{})
		time.Sleep(time.Second) // virtual time
		if err := a.m.TrySet(t.Context(), "later", "v"); err != nil {
			t.Errorf("TrySet a second later: %v", err)
		}
		eventually(t, 10*time.Second, "both agree", agree(a, b))
		time.Sleep(30 * time.Second) // virtual time
		if r := a.Status().Rates; r.Desired > 1 {
			t.Errorf("rates %+v long after the last write", r)
		}
	})
}

// Set waits, no longer than its context allows. What is given up is not written.
func TestSetWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, a, _ := pair(t)
		net.SetFaults(memnet.Faults{Loss: 1, Streams: true}) // the rate stays what it is
		exhaust(t, a)
		rate := a.Status().Rates.Maximum
		begin := time.Now()
		const n = 100
		for i := range n {
			set(t, &a.m, fmt.Sprint("waits ", i), "v")
		}
		if got := n / time.Since(begin).Seconds(); math.Abs(got-rate) > 0.05*rate {
			t.Errorf("%.1f writes per second, may %.1f", got, rate)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Microsecond)
		defer cancel()
		begin = time.Now()
		err := a.m.Set(ctx, "hopeless", "v")
		if !errors.Is(err, ErrThrottled) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Set: %v, want ErrThrottled and the context's error", err)
		}
		if d := time.Since(begin); d != time.Microsecond {
			t.Errorf("gave up after %v", d)
		}
		time.Sleep(time.Second) // virtual time
		if !has(&a.m, "hopeless", "")() {
			t.Error("a write was made that was given up")
		}
		if a.throttle.waiting.Load() != 0 || len(a.throttle.turn) != 0 {
			t.Error("somebody still waits")
		}
	})
}

// Those who wait are served in the order in which they came, and those who come
// meanwhile do not overtake them.
func TestWritersAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, a, _ := pair(t)
		net.SetFaults(memnet.Faults{Loss: 1, Streams: true})
		exhaust(t, a)
		var mu sync.Mutex
		var served []int
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				if err := a.m.Set(t.Context(), fmt.Sprint("waits ", i), "v"); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				served = append(served, i)
			})
			synctest.Wait()
		}
		if w := a.throttle.waiting.Load(); w != 10 {
			t.Errorf("%d writers wait, want 10", w)
		}
		wg.Wait()
		if want := "[0 1 2 3 4 5 6 7 8 9]"; fmt.Sprint(served) != want {
			t.Errorf("served %v, want %v", served, want)
		}
	})
}

// Whoever waits learns at once that the node closes, or leaves.
func TestClosingWakesWriters(t *testing.T) {
	for name, end := range map[string]func(*peer) error{
		"Close": func(p *peer) error { return p.Close() },
		"Leave": func(p *peer) error { return p.Leave(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net, a, _ := pair(t)
				net.SetFaults(memnet.Faults{Loss: 1, Streams: true})
				exhaust(t, a)
				a.do(func(now time.Time) (out engine.Output, err error) {
					a.throttle.limiter.SetLimitAt(now, 0.001) // nobody's turn comes
					return out, nil
				})
				errs := make(chan error, 5)
				for i := range cap(errs) {
					go func() { errs <- a.m.Set(t.Context(), fmt.Sprint(i), "v") }()
				}
				synctest.Wait()
				begin := time.Now()
				go end(a)
				for range cap(errs) {
					if err := <-errs; !errors.Is(err, ErrClosed) {
						t.Errorf("Set: %v, want ErrClosed", err)
					}
				}
				if d := time.Since(begin); d != 0 {
					t.Errorf("they woke up after %v", d)
				}
				a.Close()
			})
		})
	}
}

// When the last peer is gone nobody waits any more.
func TestLoneSurvivorIsNotThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := pair(t)
		exhaust(t, a)
		if err := b.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // virtual time
		begin := time.Now()
		for i := range 10_000 {
			set(t, &a.m, fmt.Sprint(i), "v")
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("writes took %v", d)
		}
	})
}

// An update that no message has had yet may be replaced, or deleted, as often as one
// likes: others see the last one only.
func TestOverwritingUnsentIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, a, b := pair(t, func(c *Config) { c.RoundsOnly = true })
		net.SetFaults(memnet.Faults{Loss: 1, Streams: true})
		exhaust(t, a)
		for i := range 1000 {
			if err := a.m.TrySet(t.Context(), "exhaust 0", fmt.Sprint(i)); err != nil {
				t.Fatalf("overwrite %d: %v", i, err)
			}
		}
		begin := time.Now()
		if err := a.m.Update(t.Context(), "exhaust 1", func(old string, ok bool) string { return old + "!" }); err != nil {
			t.Error(err)
		}
		if err := a.m.Delete(t.Context(), "exhaust 2"); err != nil {
			t.Error(err)
		}
		if err := a.m.Delete(t.Context(), "never there"); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("free writes took %v", d)
		}
		if err := a.m.TrySet(t.Context(), "another", "v"); !errors.Is(err, ErrThrottled) {
			t.Errorf("TrySet of another key: %v, want ErrThrottled", err)
		}
		net.SetFaults(memnet.Faults{})
		eventually(t, 10*time.Second, "both agree", agree(a, b))
		if !has(&b.m, "exhaust 0", "999")() || !has(&b.m, "exhaust 1", "v!")() || !has(&b.m, "exhaust 2", "")() {
			t.Error("the last values did not arrive")
		}
		for a.m.TrySet(t.Context(), "exhaust 3", "v") == nil { // what was sent costs
			time.Sleep(time.Millisecond) // virtual time
		}
	})
}

// A write of several updates is one write: it waits once, and those after it pay.
func TestLargeWriteIsPaidForLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, a, _ := pair(t)
		net.SetFaults(memnet.Faults{Loss: 1, Streams: true})
		n := exhaust(t, a)
		h := a.spaces["s"]
		begin := time.Now()
		err := h.Write(t.Context(), true, func(tx *model.Tx) error {
			for i := range n {
				tx.Put(model.Draft{Key: fmt.Append(nil, "many ", i), Value: []byte("v")})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		first := time.Since(begin)
		set(t, &a.m, "next", "v")
		if d := time.Since(begin); d < time.Duration(n-2)*first {
			t.Errorf("the write of %d took %v, the next one was there after %v", n, first, d)
		}
	})
}

// What happens to writers shows in metrics; without flow control there are none.
func TestThrottleMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewPedanticRegistry()
		net, a, b := pair(t, func(c *Config) {
			if c.Metrics = registry; c.Name == "b" {
				c.Flow = FlowOff
			}
		})
		net.SetFaults(memnet.Faults{Loss: 1, Streams: true})
		exhaust(t, a)
		for i := range 7 {
			go func() { _ = a.m.Set(t.Context(), fmt.Sprint("waits ", i), "v") }()
		}
		synctest.Wait()
		waiting := scrape(t, registry)
		time.Sleep(10 * time.Second) // virtual time
		got := scrape(t, registry)
		for name, want := range map[string]float64{
			`scuttlebutt_throttled_total{node="a"}`:          1,
			`scuttlebutt_writers_waiting{node="a"}`:          0,
			`scuttlebutt_write_wait_seconds_count{node="a"}`: 7,
		} {
			if v, ok := got[name]; !ok || v != want {
				t.Errorf("%s = %v, %v, want %v", name, v, ok, want)
			}
		}
		if v := waiting[`scuttlebutt_writers_waiting{node="a"}`]; v != 7 {
			t.Errorf("%v writers wait, want 7", v)
		}
		desired, maximum := `scuttlebutt_write_rate{node="a",rate="desired"}`, `scuttlebutt_write_rate{node="a",rate="maximum"}`
		if waiting[desired] <= waiting[maximum] || got[desired] >= got[maximum] || got[maximum] <= 0 {
			t.Errorf("while they wait ρ is %v, τ %v; then %v and %v", waiting[desired], waiting[maximum], got[desired], got[maximum])
		}
		if s := a.Status().Rates; got[`scuttlebutt_write_rate{node="a",rate="capacity"}`] != s.Capacity || s.Capacity <= 0 {
			t.Errorf("status %+v", s)
		}
		for name := range got {
			if strings.Contains(name, "write_") && strings.Contains(name, `node="b"`) {
				t.Errorf("%s without flow control", name)
			}
		}
		_ = b.Close()
	})
}
