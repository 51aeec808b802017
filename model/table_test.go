package model

import (
	"fmt"
	"maps"
	"runtime"
	"testing"

	"pgregory.net/rapid"
)

// A table against a map, under tides of keys that come and go; and no change moves more
// than a few of them.
func TestTableAgainstMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var fast table[int]
		slow := map[string]int{}
		for step := range rapid.IntRange(1, 8).Draw(t, "steps") {
			sets := rapid.Bool().Draw(t, "sets")
			from := rapid.IntRange(0, 600).Draw(t, "from")
			for i := range rapid.IntRange(0, 600).Draw(t, "changes") {
				key, before := fmt.Sprint("key", from+i), len(fast.rest)
				if sets {
					fast.set(key, step)
					slow[key] = step
				} else {
					fast.remove(key)
					delete(slow, key)
				}
				if before-len(fast.rest) > tableStep+1 {
					t.Fatalf("%d entries moved at once, at most %d", before-len(fast.rest), tableStep+1)
				}
				if v, ok := fast.find(key); ok != sets || v != slow[key] || v != fast.get(key) {
					t.Fatalf("find %q: got %d %t, want %d %t", key, v, ok, slow[key], sets)
				}
			}
			if got := maps.Collect(fast.all()); !maps.Equal(got, slow) || fast.len() != len(slow) {
				t.Fatalf("got %d entries %v, want %v", fast.len(), got, slow)
			}
		}
	})
}

// What is left of many entries takes little memory: a few of them, one, or
// none.
func TestTableGivesMemoryBack(t *testing.T) {
	const n = 10_000
	key := make([]string, n)
	for i := range key {
		key[i] = fmt.Sprint("key", i)
	}
	for _, stay := range []int{0, 1, n / 50} {
		var held table[int]
		before := reachable()
		for i := range n {
			held.set(key[i], i)
		}
		full := reachable() - before
		for i := stay; i < n; i++ {
			held.remove(key[i])
		}
		left := reachable() - before
		if held.len() != stay {
			t.Fatalf("%d entries, want %d", held.len(), stay)
		}
		if most := full / 10; full < n*24 || left > most {
			t.Errorf("%d bytes with %d entries, %d when %d are left; at most %d", full, n, left, stay, most)
		}
		runtime.KeepAlive(&held)
	}
}

// reachable returns the size of the heap.
func reachable() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools hold goes at the second collection only
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
