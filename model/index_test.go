package model

import (
	"fmt"
	"runtime"
	"testing"

	"pgregory.net/rapid"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// set adds an update, or puts it in the place of another one with its key.
func (x *index) set(u *Update) {
	if place, old := x.search(keyOf(u)); old != nil {
		x.replace(place, u)
	} else {
		x.add(u)
	}
}

// check compares what an index counts with what it has, and its segments with their
// places.
func (x *index) check() error {
	n, placed := 0, make([]bool, x.updates.count)
	var all directory
	if d := x.segments.Load(); d != nil {
		all = *d
	}
	for i := 0; i < len(all); {
		s := all[i].Load()
		places := len(all) >> s.depth
		if s.depth < 0 || places == 0 || i%places != 0 {
			return fmt.Errorf("a segment of depth %d at place %d of %d", s.depth, i, len(all))
		}
		for j := range places {
			if all[i+j].Load() != s {
				return fmt.Errorf("a segment of depth %d lacks one of its places from %d of %d on", s.depth, i, len(all))
			}
		}
		count, passed := 0, make([]uint32, len(s.groups))
		for j := range s.groups {
			for k := range s.groups[j].entries {
				e := s.groups[j].entries[k].Load()
				if e == 0 {
					continue
				}
				count++
				h, place := uint32(e>>32), uint32(e)
				if int(place) >= x.updates.count || placed[place] {
					return fmt.Errorf("place %d of %d, twice: %v", place, x.updates.count, int(place) < x.updates.count)
				}
				placed[place] = true
				if o := all.at(h); o != s {
					return fmt.Errorf("hash %x is in another segment than its own", h)
				}
				for at := s.home(h); at != j; at = s.next(at) {
					passed[at]++
				}
			}
		}
		for j := range s.groups {
			if got := s.groups[j].passed.Load(); got != passed[j] {
				return fmt.Errorf("group %d counts %d that passed, there are %d", j, got, passed[j])
			}
		}
		if count != s.count {
			return fmt.Errorf("a segment counts %d entries, there are %d", s.count, count)
		}
		n += count
		i += places
	}
	if n != x.updates.count {
		return fmt.Errorf("%d entries are counted, there are %d", x.updates.count, n)
	}
	return nil
}

// An index against a map, under tides of keys that come and go.
func TestIndexAgainstMap(t *testing.T) {
	t.Parallel()
	const most = 4000
	keys := make([]string, 2*most)
	for i := range keys {
		keys[i] = fmt.Sprint(i)
	}
	rapid.Check(t, func(t *rapid.T) {
		x := index{secret: secretOf(rapid.Uint64().Draw(t, "seed"))}
		slow := make([]*Update, len(keys)) // by the number that is the key, and the version
		count := 0
		for range rapid.IntRange(1, 4).Draw(t, "steps") {
			sets := rapid.Bool().Draw(t, "sets")
			from := rapid.IntRange(0, most).Draw(t, "from")
			for i := range rapid.IntRange(0, most).Draw(t, "changes") {
				i += from
				key := keys[i]
				x.touch(key)
				if slow[i] != nil {
					count--
				}
				if sets {
					slow[i] = &Update{Key: []byte(key), Dot: clock.Dot{Version: clock.Version(i)}}
					x.set(slow[i])
					count++
				} else {
					x.remove(key)
					slow[i] = nil
				}
				if got := x.get(key); got != slow[i] {
					t.Fatalf("get %q: got %v, want %v", key, got, slow[i])
				}
			}
			if err := x.check(); err != nil {
				t.Fatal(err)
			}
			for i, u := range slow {
				if u != nil && x.get(keys[i]) != u {
					t.Fatalf("get %q: got %v, want %v", keys[i], x.get(keys[i]), u)
				}
			}
			n, seen := 0, make([]bool, len(keys))
			for u := range x.all() {
				if n++; seen[u.Version] || slow[u.Version] != u {
					t.Fatalf("all has %q twice, or another one than %v", u.Key, slow[u.Version])
				}
				seen[u.Version] = true
			}
			if n != count {
				t.Fatalf("all has %d updates, want %d", n, count)
			}
		}
	})
}

// Keys whose hashes are equal, or begin or end alike, are found, and take no more memory
// than others.
func TestIndexOfLikeHashes(t *testing.T) {
	t.Parallel()
	const n = 3000
	for name, hash := range map[string]func(i int) uint32{
		"equal":       func(int) uint32 { return 1 },
		"begin alike": func(i int) uint32 { return uint32(i) + 1 },
		"end alike":   func(i int) uint32 { return uint32(i)<<16 | 1 },
	} {
		var x index
		all := make([]*Update, n)
		for i := range all {
			all[i] = &Update{Key: fmt.Append(nil, i)}
			x.addHash(hash(i), all[i])
		}
		if err := x.check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		groups, last := 0, (*segment)(nil)
		segments := *x.segments.Load()
		for j := range segments {
			if s := segments[j].Load(); s != last {
				groups, last = groups+len(s.groups), s
			}
		}
		if slots := groups * groupLen; slots > 8*n || len(segments) > n/8 {
			t.Errorf("%s: room for %d entries in %d places, for %d", name, slots, len(segments), n)
		}
		for i, u := range all {
			if _, got := x.searchHash(hash(i), keyOf(u)); got != u {
				t.Fatalf("%s: %q is not found", name, u.Key)
			}
			if _, got := x.searchHash(hash(i), "x"+keyOf(u)); got != nil {
				t.Fatalf("%s: another key than %q is found", name, u.Key)
			}
		}
	}
}

// Hashes of keys that look alike do not: all bits differ about as often as not, whatever
// the length.
func TestIndexHash(t *testing.T) {
	t.Parallel()
	c := secretOf(1)
	other := secretOf(2)
	for n := 1; n <= 40; n++ {
		key := make([]byte, n)
		const tries = 64
		flips, same := [32]int{}, 0
		for i := range tries * n {
			for j := range key {
				key[j] = byte(i * (j + 1) / n)
			}
			before := c.hash(string(key))
			key[i%n] ^= 1 << (i / n % 8)
			after := c.hash(string(key))
			for bit := range flips {
				flips[bit] += int((before ^ after) >> bit & 1)
			}
			if before == other.hash(string(key)) {
				same++
			}
		}
		for bit, k := range flips {
			if most := tries * n; k < most/5 || k > most*4/5 {
				t.Errorf("%d bytes: bit %d flips %d times of %d", n, bit, k, most)
			}
		}
		if same > 0 {
			t.Errorf("%d bytes: another secret, the same hash", n)
		}
	}
}

// An entry takes about 20 bytes, and what is left of many entries little memory: a few of
// them, one, or none.
func TestIndexGivesMemoryBack(t *testing.T) {
	const n = 10_000
	all := make([]Update, n)
	for i := range all {
		all[i].Key = fmt.Append(nil, "key", i)
	}
	for _, stay := range []int{0, 1, n / 50} {
		var held index
		before := reachable()
		for i := range all {
			held.set(&all[i])
		}
		full := reachable() - before
		for i := stay; i < n; i++ {
			held.remove(keyOf(&all[i]))
		}
		left := reachable() - before
		if held.updates.count != stay {
			t.Fatalf("%d entries, want %d", held.updates.count, stay)
		}
		if most := full / 10; full < n*12 || full > n*32 || left > most {
			t.Errorf("%d bytes with %d entries, %d when %d are left; at most %d", full, n, left, stay, most)
		}
		if err := held.check(); err != nil {
			t.Error(err)
		}
		runtime.KeepAlive(&held)
	}
	runtime.KeepAlive(all)
}
