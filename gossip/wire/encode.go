package wire

import (
	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// How many elements the parts of a message have, at most. The decoder knows the
// number of fields of a message; the rest only fixes the width of headers.
const (
	messageFields = 20
	retiredFields = 7
	replicaFields = 3
	pairFields    = replicaFields + 1
	batchFields   = replicaFields + 5
	updateFields  = 13
)

// batchElements is the most elements that a batch of n updates has.
func batchElements(n int) int { return batchFields + updateFields*n }

// message writes m. Batches come last so that a Sizer can go on from here.
func (w *writer) message(cluster string, m *engine.Message) {
	l := w.begin(messageFields)
	w.uint(Version)
	w.str(cluster)
	w.uint(uint64(m.Kind))
	w.str(m.From.Node)
	w.uint(m.From.Epoch)
	w.replicas.self = m.From
	w.int(int64(m.To - m.From.Epoch))
	w.uint(m.Exchange)
	w.uint(uint64(m.HLC))
	w.hlc = m.HLC
	w.uint(uint64(m.MaxUpdate))
	w.uint(uint64(m.Credit))
	w.rates(m.Rates)
	w.digest(&m.Digest)
	w.exceptions(m.Exceptions)
	w.uint(flags(m))
	w.bool(m.Cleaning)
	w.hashes(m.Hashes)
	w.reports(m.ReportSum, m.Reports)
	w.retired(m.RetiredSum, m.Retired)
	w.repair(m.Repair)
	bl := w.begin(len(m.Batches))
	for i := range m.Batches {
		w.batch(&m.Batches[i])
	}
	w.end(bl)
	w.end(l)
}

// The bits of a message's flags.
const (
	flagSame = 1 << iota
	flagJoining
	flagAdmits
	flagRelays
	flagUnsure
	flagCatchUp
	maxFlags = 1<<iota - 1
)

func flags(m *engine.Message) uint64 {
	var f uint64
	if m.Same {
		f |= flagSame
	}
	if m.Joining {
		f |= flagJoining
	}
	if m.Admits {
		f |= flagAdmits
	}
	if m.Relays {
		f |= flagRelays
	}
	if m.Unsure {
		f |= flagUnsure
	}
	if m.CatchUp {
		f |= flagCatchUp
	}
	return f
}

func (w *writer) rates(r engine.Rates) {
	if r == (engine.Rates{}) {
		w.null()
		return
	}
	l := w.begin(4)
	w.float(r.Desired)
	w.float(r.Maximum)
	w.float(r.Capacity)
	w.uint(uint64(r.Pending))
	w.end(l)
}

func (w *writer) digest(d *engine.Digest) {
	if !d.Full && d.Part == 0 && d.Parts == 0 && d.Base == 0 && len(d.Entries) == 0 {
		w.null()
		return
	}
	l := w.begin(6)
	w.bool(d.Full)
	w.uint(uint64(d.Part))
	w.uint(uint64(d.Parts))
	w.uint(d.Base)
	el := w.begin(pairFields * len(d.Entries))
	held, self := 0, len(d.Entries)
	for i := range d.Entries {
		e := &d.Entries[i]
		if e.Replica == w.replicas.self {
			self = i
			w.uint(1)
		} else {
			w.define(e.Replica)
		}
		w.uint(uint64(e.Version))
		if e.Held {
			held++
		}
	}
	w.end(el)
	w.replicas.digest, w.replicas.at = d.Entries, self
	hl := w.begin(held)
	for i := range d.Entries {
		if d.Entries[i].Held {
			w.uint(uint64(i))
		}
	}
	w.end(hl)
	w.end(l)
}

func (w *writer) exceptions(entries []clock.Entry) {
	l := w.begin(pairFields * len(entries))
	for i := range entries {
		w.replica(entries[i].Replica)
		w.uint(uint64(entries[i].Version))
	}
	w.end(l)
}

func (w *writer) hashes(hashes []engine.SpaceHash) {
	l := w.begin(4 * len(hashes))
	for i := range hashes {
		w.space(hashes[i].Space)
		w.hash(hashes[i].Hash)
		if hashes[i].Relayed {
			w.null()
		} else {
			w.str(hashes[i].Type)
		}
	}
	w.end(l)
}

func (w *writer) reports(sum uint64, reports []engine.Report) {
	if sum == 0 && len(reports) == 0 {
		w.null()
		return
	}
	l := w.begin(1 + (replicaFields+6)*len(reports))
	w.uint(sum)
	for i := range reports {
		r := &reports[i]
		w.replica(r.Member)
		w.uint(uint64(r.Head))
		w.uint(uint64(r.HLC))
		w.uint(uint64(r.Safe))
		w.hash(r.View)
		w.hash(r.Outside)
		w.bool(r.Waits)
	}
	w.end(l)
}

func (w *writer) retired(sum uint64, all []engine.Retirement) {
	if sum == 0 && len(all) == 0 {
		w.null()
		return
	}
	l := w.begin(1 + retiredFields*len(all))
	w.uint(sum)
	for i := range all {
		t := &all[i]
		w.str(t.Node)
		w.uint(t.Gone)
		w.uint(uint64(t.Final))
		w.epochs(t.Vanished)
		w.uint(t.Before)
		w.epochs(t.Kept)
		w.uint(t.Proof)
	}
	w.end(l)
}

func (w *writer) epochs(all []uint64) {
	l := w.begin(len(all))
	for _, epoch := range all {
		w.uint(epoch)
	}
	w.end(l)
}

func (w *writer) repair(s *engine.RepairStep) {
	if s == nil {
		w.null()
		return
	}
	l := w.begin(7)
	w.uint(uint64(s.Phase))
	w.space(s.Space)
	w.run.space = s.Space
	hl := w.begin((replicaFields + 3) * len(s.Hashes))
	for i := range s.Hashes {
		h := &s.Hashes[i]
		w.replica(h.Replica)
		w.uint(uint64(h.Through))
		w.uint(uint64(h.Floor))
		w.hash(h.Hash)
	}
	w.end(hl)
	w.versions(s.Range)
	dl := w.begin(2 * len(s.Dots))
	last := clock.Version(0)
	for _, d := range s.Dots {
		w.uint(uint64(d.Version - last - 1))
		w.uint(d.Content)
		last = d.Version
	}
	w.end(dl)
	w.runs(s.Updates)
	w.end(l)
}

func (w *writer) versions(r engine.Range) {
	if r == (engine.Range{}) {
		w.null()
		return
	}
	l := w.begin(replicaFields + 2)
	w.replica(r.Replica)
	w.uint(uint64(r.From))
	w.uint(uint64(r.Through))
	w.end(l)
}

// runs writes updates of any replicas as one run for each replica.
func (w *writer) runs(updates []*model.Update) {
	n := 0
	for i, u := range updates {
		if i == 0 || u.Replica != updates[i-1].Replica {
			n++
		}
	}
	l := w.begin(n)
	for len(updates) > 0 {
		n = 1
		for n < len(updates) && updates[n].Replica == updates[0].Replica {
			n++
		}
		rl := w.begin(batchElements(n))
		w.replica(updates[0].Replica)
		w.uint(uint64(n))
		w.start(0)
		for _, u := range updates[:n] {
			w.update(u)
		}
		w.end(rl)
		updates = updates[n:]
	}
	w.end(l)
}

func (w *writer) batch(b *engine.Batch) {
	if !w.measure {
		checkBatch(b)
	}
	l := w.head(b, len(b.Updates))
	for _, u := range b.Updates {
		w.update(u)
	}
	w.end(l)
}

// head starts a batch of n updates. Through and Closed take the same room
// whatever they are: a Sizer does not know them yet.
func (w *writer) head(b *engine.Batch, n int) level {
	l := w.begin(batchElements(n))
	w.replica(b.Replica)
	w.uint(uint64(b.From))
	w.uint32(uint32(b.Through - b.From))
	w.uint(uint64(b.Floor))
	w.bool(b.Closed)
	w.uint(uint64(n))
	w.start(b.From)
	return l
}

// start begins a run of updates after a version.
func (w *writer) start(from clock.Version) {
	w.run.version, w.run.time, w.run.back = from, w.hlc, true
}

// checkBatch panics when b cannot be expressed; see Encode.
func checkBatch(b *engine.Batch) {
	if b.Through < b.From || b.Through-b.From > engine.MaxSpan {
		panic("wire: batch spans less than nothing or more than MaxSpan (R3)")
	}
	if len(b.Updates) > engine.MaxBatch {
		panic("wire: batch of more than MaxBatch updates")
	}
	last := b.From
	for _, u := range b.Updates {
		if u.Replica != b.Replica {
			panic("wire: update in another replica's batch (R3)")
		}
		if u.Version <= last || u.Version > b.Through {
			panic("wire: update out of order or outside its batch (R3)")
		}
		last = u.Version
	}
}
