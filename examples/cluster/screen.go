package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// frameEvery is how often a terminal is drawn.
const frameEvery = 250 * time.Millisecond

// What a terminal is told. The cursor stays visible, on the line below the frame:
// however the program ends there is nothing to restore.
const (
	cursorUp    = "\x1b[%dA" // by a number of lines
	clearScreen = "\x1b[H\x1b[2J"
	clearLine   = "\x1b[K" // from the cursor on
	clearBelow  = "\x1b[J"
)

// terminal is a writer that shows what is written on a screen.
type terminal interface {
	io.Writer
	size() (cols, rows int, err error)
}

// tty is a terminal of the operating system.
type tty struct{ *os.File }

func (t tty) size() (cols, rows int, err error) { return term.GetSize(int(t.Fd())) }

// onTerminal returns f as a terminal if it is one that can move its cursor.
func onTerminal(f *os.File) io.Writer {
	if !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return f
	}
	return tty{f}
}

var _ view = (*screen)(nil)

// screen draws a run on a terminal, each frame over the one before.
type screen struct {
	t          terminal
	colour     bool
	cols, rows int
	drawn      int // lines above the cursor
}

// newView returns what shows a run on w.
func newView(w io.Writer) view {
	if t, ok := w.(terminal); ok {
		return &screen{t: t, colour: os.Getenv("NO_COLOR") == ""}
	}
	return &plain{w: w}
}

func (s *screen) begin(b *board) { s.show(b) }

func (s *screen) every() time.Duration { return frameEvery }

func (s *screen) show(b *board) {
	cols, rows, err := s.t.size()
	if err != nil || cols <= 0 || rows <= 0 {
		cols, rows = 80, 24
	}
	var out bytes.Buffer // one write for each frame: it does not flicker
	switch {
	case s.drawn == 0:
	case cols != s.cols || rows != s.rows:
		// Terminals differ in what they do with the old lines.
		out.WriteString(clearScreen)
	default:
		fmt.Fprintf(&out, "\r"+cursorUp, s.drawn)
	}
	lines := frame(b, cols, rows)
	for _, l := range lines {
		out.WriteString(l.render(s.colour) + clearLine + "\n")
	}
	out.WriteString(clearBelow)
	s.cols, s.rows, s.drawn = cols, rows, len(lines)
	_, _ = s.t.Write(out.Bytes()) // who closed the terminal has seen enough
}

func (s *screen) event(*board) {} // the next frame has it
