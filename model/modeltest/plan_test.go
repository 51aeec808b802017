package modeltest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Laws are only checked where histories are eventful.
func TestHistoriesAreEventful(t *testing.T) {
	t.Parallel()
	const cases = 120
	cfg := Config[*model.Map[string]]{
		New: func() *model.Map[string] { return new(model.Map[string]) },
		Write: func(rng *rand.Rand, m *model.Map[string]) error {
			return m.Set(context.Background(), fmt.Sprint(rng.IntN(2)), "v")
		},
		Value: func(m *model.Map[string]) any { return maps.Collect(m.All()) },
	}.withDefaults()
	count := map[string]int{}
	for seed := range uint64(cases) {
		s, f := runPlan(cfg, newPlan(seed, cfg.Replicas, cfg.Writes), 1, true)
		if f != nil {
			t.Fatal(f)
		}
		happened := map[string]bool{"several replicas": len(s.replicas) > 1}
		times := map[clock.Timestamp]bool{}
		last := map[int]clock.Timestamp{}
		for _, is := range s.issued {
			u := is.update
			if u.Time <= last[is.author] {
				t.Fatalf("seed %d: %s after %v of the same replica", seed, describe(u), last[is.author])
			}
			happened["equal timestamps"] = happened["equal timestamps"] || times[u.Time]
			happened["something superseded"] = happened["something superseded"] || is.beatenBy != 0
			times[u.Time], last[is.author] = true, u.Time
		}
		for _, line := range s.lines {
			happened["holes"] = happened["holes"] || strings.Contains(line, "nothing for")
		}
		for _, r := range s.replicas {
			inOrder := slices.IsSortedFunc(r.calls, func(a, b call) int { return a.id - b.id })
			happened["another order"] = happened["another order"] || !inOrder
			for author, known := range r.known[:len(s.replicas)] {
				behind := known < len(s.replicas[author].own)
				happened["truncation"] = happened["truncation"] || behind && known > 0
				happened["ignorance"] = happened["ignorance"] || behind && known == 0
			}
		}
		for what, yes := range happened { // order: a count
			if yes {
				count[what]++
			}
		}
	}
	for what, least := range map[string]int{
		"several replicas": 80, "equal timestamps": 35, "something superseded": 75, "another order": 30,
		"holes": 15, "truncation": 30, "ignorance": 40,
	} {
		if got := count[what] * 100 / cases; got < least {
			t.Errorf("%s in %d %% of the histories, want %d %% at least", what, got, least)
		} else {
			t.Logf("%s in %d %%", what, got)
		}
	}
}

func TestReplaySeed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		pattern string
		seed    uint64
		ok      bool
	}{
		{replayPattern("TestCart", 17), 17, true},
		{replayPattern("TestCart/a", 1<<64-1), 1<<64 - 1, true},
		{"TestCart/seed=4", 4, true},
		{"TestCart/seed=18446744073709551616", 0, false},
		{"TestCart/seed=x", 0, false},
		{"TestCart", 0, false},
		{"seed=4", 0, false},
		{"", 0, false},
	} {
		if seed, ok := replaySeed(tt.pattern); ok != tt.ok || ok && seed != tt.seed {
			t.Errorf("replaySeed(%q) = %d, %t, want %d, %t", tt.pattern, seed, ok, tt.seed, tt.ok)
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	a := clock.Replica{Node: "a", Epoch: 1}
	u := &model.Update{
		Dot: clock.Dot{Replica: a, Version: 2}, Time: 3<<16 + 4, Key: []byte("k"), Value: []byte("v"), Kind: model.Tombstone | 5,
		Context: clock.NewVector([]clock.Entry{{Replica: a, Version: 1}}), Deps: clock.NewDots([]clock.Dot{{Replica: a, Version: 1}}), Expires: 9 << 16,
	}
	want := `a/1:2 at 3ms+4: key "k", tombstone, value "v", kind 5, context {a/1:1}, after [a/1:1], expires 9ms+0`
	if got := describe(u); got != want {
		t.Errorf("describe = %s\nwant       %s", got, want)
	}
	if c := clone(u); !same(c, u) || &c.Key[0] == &u.Key[0] {
		t.Errorf("a clone is %s", describe(c))
	}
	if got, want := gotWant([]string(nil), []string{}), "got  []string(nil)\nwant []string{}"; got != want {
		t.Errorf("gotWant = %q, want %q", got, want)
	}
}
