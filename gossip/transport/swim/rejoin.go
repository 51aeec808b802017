package swim

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	parallelDials = 8
	redials       = 2 // addresses per RedialInterval
)

// firstJoin makes one attempt to join and waits until a seed has answered, all
// have failed, or time is up; the rest of the attempt then goes on alone.
func (t *Transport) firstJoin(ctx context.Context) error {
	if len(t.cfg.Join) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, t.cfg.JoinTimeout)
	defer cancel()
	targets := t.seeds(ctx)
	answered := make(chan struct{}, len(targets))
	finished := make(chan struct{})
	t.wg.Go(func() {
		defer close(finished)
		t.dialAll(targets, func() { answered <- struct{}{} })
	})
	for waiting := true; waiting; {
		select {
		case <-answered:
			waiting = len(t.roster.present()) == 0 && len(t.claims) == 0
		case <-finished:
			waiting = false
		case <-ctx.Done():
			waiting = false
		}
	}
	select {
	case c := <-t.claims:
		if t.judge(c) {
			return ErrNameTaken
		}
	default:
	}
	return nil
}

// rejoin keeps trying seeds while this node is alone, or listed at an address
// that is not its own; otherwise it dials, now and then, seeds and failed members
// that are not in the cluster, so that the sides of a long partition meet again.
// One that has just found the others exchanges lists with one of them a few times,
// after pauses that double: what is told by packets alone misses somebody when many
// start at once.
func (t *Transport) rejoin() {
	pause, lonely := t.cfg.JoinInterval, true
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	for {
		was := lonely
		lonely = len(t.roster.present()) == 0 || t.unlisted.Load()
		if lonely != was {
			pause = t.cfg.JoinInterval
		}
		longest := t.cfg.RedialInterval
		if lonely {
			longest = t.cfg.JoinMax
		}
		young := !lonely && pause < longest
		timer.Reset(jitter(min(pause, longest)))
		pause = min(2*pause, longest)
		select {
		case <-timer.C:
		case <-t.ctx.Done():
			return
		}
		t.redial(young)
	}
}

// redial makes one attempt to reach whom this node misses, and one that it has if
// that may know of more.
func (t *Transport) redial(young bool) {
	ctx, cancel := context.WithTimeout(t.ctx, t.cfg.JoinTimeout)
	defer cancel()
	failed := shuffled(t.roster.failed())
	seeds := shuffled(t.seeds(ctx))
	present := t.roster.present()
	switch {
	case len(present) == 0:
		t.dialAll(append(seeds, failed[:min(len(failed), redials)]...), nil)
		return
	case t.unlisted.Load():
		t.dialAll(shuffled(present)[:min(len(present), redials)], nil)
	}
	missing := slices.DeleteFunc(append(failed, seeds...), func(a netip.AddrPort) bool {
		return slices.Contains(present, a)
	})
	targets := shuffled(missing)[:min(len(missing), redials)]
	if young && len(present) > 0 {
		targets = append(targets, present[rand.IntN(len(present))])
	}
	t.dialAll(targets, nil)
}

// seeds resolves Config.Join anew and returns all addresses but our own.
func (t *Transport) seeds(ctx context.Context) []netip.AddrPort {
	port := strconv.Itoa(t.socks.tcp.Addr().(*net.TCPAddr).Port)
	var list []netip.AddrPort
	for _, seed := range t.cfg.Join {
		addrs, err := resolve(ctx, seed, port)
		if err != nil {
			t.count.inc(joinsFailed)
			t.log.Warn("swim: resolve seed", "seed", seed, "err", err)
			continue
		}
		for _, a := range addrs {
			if !t.socks.isOwn(a) && !slices.Contains(list, a) {
				list = append(list, a)
			}
		}
	}
	return list
}

// dialAll exchanges member lists with all targets, a few at a time, calls answered
// for each that did, and returns when all have answered or failed.
func (t *Transport) dialAll(targets []netip.AddrPort, answered func()) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallelDials)
	for _, a := range targets {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if t.ctx.Err() != nil || t.dial(a.String()) != nil {
				return
			}
			// A peer that had us, or that we had, as failed answers with a list that we
			// refute, or refutes ours: the second exchange carries that.
			if !slices.Contains(t.roster.present(), a) {
				_ = t.dial(a.String())
			}
			if answered != nil {
				answered()
			}
		})
	}
	wg.Wait()
}

// dial exchanges member lists with whoever is at addr.
func (t *Transport) dial(addr string) error {
	_, err := t.list.Load().Join([]string{addr})
	if err != nil {
		t.count.inc(joinsFailed)
		t.log.Debug("swim: join", "addr", addr, "err", err)
	}
	return err
}

// jitter spreads d over half of it to one and a half, so that nodes that started
// together do not dial together.
func jitter(d time.Duration) time.Duration {
	return d/2 + time.Duration(rand.Int64N(int64(d)+1))
}

func shuffled(a []netip.AddrPort) []netip.AddrPort {
	rand.Shuffle(len(a), func(i, j int) { a[i], a[j] = a[j], a[i] })
	return a
}
