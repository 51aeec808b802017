package main

import (
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

func TestLedger(t *testing.T) {
	a, b := clock.Replica{Node: "a", Epoch: 1}, clock.Replica{Node: "b", Epoch: 1}
	start := time.Unix(1000, 0)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	l := newLedger()
	l.add("x", written{value: "1", at: at(1)}, clock.Dot{Replica: a, Version: 1})
	l.add("y", written{value: "2", at: at(2)}, clock.Dot{Replica: b, Version: 1})
	l.add("x", written{value: "3", at: at(3)}, clock.Dot{Replica: a, Version: 2})
	l.add("z", written{value: "4", at: at(5)}, clock.Dot{Replica: a, Version: 4}) // 3 was a copy of something
	if got := l.values["x"].value; len(l.keys) != 3 || got != "3" {
		t.Errorf("%d keys, x is %q; want 3 and 3", len(l.keys), got)
	}
	for _, tt := range []struct {
		a, b   clock.Version
		lacks  uint64
		behind time.Duration
	}{
		{0, 0, 5, 9 * time.Second},
		{1, 0, 4, 8 * time.Second},
		{2, 1, 2, 5 * time.Second},
		{4, 0, 1, 8 * time.Second},
		{4, 1, 0, 0},
		{9, 9, 0, 0},
	} {
		v := clock.NewVector([]clock.Entry{{Replica: a, Version: tt.a}, {Replica: b, Version: tt.b}})
		lacks, behind := l.lag(at(10), v)
		if lacks != tt.lacks || behind != tt.behind {
			t.Errorf("knowing %v: lacks %d, behind %v; want %d, %v", v, lacks, behind, tt.lacks, tt.behind)
		}
		if got := covers(v, l.heads()); got != (tt.lacks == 0) {
			t.Errorf("%v covers %v: %t", v, l.heads(), got)
		}
	}
}

func TestLedgerForgets(t *testing.T) {
	a := clock.Replica{Node: "a", Epoch: 1}
	start := time.Unix(1000, 0)
	l := newLedger()
	const writes = 3 * maxTimes
	for i := range writes {
		l.add("x", written{at: start.Add(time.Duration(i) * time.Second)}, clock.Dot{Replica: a, Version: clock.Version(i + 1)})
	}
	if n := len(l.chains[a].times); n > maxTimes {
		t.Errorf("%d times, at most %d", n, maxTimes)
	}
	now := start.Add(writes * time.Second)
	if lacks, behind := l.lag(now, clock.Vector{}); lacks != writes || behind < time.Second*maxTimes/4 {
		t.Errorf("lacks %d, behind %v", lacks, behind)
	}
	v := clock.NewVector([]clock.Entry{{Replica: a, Version: writes - 1}})
	if lacks, behind := l.lag(now, v); lacks != 1 || behind != time.Second {
		t.Errorf("lacks %d, behind %v; want 1 and 1 s", lacks, behind)
	}
}
