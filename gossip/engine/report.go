package engine

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

const (
	// reportsPerMessage bounds how many reports one message carries: mostly those
	// that changed last, and now and then any.
	reportsPerMessage = 32
	// reportPerNode times the number of members is the least time between two
	// reports of one member in a large cluster (R6).
	reportPerNode = 50 * time.Millisecond
)

// reports are the members' slots outside the log, the newest of each (R6).
type reports struct {
	slots   []*slot // ascending by node
	sum     uint64  // over all slots: equal sums, equal reports
	changes uint64
	safe    clock.Timestamp // the highest that somebody reported
	written time.Time       // when this node's own was
}

// slot is the newest report of one member.
type slot struct {
	Report
	changed uint64 // in changes of all reports
}

// find returns the slot of a node, and where it is or would be.
func (rs *reports) find(node string) (*slot, int) {
	i, ok := slices.BinarySearchFunc(rs.slots, node, func(s *slot, n string) int { return strings.Compare(s.Member.Node, n) })
	if !ok {
		return nil, i
	}
	return rs.slots[i], i
}

// takeReports keeps those of a message that are newer than what is here.
func (e *Engine) takeReports(now time.Time, all []Report, out *Output) {
	for i := range all {
		if r := &all[i]; r.Member.Node == e.self.Node && r.Member.Epoch > e.self.Epoch && r.Member.Epoch < math.MaxUint64 {
			e.newEpoch(now, r.Member, out) // another life of this node reported (R1)
		}
		if r := &all[i]; r.Member.Node != "" && len(r.Member.Node) <= MaxName && r.Member != e.self {
			e.takeReport(r)
		}
	}
}

func (e *Engine) takeReport(r *Report) {
	if e.isOver(r.Member) {
		return
	}
	s, i := e.reports.find(r.Member.Node)
	switch {
	case s == nil && len(e.reports.slots) >= e.cfg.MaxPeers:
		return
	case s == nil:
		s = &slot{}
		e.reports.slots = slices.Insert(e.reports.slots, i, s)
	case cmp.Or(cmp.Compare(s.Member.Epoch, r.Member.Epoch), cmp.Compare(s.HLC, r.HLC)) >= 0:
		return
	default:
		e.reports.sum -= e.hasher.report(&s.Report)
	}
	e.reports.changes++
	s.Report, s.changed = *r, e.reports.changes
	e.reports.sum += e.hasher.report(r)
	e.hearHead(r.Member, r.Head)
	e.reports.safe = max(e.reports.safe, r.Safe)
	e.collecting = e.collecting || r.Safe > 0
}

// addReports puts reports into a message to a peer whose reports have this sum, if
// it has others, and as many as there is room for.
func (e *Engine) addReports(m *Message, theirs uint64) {
	if theirs == e.reports.sum {
		return
	}
	chosen := slices.SortedFunc(slices.Values(e.reports.slots), func(a, b *slot) int { return cmp.Compare(b.changed, a.changed) })
	if e.cfg.Rand.Intn(4) == 0 { // those that a peer missed, too
		e.cfg.Rand.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	}
	for _, s := range chosen[:min(len(chosen), reportsPerMessage)] {
		m.Reports = append(m.Reports, s.Report)
		if !e.hasRoom(m) {
			m.Reports = m.Reports[:len(m.Reports)-1]
			return
		}
	}
}

// reportDue reports whether this node should write a report: tombstones wait for it,
// here or at somebody who has reported since; and not too often.
func (e *Engine) reportDue(now time.Time, v *view) bool {
	if !e.Clean() || now.Sub(e.reports.written) < max(e.cfg.ReportInterval, time.Duration(len(v.members))*reportPerNode) {
		return false
	}
	own, _ := e.reports.find(e.self.Node)
	if e.isWaiting(v) {
		return true
	}
	for _, s := range e.reports.slots {
		if s != own && s.Waits && (own == nil || own.Member != e.self || s.HLC > own.HLC) {
			return true
		}
	}
	return false
}

// isWaiting reports whether something waits here to be collected, or replicas to vanish,
// or what was collected here is not yet covered by this node's own report: the others
// need that.
func (e *Engine) isWaiting(v *view) bool {
	if v.idle || e.dead() > 0 {
		return true
	}
	own, _ := e.reports.find(e.self.Node)
	return e.collected > 0 && (own == nil || own.Member != e.self || own.Safe < e.collected)
}

// writeReport writes this node's report.
func (e *Engine) writeReport(now time.Time, v *view) {
	e.reports.written = now
	e.stats.Reports++
	e.takeReport(&Report{
		Member: e.self, Head: e.lookup(e.self).version, HLC: e.hlc.Next(now), Safe: e.complete(v),
		View: v.hash, Outside: v.outside, Waits: e.isWaiting(v),
	})
	e.retired.witness(v.proof, e.changes)
	e.hurry(now)
}

// hearHead notes that a replica has versions up to here, known or not (R7).
func (e *Engine) hearHead(id clock.Replica, version clock.Version) {
	if version == 0 {
		return
	}
	if s, _ := e.retired.find(id.Node); s != nil {
		switch {
		case s.vanished(id.Epoch), id.Epoch < s.Gone:
			return // what is not here is not waited for
		case id.Epoch == s.Gone:
			version = min(version, s.Final)
		}
	}
	if r := e.lookup(id); r != nil {
		r.head = max(r.head, version)
		return
	}
	if _, ok := e.heads[id]; !ok && len(e.heads) >= e.cfg.MaxReplicas {
		e.headless = true
		return
	}
	e.heads[id] = max(e.heads[id], version)
}

// hearHeads notes what a digest shows to exist.
func (e *Engine) hearHeads(digest []DigestEntry) {
	i := 0
	for _, d := range digest {
		for i < len(e.order) && e.order[i].id.Compare(d.Replica) < 0 {
			i++
		}
		if len(e.retired.slots) == 0 && i < len(e.order) && e.order[i].id == d.Replica {
			e.order[i].head = max(e.order[i].head, d.Version)
		} else {
			e.hearHead(d.Replica, d.Version)
		}
	}
}

// current returns the entries of a digest that are not of vanished replicas: who has
// not heard of that still names them.
func (e *Engine) current(digest []DigestEntry) []DigestEntry {
	if len(e.retired.slots) == 0 || !slices.ContainsFunc(digest, func(d DigestEntry) bool { return e.IsVanished(d.Replica) }) {
		return digest
	}
	return slices.DeleteFunc(slices.Clone(digest), func(d DigestEntry) bool { return e.IsVanished(d.Replica) })
}
