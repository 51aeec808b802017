package wire

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// reader decodes one message. After the first error every read returns zero
// and more reports false, so that callers need not look at err.
type reader struct {
	b   []byte
	off int
	n   int // elements so far of the innermost array
	err error

	slab     slab
	keeps    bool            // the updates of a catch-up are for the caller to keep …
	keep     bool            // … and this is one
	kept     []*model.Update // these are they
	epoch    uint64          // the sender's: base of all others
	replicas []clock.Replica
	spaces   []string
	hlc      clock.Timestamp // base of the first update of each run
	run      run
}

// span is an array that is being read.
type span struct {
	want  int // elements; no more than there were bytes left
	outer int // elements of the array around it, this one included
}

// fail says that what, which ends before the current offset, is malformed.
func (r *reader) fail(what string) {
	if r.err == nil {
		r.abort(fmt.Errorf("%w: %s, at byte %d of %d", ErrMalformed, what, r.off, len(r.b)))
	}
}

// abort makes err, the first error, the result.
func (r *reader) abort(err error) {
	r.err = err
	r.off = len(r.b)
}

func (r *reader) left() int { return len(r.b) - r.off }

// open reads an array's header. An array of more elements than bytes are left
// is refused at once, so that its length can be trusted with memory.
func (r *reader) open(what string) span {
	n := uint64(0)
	switch c := r.code(what); {
	case c&0xf0 == codeFixArray:
		n = uint64(c & 0x0f)
	case c == codeArray16:
		n = r.fixed(2, what)
	case c == codeArray32:
		n = r.fixed(4, what)
	default:
		r.fail(what)
	}
	if n > uint64(r.left()) {
		r.fail(what)
		n = 0
	}
	s := span{want: int(n), outer: r.n}
	r.n = 0
	return s
}

// more reports whether the array has elements left.
func (r *reader) more(s span) bool { return r.n < s.want && r.err == nil }

// close ends an array; all its elements must have been read.
func (r *reader) close(s span, what string) {
	if r.n != s.want {
		r.fail(what)
	}
	r.n = s.outer
}

// room bounds how many things an array can hold when each takes at least so many
// elements and bytes.
func (r *reader) room(s span, elements, bytes int) int {
	return min(s.want/elements, r.left()/bytes)
}

// code reads the first byte of an element, and counts the element.
func (r *reader) code(what string) byte {
	if r.off >= len(r.b) {
		r.fail(what)
		return 0
	}
	c := r.b[r.off]
	r.off++
	r.n++
	return c
}

// fixed reads a big-endian number of 1, 2, 4 or 8 bytes.
func (r *reader) fixed(n int, what string) uint64 {
	if n > r.left() {
		r.fail(what)
		return 0
	}
	b := r.b[r.off:]
	r.off += n
	switch n {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(b))
	case 4:
		return uint64(binary.BigEndian.Uint32(b))
	default:
		return binary.BigEndian.Uint64(b)
	}
}

// null reads a nil if there is one.
func (r *reader) null() bool {
	if r.off >= len(r.b) || r.b[r.off] != codeNil {
		return false
	}
	r.off++
	r.n++
	return true
}

func (r *reader) uint(what string) uint64 {
	c := r.code(what)
	switch c {
	case codeUint8:
		return r.fixed(1, what)
	case codeUint16:
		return r.fixed(2, what)
	case codeUint32:
		return r.fixed(4, what)
	case codeUint64:
		return r.fixed(8, what)
	}
	if c > maxFixInt {
		r.fail(what)
		return 0
	}
	return uint64(c)
}

// upTo reads a number that is at most limit.
func (r *reader) upTo(limit uint64, what string) uint64 {
	v := r.uint(what)
	if v > limit {
		r.fail(what)
		return 0
	}
	return v
}

func (r *reader) int(what string) int64 {
	c := r.code(what)
	switch c {
	case codeInt8:
		return int64(int8(r.fixed(1, what)))
	case codeInt16:
		return int64(int16(r.fixed(2, what)))
	case codeInt32:
		return int64(int32(r.fixed(4, what)))
	case codeInt64:
		return int64(r.fixed(8, what))
	}
	if c >= codeNegative {
		return int64(int8(c))
	}
	if r.err != nil {
		return 0
	}
	r.off--
	r.n--
	return int64(r.upTo(math.MaxInt64, what))
}

// rate reads a float64 that is finite and not negative.
func (r *reader) rate(what string) float64 {
	if r.code(what) != codeFloat64 {
		r.fail(what)
		return 0
	}
	v := math.Float64frombits(r.fixed(8, what))
	if !(v >= 0 && v <= math.MaxFloat64) {
		r.fail(what)
		return 0
	}
	return v
}

func (r *reader) bool(what string) bool {
	switch r.code(what) {
	case codeTrue:
		return true
	case codeFalse:
	default:
		r.fail(what)
	}
	return false
}

// bin reads raw bytes as a part of the input; empty is nil.
func (r *reader) bin(what string) []byte {
	n := uint64(0)
	switch r.code(what) {
	case codeBin8:
		n = r.fixed(1, what)
	case codeBin16:
		n = r.fixed(2, what)
	case codeBin32:
		n = r.fixed(4, what)
	default:
		r.fail(what)
	}
	return r.take(n, what)
}

// name reads a string of at most engine.MaxName bytes, as a part of the input.
func (r *reader) name(what string) []byte {
	n := uint64(0)
	switch c := r.code(what); {
	case c&^maxFixStr == codeFixStr:
		n = uint64(c & maxFixStr)
	case c == codeStr8:
		n = r.fixed(1, what)
	case c == codeStr16:
		n = r.fixed(2, what)
	case c == codeStr32:
		n = r.fixed(4, what)
	default:
		r.fail(what)
	}
	if n > engine.MaxName {
		r.fail(what)
		n = 0
	}
	return r.take(n, what)
}

func (r *reader) take(n uint64, what string) []byte {
	if n > uint64(r.left()) {
		r.fail(what)
		return nil
	}
	if n == 0 {
		return nil
	}
	from, to := r.off, r.off+int(n)
	r.off = to
	return r.b[from:to:to]
}

func (r *reader) hash(what string) engine.Hash {
	b := r.bin(what)
	if len(b) != 16 {
		r.fail(what)
		return engine.Hash{}
	}
	return engine.Hash{Hi: binary.BigEndian.Uint64(b), Lo: binary.BigEndian.Uint64(b[8:])}
}

// replica reads a reference, and the definition if it follows.
func (r *reader) replica() clock.Replica {
	i := r.upTo(uint64(len(r.replicas)), "reference to a replica")
	if i > 0 {
		return r.replicas[i-1]
	}
	replica := clock.Replica{
		Node:  string(r.name("node")),
		Epoch: r.epoch + uint64(r.int("epoch")),
	}
	r.replicas = append(r.replicas, replica)
	return replica
}

// space reads a reference, and the name if it follows.
func (r *reader) space() string {
	i := r.upTo(uint64(len(r.spaces)), "reference to a space")
	if i > 0 {
		return r.spaces[i-1]
	}
	space := string(r.name("space"))
	r.spaces = append(r.spaces, space)
	return space
}
