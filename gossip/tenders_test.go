package gossip

import (
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// What a space has changes with its tender, however often one has looked before.
func TestTenders(t *testing.T) {
	ts := tenders{spaces: map[string]model.Tender{}}
	check := func(space string, want bool) {
		t.Helper()
		for range 2 {
			if got := ts.has(space); got != want {
				t.Errorf("%q has a tender: %v, want %v", space, got, want)
			}
		}
	}
	check("a", false)
	ts.set("a", new(model.Presence[int]))
	check("a", true)
	check("b", false)
	check("a", true)
	ts.set("a", nil)
	check("a", false)
}
