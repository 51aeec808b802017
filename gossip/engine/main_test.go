package engine_test

import (
	"os"
	"runtime/debug"
	"testing"
)

// The tests allocate much and keep little: with the default, collecting garbage takes
// as long as a third of them.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
