package wire

import (
	"math"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// An update starts with one integer: flags in the low bits, a difference in
// time above them.
const (
	timeTicks   = 0 // the difference is in ticks of the HLC
	timeMillis  = 1 // in milliseconds; the counter is 0
	timeLogical = 2 // in milliseconds; the counter follows
	timeFar     = 3 // no difference here: milliseconds and counter follow
	timeMask    = 3

	flagSpace   = 1 << 2 // the space follows; otherwise it is the previous update's
	flagGap     = 1 << 3 // how many versions were left out before this one follows
	flagKind    = 1 << 4 // the kind follows; otherwise it is 0
	flagExpires = 1 << 5 // the expiry follows, relative to the update's time
	flagRefs    = 1 << 6 // context and dependencies follow

	flagBits = 7
)

// A timestamp is milliseconds and a counter (see clock.Timestamp); differences
// of milliseconds are taken modulo 2^48, so that any two can be written.
const (
	logicalBits = 16
	maxLogical  = 1<<logicalBits - 1
	maxMillis   = 1<<48 - 1
	maxPacked   = 1<<(32-flagBits) - 1 // milliseconds beside the flags in 32 bits: 9 hours
	smallTicks  = 1<<(16-flagBits) - 1 // ticks beside the flags in 16 bits
	maxFar      = maxUint + 3          // bytes of milliseconds and counter
)

// stamp is a time as it is written.
type stamp struct {
	form    uint64
	packed  uint64 // beside the flags
	millis  uint64 // timeFar
	logical uint64 // timeFar, timeLogical
}

// stampOf returns the form of t, which should be after base, or before it when
// back is set: then it is short. The counter is always t's own.
func stampOf(t, base clock.Timestamp, back bool) stamp {
	ticks, millis := t-base, t>>logicalBits-base>>logicalBits
	if back {
		ticks, millis = -ticks, -millis
	}
	return pick(uint64(ticks), uint64(millis)&maxMillis, uint64(t)&maxLogical)
}

// pick chooses the shortest form, all but always.
func pick(ticks, millis, logical uint64) stamp {
	switch {
	case ticks <= 1:
		return stamp{form: timeTicks, packed: ticks}
	case logical == 0 && millis <= maxPacked:
		return stamp{form: timeMillis, packed: millis}
	case ticks <= smallTicks:
		return stamp{form: timeTicks, packed: ticks}
	case millis <= maxPacked:
		return stamp{form: timeLogical, packed: millis, logical: logical}
	default:
		return stamp{form: timeFar, millis: millis, logical: logical}
	}
}

// update writes u relative to the run: 3 to 13 elements.
func (w *writer) update(u *model.Update) {
	s := stampOf(u.Time, w.run.time, w.run.back)
	head := s.packed<<flagBits | s.form
	gap := u.Version - w.run.version - 1
	refs := u.Context.Len() > 0 || u.Deps.Len() > 0
	if u.Space != w.run.space {
		head |= flagSpace
	}
	if gap > 0 {
		head |= flagGap
	}
	if u.Kind != 0 {
		head |= flagKind
	}
	if u.Expires != 0 {
		head |= flagExpires
	}
	if refs {
		head |= flagRefs
	}
	w.uint(head)
	if s.form == timeFar {
		w.uint(s.millis)
	}
	if s.form >= timeLogical {
		w.uint(s.logical)
	}
	if gap > 0 {
		w.uint(uint64(gap))
	}
	if head&flagSpace != 0 {
		w.space(u.Space)
		w.run.space = u.Space
	}
	if u.Kind != 0 {
		w.uint(uint64(u.Kind))
	}
	if u.Expires != 0 {
		w.uint(uint64(u.Expires>>logicalBits-u.Time>>logicalBits) & maxMillis)
		w.uint(uint64(u.Expires) & maxLogical)
	}
	if refs {
		w.refs(u)
	}
	w.bin(u.Key)
	w.bin(u.Value)
	w.run.version, w.run.time, w.run.back = u.Version, u.Time, false
}

func (w *writer) refs(u *model.Update) {
	l := w.begin(pairFields * u.Context.Len())
	for i := range u.Context.Len() {
		e := u.Context.At(i)
		w.replica(e.Replica)
		w.uint(uint64(e.Version))
	}
	w.end(l)
	deps := u.Deps.All()
	l = w.begin(pairFields * len(deps))
	for i := range deps {
		w.replica(deps[i].Replica)
		w.uint(uint64(deps[i].Version))
	}
	w.end(l)
}

// update reads into u, which is zero, the next update of the run, whose
// versions end at through.
func (r *reader) update(u *model.Update, replica clock.Replica, through clock.Version) {
	head := r.uint("update")
	u.Replica = replica
	u.Time = r.time(head)
	gap := uint64(0)
	if head&flagGap != 0 {
		gap = r.uint("gap")
	}
	if left := uint64(through - r.run.version); left == 0 || gap > left-1 {
		r.fail("version of an update")
		return
	}
	u.Version = r.run.version + 1 + clock.Version(gap)
	if head&flagSpace != 0 {
		r.run.space = r.space()
	}
	u.Space = r.run.space
	if head&flagKind != 0 {
		u.Kind = model.Kind(r.upTo(math.MaxUint8, "kind of an update"))
	}
	if head&flagExpires != 0 {
		u.Expires = r.far(u.Time, false)
	}
	if head&flagRefs != 0 {
		u.Context = r.context()
		u.Deps = r.deps()
	}
	u.Key = r.bin("key")
	u.Value = r.bin("value")
	r.run.version, r.run.time, r.run.back = u.Version, u.Time, false
}

// time reads the rest of an update's time.
func (r *reader) time(head uint64) clock.Timestamp {
	packed := head >> flagBits
	logical := uint64(0)
	switch head & timeMask {
	case timeTicks:
		if r.run.back {
			return r.run.time - clock.Timestamp(packed)
		}
		return r.run.time + clock.Timestamp(packed)
	case timeLogical:
		logical = r.upTo(maxLogical, "counter of a time")
	case timeFar:
		return r.far(r.run.time, r.run.back)
	}
	if packed > maxMillis {
		r.fail("time of an update")
	}
	return join(r.run.time, packed, logical, r.run.back)
}

// far reads a time as milliseconds relative to base, and counter.
func (r *reader) far(base clock.Timestamp, back bool) clock.Timestamp {
	millis := r.upTo(maxMillis, "milliseconds of a time")
	return join(base, millis, r.upTo(maxLogical, "counter of a time"), back)
}

func join(base clock.Timestamp, millis, logical uint64, back bool) clock.Timestamp {
	if back {
		millis = -millis
	}
	return (base>>logicalBits+clock.Timestamp(millis))<<logicalBits | clock.Timestamp(logical)
}

// context reads a vector: ascending by replica, no version 0.
func (r *reader) context() clock.Vector {
	l := r.open("context")
	if l.want == 0 {
		r.close(l, "context")
		return clock.Vector{}
	}
	entries := make([]clock.Entry, 0, l.want/2)
	for r.more(l) {
		e := clock.Entry{Replica: r.replica(), Version: clock.Version(r.uint("version in a context"))}
		if n := len(entries); e.Version == 0 || n > 0 && entries[n-1].Replica.Compare(e.Replica) >= 0 {
			r.fail("order of a context")
		}
		entries = append(entries, e)
	}
	r.close(l, "context")
	return clock.NewVector(entries)
}

func (r *reader) deps() clock.Dots {
	l := r.open("dependencies")
	var deps []clock.Dot
	if l.want > 0 {
		deps = make([]clock.Dot, 0, l.want/2)
	}
	for r.more(l) {
		deps = append(deps, clock.Dot{Replica: r.replica(), Version: clock.Version(r.uint("version of a dependency"))})
	}
	r.close(l, "dependencies")
	return clock.NewDots(deps)
}
