package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// BenchmarkLogReplace overwrites keys, in turn or at random: for each write one update comes
// and another goes.
func BenchmarkLogReplace(b *testing.B) {
	for _, keys := range []int{1000, 50_000} {
		for _, order := range []string{"turn", "random"} {
			b.Run(fmt.Sprint("keys=", keys, "/", order), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(1, 1))
				var l log
				newest := make([]clock.Version, keys)
				version := clock.Version(0)
				write := func(key int) {
					if newest[key] > 0 {
						l.remove(newest[key])
					}
					version++
					newest[key] = version
					l.insert(entry{update: &model.Update{Dot: clock.Dot{Version: version}}})
				}
				for key := range keys {
					write(key)
				}
				for i := 0; b.Loop(); i++ {
					if key := i % keys; order == "turn" {
						write(key)
					} else {
						write(rng.IntN(keys))
					}
				}
			})
		}
	}
}
