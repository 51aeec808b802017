package wire

import (
	"math"
	"slices"

	"pgregory.net/rapid"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// gen draws messages: everything that can be expressed, with few names so that
// they repeat, and numbers of all sizes.
type gen struct {
	t    *rapid.T
	hlc  clock.Timestamp
	wide bool // many names
}

func (g gen) number() uint64 {
	return rapid.Uint64().Draw(g.t, "number") >> rapid.IntRange(0, 63).Draw(g.t, "shift")
}

func (g gen) bool() bool { return rapid.Bool().Draw(g.t, "bool") }

func (g gen) count(most int) int {
	return max(0, rapid.IntRange(-most, most).Draw(g.t, "count"))
}

func (g gen) bytes() []byte {
	n := rapid.SampledFrom([]int{0, 1, 20, 255, 256, 300}).Draw(g.t, "length")
	if n == 0 {
		return nil
	}
	return make([]byte, n)
}

func (g gen) replica() clock.Replica {
	nodes := []string{"", "a", "b", "node-with-a-name-of-more-than-31-bytes"}
	r := clock.Replica{Node: rapid.SampledFrom(nodes).Draw(g.t, "node"), Epoch: uint64(g.count(3))}
	if g.wide {
		r.Epoch = g.number()
	}
	return r
}

func (g gen) space() string {
	return rapid.SampledFrom([]string{"", "settings", "carts"}).Draw(g.t, "space")
}

func (g gen) version() clock.Version { return clock.Version(g.number()) }

func (g gen) hash() engine.Hash { return engine.Hash{Hi: g.number(), Lo: g.number()} }

// time is one that a run may have after (or, at its start, before) another.
func (g gen) time(last clock.Timestamp) clock.Timestamp {
	d := clock.Timestamp(g.number())
	switch rapid.IntRange(0, 5).Draw(g.t, "time") {
	case 0:
		return last + 1
	case 1:
		return last + d<<logicalBits
	case 2:
		return (last + d) &^ maxLogical
	case 3:
		return last - d&^maxLogical
	case 4:
		return last - d
	default:
		return d
	}
}

func (g gen) vector(most int) clock.Vector {
	var v clock.Vector
	for range g.count(most) {
		v.Set(g.replica(), max(g.version(), 1))
	}
	return v
}

func (g gen) entries(most int) []clock.Entry {
	var entries []clock.Entry
	for range g.count(most) {
		entries = append(entries, clock.Entry{Replica: g.replica(), Version: g.version()})
	}
	return entries
}

func (g gen) update(d clock.Dot, last clock.Timestamp) *model.Update {
	u := &model.Update{Dot: d, Time: g.time(last), Space: g.space(), Key: g.bytes(), Value: g.bytes()}
	if g.bool() {
		u.Kind = model.Kind(g.count(255))
		u.Context = g.vector(3)
		var deps []clock.Dot
		for range g.count(3) {
			deps = append(deps, clock.Dot{Replica: g.replica(), Version: g.version()})
		}
		u.Deps = clock.NewDots(deps)
		if g.bool() {
			u.Expires = g.time(u.Time)
		}
	}
	return u
}

func (g gen) batch(most int) engine.Batch {
	b := engine.Batch{Replica: g.replica(), From: g.version() / 4, Floor: g.version(), Closed: g.bool()}
	v, last := b.From, g.hlc
	for range g.count(most) {
		v += 1 + clock.Version(g.number()>>35)
		u := g.update(clock.Dot{Replica: b.Replica, Version: v}, last)
		b.Updates = append(b.Updates, u)
		last = u.Time
	}
	b.Through = min(v+clock.Version(g.number()/4), b.From+engine.MaxSpan)
	return b
}

func (g gen) digest() engine.Digest {
	d := engine.Digest{Full: g.bool()}
	if g.bool() {
		d.Base = g.number()
		d.Parts = uint16(g.number())
		d.Part = uint16(g.number()) % max(d.Parts, 1)
	}
	for r, v := range g.vector(20).All() {
		e := engine.DigestEntry{Entry: clock.Entry{Replica: r, Version: v}, Held: g.bool()}
		d.Entries = append(d.Entries, e)
	}
	return d
}

func (g gen) repair() *engine.RepairStep {
	s := &engine.RepairStep{
		Phase: engine.RepairPhase(rapid.IntRange(int(engine.RepairHashes), int(engine.RepairUpdates)).Draw(g.t, "phase")),
		Space: g.space(),
	}
	for range g.count(4) {
		s.Hashes = append(s.Hashes, engine.ReplicaHash{
			Replica: g.replica(), Through: g.version(), Floor: g.version(), Hash: g.hash(),
		})
	}
	if g.bool() {
		s.Range = engine.Range{Replica: g.replica(), From: g.version(), Through: g.version()}
	}
	dots := g.versions(5)
	for _, v := range dots {
		s.Dots = append(s.Dots, engine.RepairDot{Version: v, Content: g.number()})
	}
	for r := range g.vector(4).All() {
		for _, v := range g.versions(4) {
			s.Updates = append(s.Updates, g.update(clock.Dot{Replica: r, Version: v}, g.hlc))
		}
	}
	return s
}

// versions ascend, and are not 0.
func (g gen) versions(most int) []clock.Version {
	var vs []clock.Version
	for range g.count(most) {
		if v := g.version(); v > 0 {
			vs = append(vs, v)
		}
	}
	slices.Sort(vs)
	return slices.Compact(vs)
}

// message draws one of a kind.
func (g gen) message(kind engine.Kind) *engine.Message {
	g.hlc = clock.Timestamp(g.number())
	g.wide = g.bool()
	m := &engine.Message{
		Kind: kind, From: g.replica(), Exchange: g.number(), HLC: g.hlc,
		MaxUpdate: uint32(g.number()), Credit: uint32(g.number()), Same: g.bool(), CatchUp: g.bool(), To: g.number(), Cleaning: g.bool(),
		Joining: g.bool(), Admits: g.bool(), Relays: g.bool(), Unsure: g.bool(),
	}
	if g.bool() {
		rate := rapid.Float64Range(0, math.MaxFloat64)
		m.Rates = engine.Rates{Desired: rate.Draw(g.t, "ρ"), Maximum: rate.Draw(g.t, "τ"), Capacity: rate.Draw(g.t, "capacity"), Pending: uint32(g.number())}
	}
	if g.bool() {
		m.Digest = g.digest()
	}
	m.Exceptions = g.entries(4)
	for range g.count(3) {
		h := engine.SpaceHash{Space: g.space(), Hash: g.hash(), Relayed: g.bool()}
		if !h.Relayed {
			h.Type = g.space()
		}
		m.Hashes = append(m.Hashes, h)
	}
	if g.bool() {
		m.ReportSum = g.number()
	}
	for range g.count(3) {
		m.Reports = append(m.Reports, engine.Report{
			Member: g.replica(), Head: g.version(), HLC: clock.Timestamp(g.number()),
			Safe: clock.Timestamp(g.number()), View: g.hash(), Outside: g.hash(), Waits: g.bool(),
		})
	}
	if g.bool() {
		m.RetiredSum = g.number()
	}
	for range g.count(3) {
		t := engine.Retirement{Node: g.replica().Node, Gone: g.number(), Final: g.version(), Vanished: g.epochs(), Before: g.number(), Kept: g.epochs(), Proof: g.number()}
		m.Retired = append(m.Retired, t)
	}
	if kind == engine.Repair {
		m.Repair = g.repair()
	}
	for range g.count(20) {
		m.Batches = append(m.Batches, g.batch(4))
	}
	return m
}

func (g gen) epochs() []uint64 {
	var all []uint64
	for range g.count(3) {
		all = append(all, g.number())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (g gen) anyMessage() *engine.Message {
	return g.message(engine.Kind(rapid.IntRange(int(engine.Syn), int(engine.Graft)).Draw(g.t, "kind")))
}
