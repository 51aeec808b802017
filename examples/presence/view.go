package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// view shows what goes on.
type view interface {
	begin(addr string)                  // the node runs
	event(e event)                      // somebody came or went
	draw(ctx context.Context, b *board) // until ctx is done
}

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

// newView returns what shows things on w.
func newView(w io.Writer) view {
	if t, ok := w.(terminal); ok {
		return &screen{t: t, colour: os.Getenv("NO_COLOR") == ""}
	}
	return plain{w}
}

// plain prints a line for each event.
type plain struct{ w io.Writer }

func (p plain) begin(addr string)            { fmt.Fprintf(p.w, "gossip=%s\n", addr) }
func (p plain) event(e event)                { fmt.Fprintln(p.w, e) }
func (p plain) draw(context.Context, *board) {}

// A line may begin with how it looks.
const (
	bold  = "\x1b[1m"
	faint = "\x1b[2m"
	reset = "\x1b[0m"
)

const frameEvery = 250 * time.Millisecond

// screen draws a board over and over in the same place. The cursor stays below it, so
// however the program ends there is nothing to restore.
type screen struct {
	t      terminal
	colour bool
}

func (s *screen) begin(string) {}
func (s *screen) event(event)  {}

func (s *screen) draw(ctx context.Context, b *board) {
	ticker := time.NewTicker(frameEvery)
	defer ticker.Stop()
	drawn, was := 0, [2]int{}
	for {
		cols, rows, err := s.t.size()
		if err != nil || cols <= 0 || rows <= 0 {
			cols, rows = 80, 24
		}
		var out bytes.Buffer // one write for each frame: it does not flicker
		switch size := [2]int{cols, rows}; {
		case drawn == 0:
			was = size
		case was != size: // terminals differ in what they do with the old lines
			out.WriteString("\x1b[H\x1b[2J")
			was = size
		default:
			fmt.Fprintf(&out, "\r\x1b[%dA", drawn)
		}
		lines := b.frame(time.Now(), cols, rows-1)
		for _, l := range lines {
			out.WriteString(s.render(l) + "\x1b[K\n")
		}
		out.WriteString("\x1b[J")
		_, _ = s.t.Write(out.Bytes()) // who closed the terminal has seen enough
		drawn = len(lines)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// render returns a line as the terminal wants it.
func (s *screen) render(line string) string {
	look, text := split(line)
	if look == "" || !s.colour {
		return strings.TrimRight(text, " ")
	}
	return look + strings.TrimRight(text, " ") + reset
}

// split returns how a line looks, and its text.
func split(line string) (look, text string) {
	for _, l := range []string{bold, faint} {
		if t, ok := strings.CutPrefix(line, l); ok {
			return l, t
		}
	}
	return "", line
}

// crop returns what fits into a number of columns.
func crop(line string, cols int) string {
	look, text := split(line)
	if r := []rune(text); len(r) > cols {
		text = string(r[:max(cols, 0)])
	}
	return look + text
}
