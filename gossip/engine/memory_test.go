package engine

import (
	"fmt"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// The heap of graves is as large as what waits in it.
func TestRoomForGravesIsGivenBack(t *testing.T) {
	t.Parallel()
	var g graves
	r := new(replica)
	const n = 10_000
	for v := clock.Version(1); v <= n; v++ {
		g.add(grave{clock.Timestamp(v * 7919 % n), r, v}, func() int { return n })
	}
	for i := range n {
		if got := g.pop(); got.time != clock.Timestamp(i) {
			t.Fatalf("grave %d has time %d", i, got.time)
		}
		if room, most := len(g.pieces)*gravesPiece, g.Len()+2*gravesPiece; room > most {
			t.Fatalf("room for %d with %d graves, at most %d", room, g.Len(), most)
		}
	}
}

// So are the list of chunks and each of them.
func TestRoomForChunksIsGivenBack(t *testing.T) {
	t.Parallel()
	var l log
	const n = 100 * chunkLen
	for v := clock.Version(1); v <= n; v++ {
		l.insert(entry{update: &model.Update{Dot: clock.Dot{Version: v}}})
	}
	for v := clock.Version(2); v <= n; v++ {
		l.remove(v)
	}
	if len(l.chunks) != 1 || cap(l.chunks) > 8 || cap(l.chunks[0]) > 8 {
		t.Errorf("%d chunks with room for %d, the first one for %d", len(l.chunks), cap(l.chunks), cap(l.chunks[0]))
	}
}

// A ring is as long as what it remembers needs, and forgets nothing on the way to its
// full length; where there are many replicas that is shorter.
func TestReplacementsGrow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ replicas, drops, length, known int }{
		{1, 1, 1, 1},
		{1, 2, 2, 2},
		{1, 100, 128, 100},
		{1, 1000, 256, 256},
		{4096, 1000, 256, 256},
		{4097, 1000, 128, 128},
		{100_000, 1, 1, 1},
		{100_000, 1000, 16, 16},
	} {
		t.Run(fmt.Sprint(tt.replicas, " replicas, ", tt.drops, " drops"), func(t *testing.T) {
			r := &replica{version: clock.Version(tt.drops + 1)}
			r.log.insert(entry{update: &model.Update{Dot: clock.Dot{Version: r.version}}})
			for v := clock.Version(1); v < r.version; v++ {
				r.replaced.add(v, r, r.version, tt.replicas)
			}
			known := 0
			for v := clock.Version(1); v < r.version; v++ {
				if by, heir, ok := r.heir(v); ok {
					known++
					if by != r || heir != r.version {
						t.Fatalf("heir of %d is %d, want %d", v, heir, r.version)
					}
				}
			}
			if len(r.replaced) != tt.length || known != tt.known {
				t.Errorf("length %d with %d known, want %d with %d", len(r.replaced), known, tt.length, tt.known)
			}
		})
	}
}
