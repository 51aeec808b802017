package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxLine is how many bytes a line of input may have: well below what one
// update may carry.
const maxLine = 512 << 10

// entry is one line of input.
type entry struct{ key, value string }

// findUpwards returns the path of the nearest file of a name, in the working
// directory or one above it.
func findUpwards(name string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no %s here or above: say -input FILE", name)
		}
		dir = parent
	}
}

// readInput returns the lines of a file in order. Of several lines with one key
// only the last is kept: written at different nodes in the same millisecond,
// they would be concurrent, and any of them may win.
func readInput(path string) ([]entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("-input: %w", err)
	}
	defer f.Close()
	var entries []entry
	at := make(map[string]int)
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, maxLine)
	for sc.Scan() {
		e, ok := parseLine(sc.Text())
		if !ok {
			continue
		}
		if i, dup := at[e.key]; dup {
			entries[i] = e
			continue
		}
		at[e.key] = len(entries)
		entries = append(entries, e)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("-input %s: %w", path, err)
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("-input %s: has no lines", path)
	}
	return entries, nil
}

// parseLine splits a line into its key, the first two fields, and its value,
// the rest. Blank lines have neither.
func parseLine(line string) (entry, bool) {
	first, rest := cutField(line)
	second, rest := cutField(rest)
	switch {
	case first == "":
		return entry{}, false
	case second == "":
		return entry{key: first}, true
	default:
		return entry{key: first + " " + second, value: strings.TrimSpace(rest)}, true
	}
}

func cutField(s string) (field, rest string) {
	s = strings.TrimLeft(s, " \t\r")
	if i := strings.IndexAny(s, " \t\r"); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}
