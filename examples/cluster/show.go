package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

const (
	// settle is how long the nodes may take to become equal after the last write.
	settle = 30 * time.Second
	// pace is the longest that the writer waits before it looks what else is due.
	pace = 5 * time.Millisecond
	// apart is how long after a key was written at one node it is written at another
	// one: by then the clocks agree which write is the later one.
	apart = 2 * time.Millisecond
)

// show is one run: the writes, the faults, the verdict.
type show struct {
	fleet  fleet
	plan   plan
	faults *faults // nil: none
	ledger *ledger
	watch  *watch
	script []step
	out    io.Writer

	begin   time.Time // of the plan; later than it was when the run stood still
	last    time.Time // when the last write returned
	noticed time.Time // when membership had noticed the partition
}

// step is something that happens in a run.
type step struct {
	at float64 // the part of the run that is over by then
	do func(context.Context) error
}

func newShow(f fleet, p plan, between *faults, out io.Writer) *show {
	l := newLedger()
	s := &show{fleet: f, plan: p, faults: between, ledger: l, out: out, watch: newWatch(f, l, between, newView(out))}
	victim := f[len(f)-1]
	crash := func(ctx context.Context) error { return s.crash(ctx, victim) }
	back := func(ctx context.Context) error { return s.back(ctx, victim) }
	if between == nil {
		s.script = []step{{1. / 2, crash}, {3. / 4, back}}
		return s
	}
	side := sides(f)
	loss := conditions{packets: packetLoss, connections: connectionLoss}
	both := loss
	both.side = side
	s.script = []step{
		{0.08, s.lossOn(loss)},
		{0.20, s.partition(both)},
		{0.20 + 1./3, s.heal(loss)},
		{0.66, crash},
		{0.80, back},
		{0.92, s.lossOff},
	}
	return s
}

// play does the run. An error says what went wrong or differs.
func (s *show) play(ctx context.Context) error {
	if err := s.gather(ctx); err != nil {
		return err
	}
	s.begin = time.Now()
	s.watch.start(s.begin, fmt.Sprintf("%d nodes, %v", len(s.fleet), s.plan))
	defer func() { s.watch.close(time.Now()) }()
	if err := s.write(ctx); err != nil {
		return err
	}
	return s.settle(ctx)
}

// gather waits until every node sees all others.
func (s *show) gather(ctx context.Context) error {
	err := poll(ctx, settle, func() bool {
		for _, m := range s.fleet {
			if m.node.Status().Peers != len(s.fleet)-1 {
				return false
			}
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("the nodes do not find each other: %w", err)
	}
	return nil
}

// write does each write when it is due, and the steps of the script in between.
func (s *show) write(ctx context.Context) error {
	for i := 0; i < s.plan.total; {
		now := time.Now()
		s.watch.look(now)
		for len(s.script) > 0 && s.plan.reached(s.script[0].at, i, now.Sub(s.begin)) {
			if err := s.script[0].do(ctx); err != nil {
				return err
			}
			s.script = s.script[1:]
		}
		if s.plan.over(now.Sub(s.begin)) {
			return nil
		}
		if wait := time.Until(s.begin.Add(time.Duration(i) * s.plan.every)); wait > 0 {
			if err := sleep(ctx, min(wait, pace)); err != nil {
				return err
			}
			continue
		}
		if err := s.set(ctx, i); err != nil {
			return err
		}
		i++
	}
	return nil
}

// set does the i-th write. A key has a node where it is written, and the next one
// stands in for that while it does not run.
func (s *show) set(ctx context.Context, i int) error {
	home, e := s.plan.entry(i)
	m := s.fleet[home%len(s.fleet)]
	for !m.up() {
		home++
		m = s.fleet[home%len(s.fleet)]
	}
	if before, ok := s.ledger.values[e.key]; ok && before.by != m {
		if err := sleep(ctx, time.Until(before.at.Add(apart))); err != nil {
			return err
		}
	}
	w := written{value: e.value, by: m, at: time.Now()}
	if err := m.keys.Set(ctx, e.key, e.value); err != nil {
		return fmt.Errorf("%s: write %q: %w", m.name, e.key, err)
	}
	s.last = time.Now()
	status := m.node.Status()
	s.ledger.add(e.key, w, clock.Dot{Replica: status.Self, Version: status.Vector.Version(status.Self)})
	return nil
}

// note enters an event.
func (s *show) note(format string, args ...any) {
	s.watch.note(time.Now(), fmt.Sprintf(format, args...))
}

func (s *show) crash(ctx context.Context, m *member) error {
	if err := s.fleet.crash(ctx, m); err != nil {
		return err
	}
	s.note("%s crashes", m.name)
	return nil
}

func (s *show) back(ctx context.Context, m *member) error {
	if err := s.fleet.start(ctx, m); err != nil {
		return fmt.Errorf("%s: does not come back: %w", m.name, err)
	}
	s.note("%s is back, empty", m.name)
	s.watch.expectWrites(time.Now(), "the return of "+m.name)
	return nil
}

// settle waits until all nodes are equal, and says so or what differs.
func (s *show) settle(ctx context.Context) error {
	keys := len(s.ledger.keys)
	err := poll(ctx, settle, func() bool {
		s.watch.look(time.Now())
		return equal(s.fleet, keys)
	})
	took := time.Since(s.last)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	s.watch.close(time.Now())
	if diffs := differences(s.fleet, s.ledger); len(diffs) > 0 || err != nil {
		for _, d := range diffs {
			fmt.Fprintln(s.out, d)
		}
		return fmt.Errorf("not converged %v after the last write", took.Round(time.Millisecond))
	}
	fmt.Fprintf(s.out, "converged: %d nodes, %d keys, %d ms after the last write\n", len(s.fleet), keys, took.Milliseconds())
	return nil
}
