package engine

import (
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// BenchmarkHash hashes an update of a 20-byte key and a 100-byte value, as each write does once
// for what it adds and, but for the content, once for what it supersedes.
func BenchmarkHash(b *testing.B) {
	h := newHasher("bench")
	u := &model.Update{
		Dot: clock.Dot{Replica: clock.Replica{Node: "node-1", Epoch: 1}}, Time: 1, Space: "bench",
		Key: make([]byte, 20), Value: make([]byte, 100),
	}
	var content uint64
	b.Run("content", func(b *testing.B) {
		for b.Loop() {
			u.Time++
			content += h.content(u)
		}
	})
	b.Run("member", func(b *testing.B) {
		for b.Loop() {
			u.Version++
			content += h.member(u.Dot, content).Lo
		}
	})
}
