package model_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// history draws the updates of a few replicas, each in the order of its
// versions, with clocks that sometimes saw each other.
func history(t *rapid.T) [][]*model.Update {
	replicas := make([][]*model.Update, rapid.IntRange(1, 4).Draw(t, "replicas"))
	clocks := make([]clock.HLC, len(replicas))
	for i := range rapid.IntRange(0, 30).Draw(t, "updates") {
		r := rapid.IntRange(0, len(replicas)-1).Draw(t, "replica")
		if rapid.Bool().Draw(t, "saw") {
			clocks[r].Observe(clocks[rapid.IntRange(0, len(replicas)-1).Draw(t, "peer")].Last())
		}
		now := time.UnixMilli(int64(rapid.IntRange(1, 5).Draw(t, "now")))
		value := fmt.Sprint("v", i)
		if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
			value = ""
		}
		key := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "key")
		u := update(string(rune('a'+r)), clock.Version(len(replicas[r])+1), clocks[r].Next(now), key, value)
		replicas[r] = append(replicas[r], u)
	}
	return replicas
}

// oracle is the slow obvious map.
func oracle(updates []*model.Update) (live map[string]string, retained map[clock.Dot]bool) {
	live, retained = map[string]string{}, map[clock.Dot]bool{}
	var m model.Map[string]
	for _, u := range updates {
		if slices.ContainsFunc(updates, func(o *model.Update) bool { return m.Supersedes(o, u) }) {
			continue
		}
		retained[u.Dot] = true
		if !u.IsTombstone() {
			live[string(u.Key)] = string(u.Value)
		}
	}
	return live, retained
}

// Any order that keeps each replica's order, any duplication, any compaction:
// the same value and the same retained updates.
func TestMapAgainstObvious(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		replicas := history(t)
		all := slices.Concat(replicas...)
		wantLive, wantRetained := oracle(all)

		var m model.Map[string]
		h := attach(&m)
		got := map[clock.Dot]bool{}
		apply := func(u *model.Update) {
			effect := h.receive(u)
			if !effect.Redundant {
				got[u.Dot] = true
			}
			for _, old := range effect.Superseded {
				if !got[old.Dot] {
					t.Fatalf("%v superseded %v, which is not retained", u.Dot, old.Dot)
				}
				delete(got, old.Dot)
			}
		}
		for next := make([]int, len(replicas)); ; {
			var open []int
			for r := range replicas {
				if next[r] < len(replicas[r]) {
					open = append(open, r)
				}
			}
			if len(open) == 0 {
				break
			}
			r := rapid.SampledFrom(open).Draw(t, "from")
			u := replicas[r][next[r]]
			next[r]++
			dead := !wantRetained[u.Dot]
			if dead && rapid.Bool().Draw(t, "compacted") {
				continue
			}
			apply(u)
			if i := rapid.IntRange(0, 2*next[r]).Draw(t, "again"); i < next[r] {
				apply(replicas[r][i])
			}
		}
		if live := maps.Collect(m.All()); !maps.Equal(live, wantLive) || m.Len() != len(wantLive) {
			t.Fatalf("value %v (%d), want %v", live, m.Len(), wantLive)
		}
		if !maps.Equal(got, wantRetained) {
			t.Fatalf("retained %v, want %v", got, wantRetained)
		}
	})
}

// Removing and applying again gives the value of what is retained.
func TestMapRemoveAgainstObvious(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := slices.Concat(history(t)...)
		_, retained := oracle(all)
		var m model.Map[string]
		h := attach(&m)
		want := map[string]string{}
		for _, u := range all {
			h.receive(u)
		}
		for _, u := range all {
			if rapid.Bool().Draw(t, "remove") {
				m.Discard(u) // does nothing to those that are not retained
			} else if retained[u.Dot] && !u.IsTombstone() {
				want[string(u.Key)] = string(u.Value)
			}
		}
		if got := maps.Collect(m.All()); !maps.Equal(got, want) || m.Len() != len(want) {
			t.Fatalf("value %v (%d), want %v", got, m.Len(), want)
		}
	})
}
