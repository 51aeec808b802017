package engine_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/wire"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

var orders = []engine.Order{engine.Hybrid, engine.Span, engine.Depth, engine.Breadth}

func TestOrderString(t *testing.T) {
	t.Parallel()
	want := "[hybrid span depth breadth order 4]"
	if got := fmt.Sprint(append(slices.Clone(orders), engine.Breadth+1)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// arrived is when a run of versions came to be known.
type arrived struct {
	through clock.Version
	at      clock.Timestamp
}

// behind is a replica of which a peer lacks something, told without the engine's
// log, arrivals and candidates.
type behind struct {
	id       clock.Replica
	from     clock.Version
	version  clock.Version
	updates  []*model.Update // pending
	arrivals []arrived
}

// time is what is believed of an update's time: not after its arrival, nor more
// than 30 s before; the arrival itself if there is no update.
func (b behind) time(u *model.Update, version clock.Version) clock.Timestamp {
	i := slices.IndexFunc(b.arrivals, func(a arrived) bool { return a.through >= version })
	at := b.arrivals[i].at
	if u == nil {
		return at
	}
	return min(max(u.Time, clock.TimestampOf(at.Time().Add(-30*time.Second))), at)
}

func (b behind) oldest() clock.Timestamp {
	if len(b.updates) == 0 {
		return b.time(nil, b.from+1)
	}
	return b.time(b.updates[0], b.updates[0].Version)
}

func (b behind) newest() clock.Timestamp {
	if len(b.updates) == 0 {
		return b.time(nil, b.version)
	}
	u := b.updates[len(b.updates)-1]
	return b.time(u, u.Version)
}

// slowly packs by adding one update at a time and encoding the whole message
// each time.
type slowly struct {
	codec     *wire.Codec
	base      engine.Message
	max       int
	batches   []engine.Batch
	updates   int
	encoded   []byte // the last try
	unordered bool   // a batch that goes on becomes the last one
}

// try adds the next update of b if that fits into limit, and reports whether it
// did; a replica of which nothing is retained has one empty batch instead.
func (s *slowly) try(b behind, limit int) bool {
	next := slices.Clone(s.batches)
	i := slices.IndexFunc(next, func(o engine.Batch) bool { return o.Replica == b.id })
	var batch engine.Batch
	if i < 0 {
		batch = engine.Batch{Replica: b.id, From: b.from, Through: b.from}
		i = len(next)
		next = append(next, batch)
	}
	batch = next[i]
	n := len(batch.Updates)
	if n < len(b.updates) {
		batch.Updates = append(slices.Clone(batch.Updates), b.updates[n])
		batch.Through = b.updates[n].Version
	}
	if n+1 >= len(b.updates) {
		batch.Through = b.version
	}
	next[i] = batch
	if s.unordered {
		next = append(slices.Delete(next, i, i+1), batch)
	}
	m := s.base
	m.Batches = next
	s.encoded = s.codec.Append(s.encoded[:0], &m)
	size := len(s.encoded)
	free := s.updates == 0 && (len(b.updates) > 0 || len(s.batches) == 0) // R2
	if size > limit && !(free && size <= s.max) {
		return false
	}
	s.batches = next
	if len(b.updates) > 0 {
		s.updates++
	}
	return true
}

// run adds all that fits of the replicas, one after the other.
func (s *slowly) run(all []behind, limit int) {
	for _, b := range all {
		done := 0
		if i := slices.IndexFunc(s.batches, func(o engine.Batch) bool { return o.Replica == b.id }); i >= 0 {
			if s.batches[i].Through == b.version {
				continue
			}
			done = len(s.batches[i].Updates)
		}
		for range max(1, len(b.updates)) - done {
			if !s.try(b, limit) {
				return
			}
		}
	}
}

// begun reports whether the message has something of b.
func (s *slowly) begun(b behind) bool {
	return slices.ContainsFunc(s.batches, func(o engine.Batch) bool { return o.Replica == b.id })
}

// pack packs in the given order. all are in the order of ties.
func (s *slowly) pack(o engine.Order, all []behind, room int) []engine.Batch {
	base := s.codec.Size(&s.base)
	limit := min(base+room, s.max)
	by := func(less func(a, b behind) int) []behind {
		all := slices.Clone(all)
		slices.SortStableFunc(all, less)
		return all
	}
	s.unordered = o == engine.Hybrid
	switch o {
	case engine.Span:
		s.run(by(func(a, b behind) int { return cmp.Compare(b.version-b.from, a.version-a.from) }), limit)
	case engine.Depth:
		s.run(by(func(a, b behind) int { return len(b.updates) - len(a.updates) }), limit)
	case engine.Hybrid:
		oldest := by(func(a, b behind) int { return cmp.Compare(a.oldest(), b.oldest()) })
		newest := by(func(a, b behind) int { return cmp.Compare(b.newest(), a.newest()) })
		s.run(oldest, base+(limit-base)/2)
		s.run(slices.DeleteFunc(newest, s.begun), limit)
		s.run(oldest, limit)
	case engine.Breadth:
		all = by(func(a, b behind) int { return min(1, len(b.updates)) - min(1, len(a.updates)) })
		for rank := 1; ; rank++ {
			some := false
			for _, b := range all {
				if max(1, len(b.updates)) >= rank {
					some = true
					if !s.try(b, limit) {
						return s.batches
					}
				}
			}
			if !some {
				break
			}
		}
	}
	return s.batches
}

// stock is an engine with a random backlog and what a peer of it knows.
type stock struct {
	e      *engine.Engine
	codec  *wire.Codec
	max    int
	theirs []engine.DigestEntry
	behind []behind
}

func newStock(t *rapid.T, outer *testing.T) *stock {
	cfg := engine.Config{MaxUpdate: 1500, MaxStream: rapid.SampledFrom([]int{2100, 4000, 20000}).Draw(t, "max stream"), MaxDrift: 3 * time.Hour}
	w := newWorld(outer, 1, 0, cfg)
	w.spaces = []string{"a", "b", "not attached"}[:rapid.IntRange(1, 2).Draw(t, "attached")]
	n := w.add("n")
	s := &stock{e: n.e, codec: w.codec, max: cfg.MaxStream}
	replicas := rapid.IntRange(1, 7).Draw(t, "replicas")
	skew := make([]time.Duration, replicas)
	for r := range replicas {
		s.behind = append(s.behind, behind{id: clock.Replica{Node: fmt.Sprint("r", r), Epoch: 1}})
		skew[r] = rapid.SampledFrom([]time.Duration{0, 0, 0, -time.Hour, time.Hour, -40 * time.Second}).Draw(t, "skew")
	}
	for step := range rapid.IntRange(1, 10).Draw(t, "steps") {
		w.now = w.now.Add(time.Duration(rapid.IntRange(1, 60_000).Draw(t, "pause")) * time.Millisecond)
		for r := range s.behind {
			b := &s.behind[r]
			batch := engine.Batch{Replica: b.id, From: b.version}
			at := clock.TimestampOf(w.now.Add(skew[r])) + clock.Timestamp(rapid.IntRange(0, 3).Draw(t, "tick"))
			for range rapid.SampledFrom([]int{0, 0, 1, 1, 2, 5, 20}).Draw(t, "run") {
				b.version++
				at += clock.Timestamp(rapid.SampledFrom([]int{1, 1 << 16, 40 << 16}).Draw(t, "later"))
				batch.Updates = append(batch.Updates, &model.Update{
					Dot:   clock.Dot{Replica: b.id, Version: b.version},
					Time:  at,
					Space: rapid.SampledFrom([]string{"a", "b", "not attached"}).Draw(t, "space"),
					Key:   []byte{byte(rapid.IntRange(0, 20).Draw(t, "key"))},
					Value: make([]byte, rapid.SampledFrom([]int{0, 1, 30, 30, 100, 300, 1300}).Draw(t, "value")),
				})
			}
			batch.Through = b.version
			if len(batch.Updates) == 0 {
				continue
			}
			push := message(engine.Push, 1, batch)
			push.MaxUpdate = uint32(cfg.MaxUpdate)
			if _, err := s.e.Step(w.now, push); err != nil {
				t.Fatal(err)
			}
			b.arrivals = append(b.arrivals, arrived{b.version, clock.TimestampOf(w.now)})
		}
		syn := message(engine.Syn, uint64(step+1)) // an exchange: arrivals are noted
		syn.Digest.Full, syn.MaxUpdate = true, uint32(cfg.MaxUpdate)
		if _, err := s.e.Step(w.now, syn); err != nil {
			t.Fatal(err)
		}
	}
	all := s.behind
	s.behind = nil
	for _, b := range all {
		if b.version == 0 {
			continue
		}
		b.from = clock.Version(rapid.IntRange(0, int(b.version)).Draw(t, "known"))
		if b.from > 0 {
			s.theirs = append(s.theirs, engine.DigestEntry{Entry: clock.Entry{Replica: b.id, Version: b.from}})
		}
		for _, u := range s.e.Retained(b.id) {
			if u.Version > b.from {
				b.updates = append(b.updates, u)
			}
		}
		if b.from < b.version {
			s.behind = append(s.behind, b)
		}
	}
	return s
}

// check packs one message and compares it with the slow version.
func (s *stock) check(t rapid.TB, o engine.Order, room int) {
	m := message(engine.Ack, 9)
	m.Digest = engine.Digest{Full: true, Entries: s.theirs}
	m.HLC = clock.TimestampOf(time.UnixMilli(1_700_000_000_000))
	base := s.codec.Size(m)
	slow := slowly{codec: s.codec, base: *m, max: s.max}
	ties := slices.Clone(s.behind)
	const seed = 5
	engine.Ties(seed).Shuffle(len(ties), func(i, j int) { ties[i], ties[j] = ties[j], ties[i] })
	want := slow.pack(o, ties, room)

	s.e.SetOrder(o)
	size := s.e.Pack(seed, m, s.theirs, room)
	if !sameBatches(m.Batches, want) {
		t.Fatalf("%v, room %d: packed\n%swant\n%s", o, room, describe(m.Batches), describe(want))
	}
	if n := len(s.codec.Encode(m)); n != size {
		t.Fatalf("%v, room %d: size %d, encoded to %d", o, room, size, n)
	}
	updates := 0
	for _, b := range m.Batches {
		updates += len(b.Updates)
	}
	if size > s.max || size > base+room && updates > 1 {
		t.Fatalf("%v, room %d: %d updates in %d bytes of %d (I11)", o, room, updates, size, s.max)
	}
}

// Whatever the backlog and the room, each order packs exactly what its slow
// version does.
func TestOrdersAgainstObvious(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := newStock(rt, t)
		for _, o := range orders {
			for range 2 {
				s.check(rt, o, rapid.IntRange(1, 1500).Draw(rt, "room"))
				s.check(rt, o, rapid.IntRange(1, 25_000).Draw(rt, "room"))
			}
		}
	})
}

// The same for every room up to 100 bytes, and every hundredth more, on a few
// backlogs: one for every two seeds asked for.
func TestOrdersForEveryRoom(t *testing.T) {
	t.Parallel()
	stocks := rapid.Custom(func(rt *rapid.T) *stock { return newStock(rt, t) })
	for seed := range max(1, *seeds/2) {
		s := stocks.Example(seed)
		for _, o := range orders {
			for room := 1; room < 4000; room += 1 + room/100 {
				s.check(t, o, room)
			}
		}
	}
}

// With equal backlogs, Breadth gives every replica the same number of updates,
// or one more.
func TestBreadthIsFair(t *testing.T) {
	t.Parallel()
	n, codec := equalBacklogs(t, engine.Breadth, 12, 30)
	for room := 200; room < 50_000; room += room / 20 {
		m := message(engine.Ack, 1)
		size := n.Pack(int64(room), m, nil, room)
		least, most := 30, 0
		for _, b := range m.Batches {
			least, most = min(least, len(b.Updates)), max(most, len(b.Updates))
		}
		if len(m.Batches) < 12 {
			least = 0
		}
		if most > least+1 {
			t.Fatalf("room %d: from %d to %d updates of a replica", room, least, most)
		}
		if n := len(codec.Encode(m)); n != size {
			t.Fatalf("room %d: size %d, encoded to %d", room, size, n)
		}
	}
}

// Ties are broken anew for every message: over many, everybody is first.
func TestTiesAreRandom(t *testing.T) {
	t.Parallel()
	n, _ := equalBacklogs(t, engine.Hybrid, 4, 1)
	for _, o := range orders {
		n.SetOrder(o)
		first := map[clock.Replica]int{}
		for seed := range int64(200) {
			m := message(engine.Ack, 1)
			n.Pack(seed, m, nil, 1)
			first[m.Batches[0].Replica]++
		}
		for r, n := range first {
			if n < 25 {
				t.Errorf("%v: %v was first %d times of 200", o, r, n)
			}
		}
		if len(first) < 4 {
			t.Errorf("%v: only %d of 4 replicas were ever first", o, len(first))
		}
	}
}

// equalBacklogs returns an engine that retains as many updates of each of some
// replicas, of 20 bytes of key and 100 of value.
func equalBacklogs(t testing.TB, o engine.Order, replicas, updates int) (*engine.Engine, *wire.Codec) {
	codec := wire.New("test")
	e := newBare(t, "n", codec)
	e.SetOrder(o)
	now := time.UnixMilli(1_700_000_000_000)
	for r := range replicas {
		b := engine.Batch{Replica: clock.Replica{Node: fmt.Sprintf("writer-%03d", r), Epoch: uint64(now.UnixMilli())}, Through: clock.Version(updates)}
		for i := range updates {
			b.Updates = append(b.Updates, &model.Update{
				Dot:   clock.Dot{Replica: b.Replica, Version: clock.Version(i + 1)},
				Time:  clock.TimestampOf(now.Add(time.Duration(i) * time.Millisecond)),
				Space: "map", Key: fmt.Appendf(nil, "key-%06d-%09d", r, i), Value: make([]byte, 100),
			})
		}
		if _, err := e.Step(now.Add(time.Minute), message(engine.Push, 1, b)); err != nil {
			t.Fatal(err)
		}
	}
	syn := message(engine.Syn, 1)
	syn.Digest.Full = true
	if _, err := e.Step(now.Add(time.Minute), syn); err != nil { // arrivals are noted
		t.Fatal(err)
	}
	return e.Engine, codec
}
