package wire

import (
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

func FuzzSyn(f *testing.F)    { fuzzKind(f, engine.Syn) }
func FuzzAck(f *testing.F)    { fuzzKind(f, engine.Ack) }
func FuzzFin(f *testing.F)    { fuzzKind(f, engine.Fin) }
func FuzzPull(f *testing.F)   { fuzzKind(f, engine.Pull) }
func FuzzPush(f *testing.F)   { fuzzKind(f, engine.Push) }
func FuzzRepair(f *testing.F) { fuzzKind(f, engine.Repair) }
func FuzzLive(f *testing.F)   { fuzzKind(f, engine.Live) }

// fuzzKind starts from messages of one kind, with the shortest cluster id.
func fuzzKind(f *testing.F, k engine.Kind) {
	c := New("")
	for _, m := range samples() {
		if m.Kind == k {
			f.Add(c.Encode(m))
		}
	}
	m := &engine.Message{Kind: k}
	if k == engine.Repair {
		m.Repair = &engine.RepairStep{Phase: engine.RepairHashes}
	}
	f.Add(c.Encode(m))
	f.Fuzz(func(t *testing.T, b []byte) {
		checkDecode(t, c, b)
		used := allocated(func() { _, _ = c.Decode(b) })
		// The fuzzer allocates too now and then.
		if limit := uint64(MaxGrowth*len(b) + 64<<10); used > limit {
			t.Errorf("decoding %d bytes allocated %d, limit %d", len(b), used, limit)
		}
	})
}
