package engine

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// The log against a sorted slice, under random insertions and removals.
func TestLogAgainstSlice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var l log
		var slow []clock.Version
		top := clock.Version(0)
		at := func(v clock.Version) entry {
			return entry{update: &model.Update{Dot: clock.Dot{Version: v}}, content: uint64(v)}
		}
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0: // a run at the end, with gaps
				gap := clock.Version(rapid.IntRange(1, 3).Draw(t, "gap"))
				for range rapid.IntRange(1, 300).Draw(t, "run") {
					top += gap
					l.insert(at(top))
					slow = append(slow, top)
				}
			case 1: // removals
				for range rapid.IntRange(1, 200).Draw(t, "removals") {
					v := clock.Version(rapid.Uint64Range(0, uint64(top)+1).Draw(t, "version"))
					i, want := slices.BinarySearch(slow, v)
					en, ok := l.remove(v)
					if ok != want || ok && en.content != uint64(v) {
						t.Fatalf("remove %d: got %v %t, want %t", v, en, ok, want)
					}
					if want {
						slow = slices.Delete(slow, i, i+1)
					}
				}
			case 2: // insertions in the middle
				for range rapid.IntRange(1, 50).Draw(t, "insertions") {
					v := clock.Version(rapid.Uint64Range(1, uint64(top)+1).Draw(t, "version"))
					top = max(top, v)
					if i, have := slices.BinarySearch(slow, v); !have {
						l.insert(at(v))
						slow = slices.Insert(slow, i, v)
					}
				}
			}
			from := clock.Version(rapid.Uint64Range(0, uint64(top)+1).Draw(t, "from"))
			var got []clock.Version
			for en := range l.after(from) {
				got = append(got, en.update.Version)
			}
			i, have := slices.BinarySearch(slow, from)
			if have {
				i++
			}
			if !slices.Equal(got, slow[i:]) {
				t.Fatalf("after %d: got %v, want %v", from, got, slow[i:])
			}
			if _, ok := l.get(from); ok != have || l.len() != len(slow) {
				t.Fatalf("get %d: %t, want %t; len %d, want %d", from, ok, have, l.len(), len(slow))
			}
			for i, c := range l.chunks {
				if len(c) == 0 || len(c) > chunkLen {
					t.Fatalf("chunk %d has %d entries", i, len(c))
				}
			}
		}
	})
}

// Removing almost everything leaves no crowd of tiny chunks behind.
func TestLogGivesMemoryBack(t *testing.T) {
	t.Parallel()
	var l log
	const n = 100 * chunkLen
	for v := clock.Version(1); v <= n; v++ {
		l.insert(entry{update: &model.Update{Dot: clock.Dot{Version: v}}})
	}
	for v := clock.Version(1); v <= n; v++ {
		if v%100 != 0 {
			l.remove(v)
		}
	}
	if got, most := len(l.chunks), 4*l.len()/chunkLen+2; got > most {
		t.Errorf("%d updates in %d chunks, at most %d", l.len(), got, most)
	}
}
