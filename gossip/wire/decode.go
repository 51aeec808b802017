package wire

import (
	"fmt"
	"math"
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// MaxGrowth bounds the memory that decoding takes: so many bytes for each byte
// of input, garbage included, and 1 KiB. The worst are updates of 5 bytes,
// 144 bytes each in memory, and replicas that are defined and used once.
const MaxGrowth = 64

// The fewest bytes that things take, smallest encodings assumed.
const (
	minUpdate      = 5 // flags, key, value
	minBatch       = 7
	minHash        = 18
	minReport      = 5 + 2*minHash
	minReplicaHash = 3 + minHash
	minRetired     = 7
)

func (r *reader) message(cluster string, m *engine.Message) {
	l := r.open("message")
	if v := r.uint("format version"); r.err == nil && v != Version {
		r.abort(fmt.Errorf("%w: %d, want %d", ErrVersion, v, Version))
	}
	if c := r.name("cluster"); r.err == nil && string(c) != cluster {
		r.abort(fmt.Errorf("%w: %q, want %q", ErrCluster, c, cluster))
	}
	if r.err == nil && l.want != messageFields {
		r.fail("number of fields")
	}
	m.Kind = engine.Kind(r.upTo(uint64(engine.Graft), "kind"))
	if m.Kind < engine.Syn {
		r.fail("kind")
	}
	m.From.Node = string(r.name("sender"))
	m.From.Epoch = r.uint("sender's epoch")
	r.epoch = m.From.Epoch
	r.replicas = append(r.replicas, m.From)
	m.To = m.From.Epoch + uint64(r.int("receiver's epoch"))
	m.Exchange = r.uint("exchange")
	m.HLC = clock.Timestamp(r.uint("HLC"))
	r.hlc = m.HLC
	m.MaxUpdate = uint32(r.upTo(math.MaxUint32, "MaxUpdate"))
	m.Credit = uint32(r.upTo(math.MaxUint32, "credit"))
	m.Rates = r.rates()
	m.Digest = r.digest()
	m.Exceptions = r.exceptions()
	f := r.upTo(maxFlags, "flags")
	m.Same, m.Joining, m.Admits, m.Relays = f&flagSame != 0, f&flagJoining != 0, f&flagAdmits != 0, f&flagRelays != 0
	m.Unsure, m.CatchUp = f&flagUnsure != 0, f&flagCatchUp != 0
	r.keep = r.keeps && m.CatchUp && m.Kind == engine.Push
	m.Cleaning = r.bool("cleaning")
	m.Hashes = r.hashes()
	m.ReportSum, m.Reports = r.reports()
	m.RetiredSum, m.Retired = r.retired()
	m.Repair = r.repair()
	if r.err == nil && (m.Repair != nil) != (m.Kind == engine.Repair) {
		r.fail("repair and kind do not agree")
	}
	m.Batches = r.batches()
	r.close(l, "message")
	if r.err == nil && r.left() > 0 {
		r.fail("bytes after the message")
	}
}

func (r *reader) rates() engine.Rates {
	if r.null() {
		return engine.Rates{}
	}
	l := r.open("rates")
	v := engine.Rates{
		Desired:  r.rate("desired rate"),
		Maximum:  r.rate("maximum rate"),
		Capacity: r.rate("capacity"),
		Pending:  uint32(r.upTo(math.MaxUint32, "pending updates")),
	}
	r.close(l, "rates")
	return v
}

func (r *reader) digest() engine.Digest {
	var d engine.Digest
	if r.null() {
		return d
	}
	l := r.open("digest")
	d.Full = r.bool("full digest")
	d.Part = uint16(r.upTo(math.MaxUint16, "part of a digest"))
	d.Parts = uint16(r.upTo(math.MaxUint16, "parts of a digest"))
	if d.Part >= max(d.Parts, 1) {
		r.fail("part of a digest")
	}
	d.Base = r.uint("base of a digest")
	el := r.open("digest entries")
	if el.want > 0 {
		// Entries differ, and only the sender is known: all others are defined, in 4
		// elements each.
		n := el.want/pairFields + 1
		d.Entries = make([]engine.DigestEntry, 0, n)
		r.replicas = slices.Grow(r.replicas, n)
	}
	for r.more(el) {
		e := engine.DigestEntry{Entry: r.entry()}
		if n := len(d.Entries); n > 0 && d.Entries[n-1].Replica.Compare(e.Replica) >= 0 {
			r.fail("order of a digest")
		}
		d.Entries = append(d.Entries, e)
	}
	r.close(el, "digest entries")
	hl := r.open("held entries")
	for next := uint64(0); r.more(hl); {
		i := r.uint("held entry")
		if i < next || i >= uint64(len(d.Entries)) {
			r.fail("held entry")
			break
		}
		d.Entries[i].Held = true
		next = i + 1
	}
	r.close(hl, "held entries")
	r.close(l, "digest")
	return d
}

func (r *reader) entry() clock.Entry {
	return clock.Entry{Replica: r.replica(), Version: clock.Version(r.uint("version"))}
}

func (r *reader) exceptions() []clock.Entry {
	l := r.open("exceptions")
	entries := reserve[clock.Entry](r.room(l, 2, 2))
	for r.more(l) {
		entries = append(entries, r.entry())
	}
	r.close(l, "exceptions")
	return entries
}

func (r *reader) hashes() []engine.SpaceHash {
	l := r.open("state hashes")
	hashes := reserve[engine.SpaceHash](r.room(l, 3, 2+minHash))
	for r.more(l) {
		h := engine.SpaceHash{Space: r.space(), Hash: r.hash("state hash")}
		if h.Relayed = r.null(); !h.Relayed {
			h.Type = string(r.name("type of a model"))
		}
		hashes = append(hashes, h)
	}
	r.close(l, "state hashes")
	return hashes
}

func (r *reader) reports() (sum uint64, reports []engine.Report) {
	if r.null() {
		return 0, nil
	}
	l := r.open("reports")
	sum = r.uint("sum of reports")
	reports = reserve[engine.Report](r.room(l, 7, minReport))
	for r.more(l) {
		reports = append(reports, engine.Report{
			Member:  r.replica(),
			Head:    clock.Version(r.uint("head of a report")),
			HLC:     clock.Timestamp(r.uint("HLC of a report")),
			Safe:    clock.Timestamp(r.uint("safe of a report")),
			View:    r.hash("view of a report"),
			Outside: r.hash("outside of a report"),
			Waits:   r.bool("waiting report"),
		})
	}
	r.close(l, "reports")
	return sum, reports
}

func (r *reader) retired() (sum uint64, all []engine.Retirement) {
	if r.null() {
		return 0, nil
	}
	l := r.open("retired nodes")
	sum = r.uint("sum of retired nodes")
	all = reserve[engine.Retirement](r.room(l, retiredFields, minRetired))
	for r.more(l) {
		all = append(all, engine.Retirement{
			Node:     string(r.name("retired node")),
			Gone:     r.uint("epoch that is gone"),
			Final:    clock.Version(r.uint("final version")),
			Vanished: r.epochs("epochs that vanished"),
			Before:   r.uint("epoch before which all vanished"),
			Kept:     r.epochs("kept epochs"),
			Proof:    r.uint("proof"),
		})
	}
	r.close(l, "retired nodes")
	return sum, all
}

// epochs reads epochs, strictly ascending.
func (r *reader) epochs(what string) []uint64 {
	l := r.open(what)
	var all []uint64
	for r.more(l) {
		if epoch := r.uint(what); len(all) > 0 && epoch <= all[len(all)-1] {
			r.fail(what)
		} else {
			all = append(all, epoch)
		}
	}
	r.close(l, what)
	return all
}

func (r *reader) repair() *engine.RepairStep {
	if r.null() {
		return nil
	}
	s := new(engine.RepairStep)
	l := r.open("repair")
	s.Phase = engine.RepairPhase(r.upTo(uint64(engine.RepairUpdates), "phase of a repair"))
	if s.Phase < engine.RepairHashes {
		r.fail("phase of a repair")
	}
	s.Space = r.space()
	r.run.space = s.Space
	s.Hashes = r.replicaHashes()
	s.Range = r.versions()
	s.Dots = r.dots()
	s.Updates = r.runs()
	r.close(l, "repair")
	return s
}

func (r *reader) replicaHashes() []engine.ReplicaHash {
	l := r.open("replica hashes")
	hashes := reserve[engine.ReplicaHash](r.room(l, 4, minReplicaHash))
	for r.more(l) {
		hashes = append(hashes, engine.ReplicaHash{
			Replica: r.replica(),
			Through: clock.Version(r.uint("version of a replica hash")),
			Floor:   clock.Version(r.uint("floor of a replica hash")),
			Hash:    r.hash("replica hash"),
		})
	}
	r.close(l, "replica hashes")
	return hashes
}

func (r *reader) versions() engine.Range {
	if r.null() {
		return engine.Range{}
	}
	l := r.open("range")
	v := engine.Range{
		Replica: r.replica(),
		From:    clock.Version(r.uint("start of a range")),
		Through: clock.Version(r.uint("end of a range")),
	}
	r.close(l, "range")
	return v
}

func (r *reader) dots() []engine.RepairDot {
	l := r.open("dots")
	dots := reserve[engine.RepairDot](r.room(l, 2, 2))
	for last := clock.Version(0); r.more(l); {
		gap := clock.Version(r.uint("version of a dot"))
		d := engine.RepairDot{Version: last + 1 + gap, Content: r.uint("content of a dot")}
		if gap >= math.MaxUint64-last {
			r.fail("version of a dot")
		}
		dots = append(dots, d)
		last = d.Version
	}
	r.close(l, "dots")
	return dots
}

// runs reads updates that ascend by dot, one run for each replica.
func (r *reader) runs() []*model.Update {
	l := r.open("runs")
	var updates []*model.Update
	for r.more(l) {
		rl := r.open("run")
		replica := r.replica()
		n := len(updates)
		if n > 0 && updates[n-1].Replica.Compare(replica) >= 0 {
			r.fail("order of runs")
		}
		updates = r.updates(updates, replica, 0, math.MaxUint64)
		if r.err == nil && len(updates) == n {
			r.fail("run without updates")
		}
		r.close(rl, "run")
	}
	r.close(l, "runs")
	return updates
}

func (r *reader) batches() []engine.Batch {
	l := r.open("batches")
	batches := reserve[engine.Batch](r.room(l, 1, minBatch))
	for r.more(l) {
		batches = append(batches, r.batch())
	}
	r.close(l, "batches")
	return batches
}

func (r *reader) batch() engine.Batch {
	l := r.open("batch")
	b := engine.Batch{Replica: r.replica(), From: clock.Version(r.uint("start of a batch"))}
	b.Through = b.From + clock.Version(r.upTo(engine.MaxSpan, "span of a batch"))
	if b.Through < b.From {
		r.fail("span of a batch")
	}
	b.Floor = clock.Version(r.uint("floor of a batch"))
	b.Closed = r.bool("closed batch")
	b.Updates = r.updates(nil, b.Replica, b.From, b.Through)
	r.close(l, "batch")
	return b
}

// updates reads a count and so many updates of one replica with versions in
// (from, through], and appends them to out.
func (r *reader) updates(out []*model.Update, replica clock.Replica, from, through clock.Version) []*model.Update {
	n := int(r.upTo(engine.MaxBatch, "number of updates"))
	if n > r.left()/minUpdate {
		r.fail("number of updates")
	}
	if n == 0 || r.err != nil {
		return out
	}
	r.run.version, r.run.time, r.run.back = from, r.hlc, true
	if r.keep {
		return r.updatesToKeep(n, replica, through)
	}
	slab, refs := r.slab.take(n)
	if out == nil {
		out = refs
	}
	for i := range slab {
		if r.update(&slab[i], replica, through); r.err != nil {
			break
		}
		out = append(out, &slab[i])
	}
	return out
}

// updatesToKeep reads n updates into memory of their own.
func (r *reader) updatesToKeep(n int, replica clock.Replica, through clock.Version) []*model.Update {
	begin := len(r.kept)
	for range n {
		var u model.Update
		if r.update(&u, replica, through); r.err != nil {
			break
		}
		r.kept = append(r.kept, u.Clone())
	}
	return r.kept[begin:len(r.kept):len(r.kept)]
}

// reserve returns an empty slice with room for n, nil for none.
func reserve[T any](n int) []T {
	if n == 0 {
		return nil
	}
	return make([]T, 0, n)
}
