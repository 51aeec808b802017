package engine_test

import (
	"strings"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Check sees every invariant that it names broken, and nothing in an engine that
// is whole: what simulations rely on.
func TestCheckSees(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"order":      "out of order",
		"stranger":   "is in the log of",
		"sequence":   "follows version",
		"vector":     "above the vector's 2 (I1)",
		"length":     "retains 3 updates, counted 4",
		"behind":     "(R4)",
		"superseded": "one supersedes the other (I9)",
		"updates":    "counts 4 updates",
		"tombstones": "counts 3 updates, 1 tombstones",
		"bytes":      "5 bytes",
		"hash":       "hash",
		"content":    "hash",
		"fresh":      "fresh, and not listed",
		"listed":     "listed as fresh, and is not",
		"flight":     "counted 1",
		"cursor":     "has a cursor of",
		"forgotten":  "which is forgotten",
	} {
		w := newWorld(t, 1, 1, engine.Config{})
		n := w.nodes[0]
		var us []*model.Update
		for i, key := range []string{"i", "j", "k"} {
			u := update(clock.Version(i+1), key)
			u.Value = []byte{'v'}
			us = append(us, u)
		}
		give(t, w, n, message(engine.Push, 1, batch(writer, us...)))
		n.e.SetLink(w.now, "peer", true)
		n.e.Break(writer, word)
		if err := n.e.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: Check returns %v, want %q", word, err, want)
		}
	}
}
