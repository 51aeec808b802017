package wire

import (
	"fmt"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// What an update of a set or a register has seen of 10 replicas takes at most 12 bytes
// for each, and less than half of that in a message that names them anyway, in its
// digest or for other updates. Where one update is all that names them, their names
// come on top: 2 bytes each here.
func TestBytesPerContext(t *testing.T) {
	t.Parallel()
	const replicas, name, most = 10, 2, 12
	var seen []clock.Entry
	var digest []engine.DigestEntry
	for i := range replicas {
		e := clock.Entry{
			Replica: clock.Replica{Node: fmt.Sprint("n", i), Epoch: 1_767_200_000_000 + uint64(i)*3_600_000},
			Version: clock.Version(1000 * (i + 1)),
		}
		seen = append(seen, e)
		digest = append(digest, engine.DigestEntry{Entry: e})
	}
	c := New("test")
	for _, tt := range []struct {
		name   string
		n      int // updates in the message
		digest []engine.DigestEntry
		want   int // bytes for each replica in each context
	}{
		{"one update, replicas in the digest", 1, digest, 5},
		{"one update, replicas new to the message", 1, nil, most + name},
		{"100 updates, replicas new to the message", 100, nil, 5},
	} {
		with, without := bulk(tt.n, 0, burst), bulk(tt.n, 0, burst)
		for _, m := range []*engine.Message{with, without} {
			m.Digest = engine.Digest{Full: tt.digest != nil, Entries: tt.digest}
		}
		for _, u := range with.Batches[0].Updates {
			u.Context = clock.NewVector(seen)
		}
		each := float64(c.Size(with)-c.Size(without)) / float64(tt.n*replicas)
		t.Logf("%-42s %5.2f bytes", tt.name, each)
		if each > float64(tt.want) {
			t.Errorf("%s: %.2f bytes for each replica of a context, want at most %d", tt.name, each, tt.want)
		}
	}
}
