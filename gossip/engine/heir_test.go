package engine

import (
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// The heirs of a hot key form a chain; one walk along it shortens it for all, so
// that looking at each of its holes costs no more than the chain is long (R3).
func TestHeirShortensItsWay(t *testing.T) {
	t.Parallel()
	r := &replica{}
	const last = replacementsLen
	r.log.insert(entry{update: &model.Update{Dot: clock.Dot{Version: last}}})
	for v := clock.Version(1); v < last; v++ {
		r.replaced.add(v, r, v+1, 2)
	}
	for v := clock.Version(1); v < last; v++ {
		if by, version, ok := r.heir(v); !ok || by != r || version != last {
			t.Fatalf("heir of %d: %v:%d, %t; want %d", v, by, version, ok, last)
		}
		for w := v; w < last; w++ {
			if got := r.replaced.at(w).version; got != last {
				t.Fatalf("after the heir of %d was asked for, %d points to %d; want %d", v, w, got, last)
			}
		}
	}
}

// Replacements that lead back to where they began, as after a model's mistake,
// have no heir, and end.
func TestHeirInACircle(t *testing.T) {
	t.Parallel()
	a, b := &replica{}, &replica{}
	a.replaced.add(1, b, 1, 2)
	b.replaced.add(1, a, 1, 2)
	if by, version, ok := a.heir(1); ok {
		t.Errorf("heir is %p:%d", by, version)
	}
}
