package model_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
	"github.com/insecure-scuttlebutt/scuttlebutt/model/modeltest"
)

// The laws run on few histories by default. More, or others:
//
//	go test ./model -run Laws -cases 10000 -seed 42
var (
	lawCases = flag.Int("cases", 50, "histories per test of the laws")
	lawSeed  = flag.Uint64("seed", 0, "seed of the first history of a test of the laws")
)

// Besides the laws: what a node has just written is what it reads.
func TestMapKeepsTheLaws(t *testing.T) {
	t.Parallel()
	keys := []string{"", "a", "b"}
	modeltest.Check(t, modeltest.Config[*model.Map[string]]{
		New: func() *model.Map[string] { return new(model.Map[string]) },
		Write: func(rng *rand.Rand, m *model.Map[string]) error {
			ctx, key := context.Background(), keys[rng.IntN(len(keys))]
			if rng.IntN(3) == 0 {
				if err := m.Delete(ctx, key); err != nil {
					return err
				}
				if v, ok := m.Get(key); ok {
					return fmt.Errorf("%q is %q after Delete", key, v)
				}
				return nil
			}
			want := fmt.Sprint("v", rng.IntN(100))
			var err error
			if rng.IntN(3) == 0 {
				err = m.SetTTL(ctx, key, want, time.Duration(1+rng.IntN(3))*time.Millisecond)
			} else {
				err = m.Set(ctx, key, want)
			}
			if err != nil {
				return err
			}
			if v, ok := m.Get(key); !ok || v != want {
				return fmt.Errorf("%q is %q, %t after Set to %q", key, v, ok, want)
			}
			return nil
		},
		Value: func(m *model.Map[string]) any {
			return []any{m.Len(), maps.Collect(m.All())}
		},
		Cases: *lawCases, Seed: *lawSeed,
	})
}
