package main

import (
	"strings"
	"unicode/utf8"
)

// style is how a piece of text looks: the terminal's code for it.
type style string

const (
	normal style = ""
	bold   style = "1"
	faint  style = "2"
	red    style = "31"
	yellow style = "33"
	cyan   style = "36"
)

// span is a piece of text in one style.
type span struct {
	text  string
	style style
}

// line is one row of a screen. All characters in it are one column wide.
type line []span

// text returns a line in one style.
func text(s string, look style) line { return line{{s, look}} }

// crop returns what fits into a number of columns.
func (l line) crop(cols int) line {
	var out line
	for _, s := range l {
		n := utf8.RuneCountInString(s.text)
		if n > cols {
			s.text = string([]rune(s.text)[:cols])
			return append(out, s)
		}
		out = append(out, s)
		cols -= n
	}
	return out
}

// render returns the line as a terminal wants it.
func (l line) render(colour bool) string {
	var b strings.Builder
	for _, s := range l {
		if s.style == normal || !colour {
			b.WriteString(s.text)
			continue
		}
		b.WriteString("\x1b[" + string(s.style) + "m" + s.text + "\x1b[0m")
	}
	return strings.TrimRight(b.String(), " ")
}
