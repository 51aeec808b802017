package sim_test

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
)

var (
	seeds     = flag.Int("seeds", defaultSeeds, "how many seeds the swarm tries")
	firstSeed = flag.Int64("first", 0, "the swarm's first seed")
	churn     = flag.Int("churn", defaultChurn, "how many nodes come and go in the test of churn")
	showTrace = flag.Bool("trace", false, "the swarm writes its traces to standard output")
)

// sometimes must happen in every large swarm, or it tests less than it seems to.
var sometimes = []string{
	"join", "leave", "crash", "restart without state", "restart with state", "pause", "false removal",
	"clock stepped", "clock stepped back", "late attach", "relay", "small tables", "weak links", "slow failure detectors", "mixed budgets", "flow control",
	"cut in halves", "isolated node", "one-way cut", "message cut off", "message lost", "message duplicated", "late message", "message replayed",
	"message to nobody", "write", "write with a TTL", "update expired", "delete", "dependency", "siblings", "eager push", "burst of one node",
	"node became dirty", "node became clean", "open hole", "closed hole", "batch refused", "gap", "pull", "push", "catch-up",
	"repair", "update repaired", "new epoch", "clock ran ahead", "held replica", "time-out", "digest in parts",
	"cleaning asked for", "cleaning granted", "cleaning refused", "horizon rebased",
	"links", "live update applied", "live message with a gap", "link broke with updates under way", "prune", "graft",
	"report", "tombstone collected", "dead update removed", "retire", "false retirement", "replica vanished", "node began anew", "collection held back by a dirty member", "return with unpublished writes", "horizon given up", "agreement", "agreement within I10", "all clean at the end",
}

// A swarm: every seed draws a cluster, its engines' sizes, its network, its
// workload and its faults. Every invariant holds after every event; when the faults
// end, the living agree.
func TestSwarm(t *testing.T) {
	total := eachSeed(t, "seeds", *seeds, func(seed int64, trace io.Writer) (*swarm, error) {
		s, err := newSwarm(seed, weakness{}, trace)
		if err != nil {
			return nil, err
		}
		return s, s.run()
	})
	if *seeds < 200 {
		return
	}
	for _, what := range sometimes {
		if total[what] == 0 {
			t.Errorf("never happened: %s", what)
		}
	}
}

// eachSeed runs a swarm for each of n seeds, a number that a flag sets, and returns the sums
// of all that the runs counted.
func eachSeed(t *testing.T, flag string, n int, run func(seed int64, trace io.Writer) (*swarm, error)) map[string]uint64 {
	total := map[string]uint64{}
	var mu sync.Mutex
	test := strings.ReplaceAll(t.Name(), "/", "$/")
	t.Run("seed", func(t *testing.T) {
		for seed := *firstSeed; seed < *firstSeed+int64(n); seed++ {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				var trace io.Writer
				if *showTrace {
					trace = os.Stdout
				}
				s, err := run(seed, trace)
				if err != nil {
					t.Fatalf("%v\nreplay: go test ./gossip/sim -run '%s$' -first %d -%s 1", err, test, seed, flag)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, c := range []map[string]uint64{s.Counts(), s.seen} {
					for what, n := range c {
						total[what] += n
					}
				}
			})
		}
	})
	t.Log(total)
	return total
}

// The same seed gives the same trace, byte for byte, whatever else runs.
func TestSwarmIsDeterministic(t *testing.T) {
	for seed := range int64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			var want []byte
			for range 3 {
				got := traceOf(t, seed)
				if want == nil {
					want = got
				} else if string(got) != string(want) {
					at := 0
					for at < min(len(got), len(want)) && got[at] == want[at] {
						at++
					}
					t.Fatalf("seed %d: traces of %d and %d bytes differ from byte %d on:\n%.300s\n%.300s",
						seed, len(want), len(got), at, want[max(0, at-100):], got[max(0, at-100):])
				}
			}
		})
	}
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(m.Run())
}
