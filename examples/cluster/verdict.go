package main

import "fmt"

// maxDifferences is how many differing keys are printed per node.
const maxDifferences = 5

// state returns what a node says of the space and whether it is clean.
func state(m *member) (keys int, hash [16]byte, clean bool) {
	s := m.node.Status()
	for _, sp := range s.Spaces {
		if sp.Space == space {
			hash = sp.Hash.Bytes()
		}
	}
	return m.keys.Len(), hash, s.Clean
}

// equal reports whether all nodes run, are clean, and hold the same n keys by
// their state hashes.
func equal(f fleet, n int) bool {
	_, want, _ := state(f[0])
	for _, m := range f {
		if keys, hash, clean := state(m); keys != n || hash != want || !clean {
			return false
		}
	}
	return true
}

// differences compares every node, key by key, with the last write of each key,
// and its state hash with the first node's. It returns a line for each difference,
// cut short.
func differences(f fleet, l *ledger) []string {
	var diffs []string
	_, first, _ := state(f[0])
	for _, m := range f {
		n := 0
		differ := func(format string, args ...any) {
			if n++; n <= maxDifferences {
				diffs = append(diffs, m.name+": "+fmt.Sprintf(format, args...))
			}
		}
		for _, key := range l.keys {
			if got, ok := m.keys.Get(key); !ok {
				differ("%q is missing", key)
			} else if want := l.values[key].value; got != want {
				differ("%q is %q, want %q", key, got, want)
			}
		}
		for key := range m.keys.All() {
			if _, ok := l.values[key]; !ok {
				differ("%q was never written", key)
			}
		}
		if n > maxDifferences {
			diffs = append(diffs, fmt.Sprintf("%s: and %d more", m.name, n-maxDifferences))
		}
		_, hash, clean := state(m)
		if hash != first {
			diffs = append(diffs, fmt.Sprintf("%s: state hash %x, %s has %x", m.name, hash, f[0].name, first))
		}
		if !clean {
			diffs = append(diffs, m.name+": not clean")
		}
	}
	return diffs
}
