package main

import (
	"fmt"
	"io"
	"time"
)

var _ view = (*plain)(nil)

// plain writes a line per node and second, for files and pipes.
type plain struct{ w io.Writer }

func (p *plain) begin(b *board) {
	fmt.Fprintf(p.w, "%s\n\n", b.title)
	fmt.Fprintln(p.w, " time  node    keys  upd in  upd out    kB in   kB out  stale p50  stale p99  clean   behind  lacks  seen  state")
}

func (p *plain) every() time.Duration { return time.Second }

func (p *plain) show(b *board) {
	for _, r := range b.rows {
		if !r.up {
			fmt.Fprintf(p.w, "%4.0fs  %-4s    down\n", b.at.Seconds(), r.name)
			continue
		}
		fmt.Fprintf(p.w, "%4.0fs  %-4s  %6d  %6.0f  %7.0f  %7.1f  %7.1f  %9s  %9s  %5t  %7s  %5d  %4d  %s\n",
			b.at.Seconds(), r.name, r.keys, r.in, r.out, r.kBIn, r.kBOut, r.p50, r.p99, r.clean,
			seconds(r.behind.Seconds()), r.lacks, r.seen, r.state)
	}
}

func (p *plain) event(b *board) { fmt.Fprintln(p.w, b.events[len(b.events)-1]) }
