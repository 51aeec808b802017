package main

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// glass is a terminal in memory, endlessly high below: it does what it is told as
// a real one does, but for colours, and knows nothing else.
type glass struct {
	t          *testing.T
	cols, rows int
	lines      [][]rune
	x, y       int
	ups        int // how often the cursor went up
	clears     int
	frames     func(n int) // called before the n-th write
	writes     int
}

func (g *glass) size() (cols, rows int, err error) {
	if g.cols < 0 {
		return 0, 0, errors.New("no size")
	}
	return g.cols, g.rows, nil
}

var escape = regexp.MustCompile(`^\x1b\[(\d*)([A-Za-z])`)

func (g *glass) Write(p []byte) (int, error) {
	if g.writes++; g.frames != nil {
		g.frames(g.writes)
	}
	for s := string(p); s != ""; {
		if m := escape.FindStringSubmatch(s); m != nil {
			n, _ := strconv.Atoi(m[1])
			g.obey(m[2], n)
			s = s[len(m[0]):]
			continue
		}
		r := []rune(s)[0]
		s = s[len(string(r)):]
		switch r {
		case '\n':
			g.y, g.x = g.y+1, 0
		case '\r':
			g.x = 0
		default:
			g.at(g.y)
			for len(g.lines[g.y]) <= g.x {
				g.lines[g.y] = append(g.lines[g.y], ' ')
			}
			g.lines[g.y][g.x] = r
			g.x++
		}
	}
	return len(p), nil
}

// at makes sure that a line is there.
func (g *glass) at(y int) {
	for len(g.lines) <= y {
		g.lines = append(g.lines, nil)
	}
}

func (g *glass) obey(command string, n int) {
	g.at(g.y)
	switch command {
	case "A":
		g.ups++
		if g.y -= n; g.y < 0 || n > g.rows-1 && g.cols > 0 {
			g.t.Errorf("up by %d of %d rows", n, g.rows)
			g.y = max(g.y, 0)
		}
	case "K":
		g.lines[g.y] = g.lines[g.y][:min(g.x, len(g.lines[g.y]))]
	case "J":
		if n == 2 {
			g.clears++
			g.lines = nil
			return
		}
		g.lines = g.lines[:g.y]
	case "H":
		g.x, g.y = 0, 0
	case "m":
	default:
		g.t.Errorf("unknown command %q", command)
	}
}

func (g *glass) String() string {
	var s strings.Builder
	for _, l := range g.lines {
		s.WriteString(string(l) + "\n")
	}
	return s.String()
}

func TestScreen(t *testing.T) {
	g := &glass{t: t, cols: 120, rows: 40}
	s := &screen{t: g, colour: true}
	b := aBoard()
	s.begin(b)
	s.show(b)
	b.events = b.events[:1] // fewer lines than before
	s.show(b)
	if got, want := g.String(), drawn(b, 120, 40, false); got != want || g.ups != 2 || g.clears != 0 {
		t.Errorf("up %d times, cleared %d times, it shows\n%swant 2, 0 and\n%s", g.ups, g.clears, got, want)
	}
	g.cols, g.rows = 60, 10
	s.show(b)
	s.show(b)
	if got, want := g.String(), drawn(b, 60, 10, false); got != want || g.ups != 3 || g.clears != 1 {
		t.Errorf("another size: up %d times, cleared %d times, it shows\n%swant 3, 1 and\n%s", g.ups, g.clears, got, want)
	}
	g.cols = -1
	s.show(b)
	if got, want := g.String(), drawn(b, 80, 24, false); got != want {
		t.Errorf("no size: it shows\n%swant\n%s", got, want)
	}
}

// TestRunOnTerminal has the whole command draw, and the window change meanwhile.
func TestRunOnTerminal(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	t.Setenv("NO_COLOR", "")
	g := &glass{t: t, cols: 130, rows: 40}
	g.frames = func(n int) {
		if n == 4 {
			g.cols, g.rows = 120, 30
		}
	}
	var stderr bytes.Buffer
	code := run(ctx, []string{"-n", "3", "-for", "3s"}, g, &stderr)
	if code != 0 || stderr.Len() > 0 {
		t.Fatalf("%d %q", code, stderr.String())
	}
	if g.ups < 6 || g.clears != 1 {
		t.Errorf("the cursor went up %d times, want 4 times a second; cleared %d times, want once", g.ups, g.clears)
	}
	// What is left is one whole frame, and the verdict below it.
	want := `^ +3\.\ds  3 nodes, \d+ keys, a write every \S+ for 3s

node  state    keys  lacks .* behind clean seen  last \d+ s
n1    up     .* 0 .*clean    3 .*
n2    up     .* 0 .*clean    3 .*
n3    up     .* 0 .*clean    3 .*·.*

▁ .*
lacks.*
in, .*

   \ds  n3 crashes
   \ds  n3 is back, empty
   \ds  all nodes have caught up, \d+ ms after the return of n3
converged: 3 nodes, \d+ keys, \d+ ms after the last write
$`
	if !regexp.MustCompile(want).MatchString(g.String()) {
		t.Errorf("the screen shows\n%swant\n%s", g, want)
	}
}

// TestInterruptedOnTerminal looks whether a whole frame is left behind.
func TestInterruptedOnTerminal(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	g := &glass{t: t, cols: 80, rows: 24}
	g.frames = func(n int) {
		if n == 3 {
			cancel()
		}
	}
	var stderr bytes.Buffer
	if code := run(ctx, []string{"-n", "2", "-for", "1h"}, g, &stderr); code != 130 {
		t.Errorf("interrupted: %d %q", code, stderr.String())
	}
	if got := g.String(); strings.Count(got, "node  state") != 1 || !strings.Contains(got, "\nn2    up ") || g.x != 0 || g.y != len(g.lines) {
		t.Errorf("the cursor is in column %d of line %d, the screen shows\n%s", g.x, g.y, got)
	}
}

func TestNoColor(t *testing.T) {
	for value, want := range map[string]bool{"": true, "1": false} {
		t.Setenv("NO_COLOR", value)
		if got := newView(&glass{t: t}).(*screen).colour; got != want {
			t.Errorf("NO_COLOR=%q: colour %t", value, got)
		}
	}
}
