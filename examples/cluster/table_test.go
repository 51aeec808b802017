package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden frames anew")

func TestSpark(t *testing.T) {
	ms := func(n ...int) (past []time.Duration) {
		for _, n := range n {
			past = append(past, time.Duration(n)*time.Millisecond)
		}
		return past
	}
	for _, tt := range []struct {
		past  []time.Duration
		width int
		want  string
	}{
		{nil, 3, "   "},
		{ms(0, 10, 11, 30, 31, 100, 101, 300, 301, 1000, 1001, 3000, 3001, 10000, 10001, 3600000), 16, "▁▁▂▂▃▃▄▄▅▅▆▆▇▇██"},
		{ms(5, 50, 500), 5, "  ▁▃▅"},
		{ms(5, 50, 500), 2, "▃▅"},
		{append(append(ms(5), down, down), ms(20)...), 4, "▁··▂"},
	} {
		if got := spark(tt.past, tt.width); got != tt.want {
			t.Errorf("spark(%v, %d) = %q, want %q", tt.past, tt.width, got, tt.want)
		}
	}
	const want = "▁ ≤10ms  ▂ ≤30ms  ▃ ≤100ms  ▄ ≤300ms  ▅ ≤1s  ▆ ≤3s  ▇ ≤10s  █ more  · down"
	if got := sparkLegend(); got != want {
		t.Errorf("legend %q, want %q", got, want)
	}
}

func TestSeconds(t *testing.T) {
	for s, want := range map[float64]string{0: "0s", 0.00234: "2.3ms", 0.0987654: "98.8ms", 0.2345: "235ms", 3.14159: "3.14s", 59.96: "1m0s", 161.27: "2m41.3s"} {
		if got := seconds(s); got != want {
			t.Errorf("seconds(%v) = %s, want %s", s, got, want)
		}
	}
}

// aBoard is a partition of four nodes, one of which is down.
func aBoard() *board {
	past := func(seconds ...float64) (d []time.Duration) {
		for _, s := range seconds {
			d = append(d, time.Duration(s*float64(time.Second)))
		}
		return d
	}
	return &board{
		at:     12345 * time.Millisecond,
		title:  "4 nodes, 100,000 keys, a write every 2ms for 1m0s",
		faults: "partitioned, 20 % of packets and 5 % of connections are lost",
		rows: []row{
			{name: "n1", state: "side A", up: true, keys: 99876, lacks: 12, in: 96.4, out: 119, kBIn: 13.04, kBOut: 12.96,
				p50: "28.4ms", p99: "205ms", behind: 3211 * time.Millisecond, clean: true, seen: 2, running: 3, past: past(0.02, 0.015, 0.2, 1.2, 2.2, 3.2)},
			{name: "n2", state: "side B", up: true, keys: 9, in: 12345, out: 54321, kBIn: 1234.5, kBOut: 54321,
				p50: "-", p99: ">5m0s", behind: 161270 * time.Millisecond, seen: 3, running: 3, past: past(0.02, 0.015, 0.2, 1.2, 20, 160)},
			{name: "n3", state: "down", past: append(past(0.02, 0.015), down, down, down, down)},
			{name: "n100", state: "up", up: true, p50: "-", p99: "-", clean: true, seen: 1, running: 3, past: past(0)},
		},
		events: []event{{time.Second, "loss on"}, {4 * time.Second, "partition: A is n1, B is n2 n3 n4"}, {9 * time.Second, "n3 crashes"}},
	}
}

func drawn(b *board, cols, rows int, colour bool) string {
	var s strings.Builder
	for _, l := range frame(b, cols, rows) {
		s.WriteString(l.render(colour) + "\n")
	}
	return s.String()
}

func TestFrame(t *testing.T) {
	for _, tt := range []struct {
		name       string
		cols, rows int
		colour     bool
	}{
		{"wide", 120, 40, false},
		{"colour", 120, 40, true},
		{"default", 80, 24, false},
		{"narrow", 40, 24, false},
		{"low", 80, 9, false},
	} {
		got := drawn(aBoard(), tt.cols, tt.rows, tt.colour)
		path := filepath.Join("testdata", tt.name+".frame")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%swant\n%s", tt.name, got, want)
		}
	}
}

// TestFrameFits draws on all small screens: no line may reach the last column, nor
// any the last row.
func TestFrameFits(t *testing.T) {
	for cols := 1; cols < 140; cols++ {
		for rows := 1; rows < 25; rows++ {
			lines := frame(aBoard(), cols, rows)
			if len(lines) > max(rows-1, 1) {
				t.Fatalf("%d×%d: %d lines", cols, rows, len(lines))
			}
			for _, l := range lines {
				if n := utf8.RuneCountInString(l.render(false)); n > max(cols-1, 1) {
					t.Fatalf("%d×%d: %d columns: %q", cols, rows, n, l.render(false))
				}
			}
		}
	}
}
