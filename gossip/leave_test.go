package gossip

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
)

func TestLeaveHandsOver(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			net := memnet.New(memnet.Config{Seed: int64(seed), Faults: memnet.Faults{MinDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond}})
			seeded := func(c *Config) { c.Seed = int64(seed) + 1 }
			a, b, c := startOn(t, net, "a", seeded), startOn(t, net, "b", seeded), startOn(t, net, "c", seeded)
			time.Sleep(time.Minute) // rounds are rare now
			for i := range 10 {
				set(t, &a.m, fmt.Sprint(i), "last words")
			}
			start := time.Now()
			if err := a.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
			if d := time.Since(start); d > 3*time.Second {
				t.Errorf("seed %d: leaving took %v", seed, d)
			}
			if b.m.Len() != 10 && c.m.Len() != 10 {
				t.Errorf("seed %d: the last writes are at nobody", seed)
			}
			if state(b, "a") != transport.Left || b.Status().Peers != 1 {
				t.Errorf("seed %d: b sees a as %v", seed, state(b, "a"))
			}
			eventually(t, 10*time.Second, "all agree", agree(b, c))
			if b.m.Len() != 10 {
				t.Errorf("seed %d: updates of a node that left are gone", seed)
			}
		})
	}
}

// With nothing to hand over leaving takes but a goodbye, and no time if there is nobody.
func TestLeaveAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		a, b := startOn(t, net, "a"), startOn(t, net, "b")
		set(t, &a.m, "k", "v")
		eventually(t, 10*time.Second, "b has it", has(&b.m, "k", "v"))
		time.Sleep(10 * time.Second) // virtual time
		start := time.Now()
		if err := a.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		set(t, &b.m, "k", "w")
		if err := b.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d > 100*time.Millisecond {
			t.Errorf("took %v, want at most 100 ms", d)
		}
	})
}

func TestLeaveGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{DetectAfter: time.Hour})
		a, _ := startOn(t, net, "a"), startOn(t, net, "b")
		time.Sleep(10 * time.Second) // virtual time
		net.SetFaults(memnet.Faults{Loss: 1, Streams: true})
		set(t, &a.m, "k", "v")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := a.Leave(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Leave: %v, want the context's error", err)
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("took %v, want 1 s", d)
		}
		if err := a.m.Set(t.Context(), "k", "v"); !errors.Is(err, ErrClosed) {
			t.Errorf("Set: %v, want ErrClosed", err)
		}
	})
}

func TestLeaveWithoutDeadlineEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{DetectAfter: time.Hour})
		a, b := startOn(t, net, "a"), startOn(t, net, "b")
		time.Sleep(10 * time.Second) // virtual time
		net.SetFaults(memnet.Faults{Loss: 1, Streams: true})
		set(t, &a.m, "k", "v")
		start := time.Now()
		if err := a.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d != handOver {
			t.Errorf("took %v, want %v", d, handOver)
		}
		if state(b, "a") != transport.Left {
			t.Error("a did not say goodbye")
		}
	})
}

// Close ends a Leave that waits; writes are refused meanwhile.
func TestCloseWhileLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{DetectAfter: time.Hour})
		a, _ := startOn(t, net, "a"), startOn(t, net, "b")
		time.Sleep(10 * time.Second) // virtual time
		net.SetFaults(memnet.Faults{Loss: 1, Streams: true})
		set(t, &a.m, "k", "v")
		left := make(chan error)
		start := time.Now()
		go func() { left <- a.Leave(context.Background()) }()
		time.Sleep(time.Second) // virtual time
		if err := a.m.Set(t.Context(), "k", "w"); !errors.Is(err, ErrClosed) {
			t.Errorf("Set while leaving: %v, want ErrClosed", err)
		}
		if err := a.Leave(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("second Leave: %v, want ErrClosed", err)
		}
		closed := a.Close()
		errs := []error{closed, <-left}
		if n := len(slices.DeleteFunc(errs, func(err error) bool { return errors.Is(err, ErrClosed) })); n != 1 {
			t.Errorf("Close: %v, and Leave: want ErrClosed from one of them", closed)
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("took %v, want no more than 1 s", d)
		}
	})
}

func TestMemberEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		a := startOn(t, net, "a")
		var got []string
		slow := false
		done := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			defer close(done)
			for e := range a.MemberEvents(ctx) {
				got = append(got, fmt.Sprint(e.Name, " ", e.State, " ", e.Joined))
				if a.Status(); slow { // the loop may call the node, and take its time
					time.Sleep(time.Minute) // virtual time
				}
			}
		}()
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(got, want) {
				t.Errorf("events %q, want %q", got, want)
			}
			got = nil
		}
		expect("a alive true")
		b := startOn(t, net, "b")
		expect("b alive true")
		_ = b.Leave(t.Context())
		expect("b left false")
		startOn(t, net, "c")
		expect("c alive true")
		net.Partition([]string{"c"})
		time.Sleep(10 * time.Second) // virtual time
		expect("c suspect false", "c failed false")
		net.Heal()
		expect("c alive false")
		slow = true
		startOn(t, net, "d")
		expect("d alive true")
		for range 3 { // the reader sleeps and misses that
			net.Partition([]string{"c"})
			time.Sleep(5 * time.Second) // virtual time
			net.Heal()
		}
		net.Partition([]string{"d"})
		time.Sleep(2 * time.Minute) // virtual time
		expect("d failed false")
		cancel()
		<-done
	})
}

// On a bad network, a Leave that did not give up has handed over everything,
// also while others write all the time.
func TestLeaveOnABadNetwork(t *testing.T) {
	t.Parallel()
	for seed := range 12 {
		busy := seed%2 == 1
		synctest.Test(t, func(t *testing.T) {
			net := memnet.New(memnet.Config{Seed: int64(seed), Faults: memnet.Faults{
				Loss: 0.3, Duplicate: 0.1, Streams: true, MinDelay: time.Millisecond, MaxDelay: 50 * time.Millisecond,
			}})
			seeded := func(c *Config) { c.Seed = int64(seed) + 1 }
			a := startOn(t, net, "a", seeded)
			others := make([]*peer, 5)
			for i := range others {
				others[i] = startOn(t, net, fmt.Sprint("b", i), seeded)
			}
			time.Sleep(time.Minute) // virtual time
			write := func(d time.Duration) {
				for i := 0; busy && i < int(d/time.Millisecond); i++ {
					set(t, &others[i%len(others)].m, fmt.Sprint("noise", i%100), fmt.Sprint(i))
					time.Sleep(time.Millisecond) // virtual time
				}
			}
			write(2 * time.Second)
			for i := range 10 {
				set(t, &a.m, fmt.Sprint(i), "last words")
			}
			start := time.Now()
			left := make(chan error)
			go func() { left <- a.Leave(context.Background()) }()
			write(2 * time.Second)
			if err := <-left; err != nil {
				t.Error(err)
			}
			gaveUp := time.Since(start) >= handOver
			time.Sleep(10 * time.Second) // virtual time
			if n := others[0].Status().Vector.Version(a.Status().Self); n != 10 && !gaveUp {
				t.Errorf("seed %d, busy %v: %d of 10 updates were handed over", seed, busy, n)
			}
		})
	}
}
