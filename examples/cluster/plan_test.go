package main

import (
	"testing"
	"time"
)

func TestPlan(t *testing.T) {
	lines := []entry{{"a", "1"}, {"b", "2"}, {"c", ""}, {"d", "4"}}
	for _, tt := range []struct {
		name  string
		o     options
		every time.Duration
		total int
		said  string
	}{
		{"-for", options{last: 10 * time.Second}, 2500 * time.Millisecond, 4, "4 keys, a write every 2.5s for 10s"},
		{"-rate", options{last: 10 * time.Second, rate: 100}, 10 * time.Millisecond, 4, "4 keys, a write every 10ms for 40ms"},
		{"both", options{last: 10 * time.Second, rate: 100, cycle: true}, 10 * time.Millisecond, 1000, "4 keys, a write every 10ms for 10s"},
		{"both, few", options{last: time.Second, rate: 2, cycle: true}, 500 * time.Millisecond, 2, "2 keys, a write every 500ms for 1s"},
	} {
		p := newPlan(lines, tt.o)
		if p.every != tt.every || p.total != tt.total || p.String() != tt.said {
			t.Errorf("%s: %d writes every %v, %q; want %d every %v, %q", tt.name, p.total, p.every, p, tt.total, tt.every, tt.said)
		}
	}
	p := newPlan(lines, options{last: 10 * time.Second, rate: 100, cycle: true})
	for i, want := range map[int]entry{0: {"a", "1"}, 3: {"d", "4"}, 5: {"b", "2 (2)"}, 10: {"c", " (3)"}} {
		if key, got := p.entry(i); key != i%4 || got != want {
			t.Errorf("write %d: key %d, %q; want %d, %q", i, key, got, i%4, want)
		}
	}
	for _, tt := range []struct {
		i       int
		elapsed time.Duration
		half    bool
		over    bool
	}{
		{499, 4 * time.Second, false, false},
		{500, 4 * time.Second, true, false},
		{100, 5 * time.Second, true, false}, // a slow machine
		{100, 10 * time.Second, true, true},
	} {
		if half, over := p.reached(0.5, tt.i, tt.elapsed), p.over(tt.elapsed); half != tt.half || over != tt.over {
			t.Errorf("write %d at %v: half %t, over %t; want %t, %t", tt.i, tt.elapsed, half, over, tt.half, tt.over)
		}
	}
}
