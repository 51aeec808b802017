package main

import (
	"os"
)

// defaultOut is where figures go unless told otherwise: where they are kept, in a
// checkout of this repository, else here.
func defaultOut() string {
	if info, err := os.Stat("bench"); err == nil && info.IsDir() {
		return "bench/figures"
	}
	return "."
}

// prepareOut makes a directory if need be and finds out whether files can be
// written there, so that a long run is not for nothing.
func prepareOut(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".bench-*")
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}
