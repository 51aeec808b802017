package memnet

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// lane is one direction between two nodes on one channel: it has a generator of
// its own, so that what other goroutines send elsewhere changes nothing here.
type lane struct {
	from, to string
	ch       transport.Channel
}

// wire is the two directions of a link, which have faults of their own.
type wire struct{ from, to string }

// fate is what happens to one message.
type fate struct {
	lost      bool
	twice     bool
	delay     time.Duration
	delayCopy time.Duration
}

// rng returns a new generator for l. Names are length-prefixed in the hash, so
// that ("ab", "c") and ("a", "bc") differ.
func (l lane) rng(seed int64) *rand.Rand {
	h := fnv.New128a()
	var b [8]byte
	for _, s := range []string{l.from, l.to, l.ch.String()} {
		binary.BigEndian.PutUint64(b[:], uint64(len(s)))
		h.Write(b[:])
		h.Write([]byte(s))
	}
	binary.BigEndian.PutUint64(b[:], uint64(seed))
	h.Write(b[:])
	sum := h.Sum(nil)
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum), binary.BigEndian.Uint64(sum[8:])))
}

// draw decides one message's fate. It always draws four times: the same message
// of a link meets the same numbers whatever the faults are at that time.
func (f Faults) draw(r *rand.Rand, ch transport.Channel) fate {
	loss, dup, first, second := r.Float64(), r.Float64(), r.Float64(), r.Float64()
	spared := ch == transport.Stream && !f.Streams
	spread := float64(max(0, f.MaxDelay-f.MinDelay))
	return fate{
		lost:      !spared && loss < f.Loss,
		twice:     !spared && dup < f.Duplicate,
		delay:     f.MinDelay + time.Duration(first*spread),
		delayCopy: f.MinDelay + time.Duration(second*spread),
	}
}
