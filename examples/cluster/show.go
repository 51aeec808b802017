package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

const (
	// settle is how long the nodes may take to become equal after the last write.
	settle = 30 * time.Second
	// pace is how often the writer looks which writes are due.
	pace = 5 * time.Millisecond
)

// show is one run: the writes, the crash, the reports, the verdict.
type show struct {
	fleet fleet
	lines []entry
	every time.Duration // between writes
	out   io.Writer

	victim  *member
	crashAt int // the victim stops before this write …
	backAt  int // … and is back before this one
	turn    int // whose turn it is to write

	begin time.Time
	last  time.Time // when the last write returned
}

func newShow(f fleet, lines []entry, o options, out io.Writer) *show {
	every := o.last / time.Duration(len(lines))
	if o.rate > 0 {
		every = time.Duration(float64(time.Second) / o.rate)
	}
	return &show{
		fleet:   f,
		lines:   lines,
		every:   every,
		out:     out,
		victim:  f[len(f)-1],
		crashAt: len(lines) / 2,
		backAt:  len(lines) * 3 / 4,
	}
}

// play does the run. An error says what went wrong or differs.
func (s *show) play(ctx context.Context) error {
	if err := s.gather(ctx); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%d nodes, %d keys, a write every %v\n\n", len(s.fleet), len(s.lines), s.every.Round(time.Microsecond))
	header(s.out)
	s.begin = time.Now()
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

// write writes each line at the node whose turn it is, when it is due, and
// reports every second.
func (s *show) write(ctx context.Context) error {
	due, second := time.NewTicker(pace), time.NewTicker(time.Second)
	defer due.Stop()
	defer second.Stop()
	for i := 0; i < len(s.lines); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-second.C:
			s.report()
		case now := <-due.C:
			if now.Sub(s.begin) < time.Duration(i)*s.every {
				continue
			}
			if err := s.act(ctx, i); err != nil {
				return err
			}
			m := s.next()
			if err := m.keys.Set(ctx, s.lines[i].key, s.lines[i].value); err != nil {
				return fmt.Errorf("%s: write %q: %w", m.name, s.lines[i].key, err)
			}
			s.last = time.Now()
			i++
			due.Reset(max(min(pace, time.Until(s.begin.Add(time.Duration(i)*s.every))), time.Microsecond))
		}
	}
	return nil
}

// act does what is to happen before the i-th write.
func (s *show) act(ctx context.Context, i int) error {
	if i == s.crashAt {
		if err := s.fleet.crash(ctx, s.victim); err != nil {
			return err
		}
		s.note(s.victim.name + " crashes")
	}
	if i == s.backAt {
		if err := s.fleet.start(ctx, s.victim); err != nil {
			return fmt.Errorf("%s: does not come back: %w", s.victim.name, err)
		}
		s.note(s.victim.name + " is back, empty")
	}
	return nil
}

// next returns the running node whose turn it is.
func (s *show) next() *member {
	for {
		m := s.fleet[s.turn%len(s.fleet)]
		s.turn++
		if m.up() {
			return m
		}
	}
}

// settle waits until all nodes are equal, and says so or what differs.
func (s *show) settle(ctx context.Context) error {
	err := poll(ctx, settle, func() bool { return equal(s.fleet, len(s.lines)) })
	took := time.Since(s.last)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	s.report()
	if diffs := differences(s.fleet, s.lines); len(diffs) > 0 || err != nil {
		for _, d := range diffs {
			fmt.Fprintln(s.out, d)
		}
		return fmt.Errorf("not converged %v after the last write", took.Round(time.Millisecond))
	}
	fmt.Fprintf(s.out, "converged: %d nodes, %d keys, %d ms after the last write\n", len(s.fleet), len(s.lines), took.Milliseconds())
	return nil
}

func (s *show) note(what string) {
	fmt.Fprintf(s.out, "%4.0fs  %s\n", time.Since(s.begin).Seconds(), what)
}
