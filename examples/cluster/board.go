package main

import (
	"fmt"
	"time"
)

// maxEvents is how many events a board keeps.
const maxEvents = 8

// down stands for the staleness of a node that does not run.
const down time.Duration = -1

// board is what there is to see of a run at one time.
type board struct {
	at     time.Duration // since the begin
	title  string
	faults string // what the network is like; empty: as it is
	rows   []row
	events []event // the newest maxEvents
}

// row is what is shown of one node. A node that does not run has a name, a state
// and a past.
type row struct {
	name        string
	state       string // up, down, side A, side B
	up          bool
	keys        int
	lacks       uint64 // writes that others have
	in, out     float64
	kBIn, kBOut float64
	p50, p99    string        // age of updates as they arrived
	behind      time.Duration // age of the oldest write that it lacks: the worst in the last second
	clean       bool
	seen        int             // members that it takes for alive, itself included
	running     int             // nodes that run: what seen is to be
	past        []time.Duration // behind, second by second
}

// event is something that happened to the cluster.
type event struct {
	at   time.Duration
	text string
}

func (e event) String() string { return fmt.Sprintf("%4.0fs  %s", e.at.Seconds(), e.text) }

// view shows a run while it goes on. One goroutine uses it.
type view interface {
	begin(b *board)
	event(b *board)       // there is a new one
	show(b *board)        // what is shown last stays
	every() time.Duration // how often show is to be called
}

// seconds writes a duration given in seconds short enough for a table.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 100*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Microsecond).String()
}
