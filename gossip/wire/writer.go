package wire

import (
	"encoding/binary"
	"math"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// writer encodes one message, or only measures it: the same walk does both, so
// that a size cannot differ from the encoding.
type writer struct {
	b       []byte
	size    int  // bytes so far, when measuring
	measure bool // nothing is written to b
	n       int  // elements so far of the innermost array

	replicas replicas
	spaces   table[string]
	hlc      clock.Timestamp // base of the first update of each run
	run      run
}

// run is what an update is written relative to: the update before it.
type run struct {
	space   string // carries on from run to run
	version clock.Version
	time    clock.Timestamp
	back    bool // the next time is before, not after: it is the run's first
}

// level is an array that is being written.
type level struct {
	at    int // of its header
	width int // of its header
	outer int // elements of the array around it, this one included
}

// begin starts an array of at most limit elements; it counts as one element of
// the array around it. The width of its header depends on limit alone.
func (w *writer) begin(limit int) level {
	l := level{at: len(w.b), width: arraySize(limit), outer: w.n + 1}
	if w.measure {
		w.size += l.width
	} else {
		w.b = append(w.b, make([]byte, l.width)...)
	}
	w.n = 0
	return l
}

// end closes the array that begin started.
func (w *writer) end(l level) {
	if !w.measure {
		putArray(w.b[l.at:l.at+l.width], w.n)
	}
	w.n = l.outer
}

func (w *writer) uint(v uint64) {
	w.n++
	if w.measure {
		w.size += uintSize(v)
	} else {
		w.b = appendUint(w.b, v)
	}
}

// uint32 takes 5 bytes whatever v is.
func (w *writer) uint32(v uint32) {
	w.n++
	if w.measure {
		w.size += 5
	} else {
		w.b = appendUint32(w.b, v)
	}
}

func (w *writer) int(v int64) {
	w.n++
	if w.measure {
		w.size += intSize(v)
	} else {
		w.b = appendInt(w.b, v)
	}
}

func (w *writer) float(v float64) {
	w.n++
	if w.measure {
		w.size += maxUint
	} else {
		w.b = binary.BigEndian.AppendUint64(append(w.b, codeFloat64), math.Float64bits(v))
	}
}

func (w *writer) null() { w.code(codeNil) }

func (w *writer) bool(v bool) {
	if v {
		w.code(codeTrue)
	} else {
		w.code(codeFalse)
	}
}

func (w *writer) code(c byte) {
	w.n++
	if w.measure {
		w.size++
	} else {
		w.b = append(w.b, c)
	}
}

func (w *writer) str(s string) {
	w.n++
	if w.measure {
		w.size += strSize(len(s))
	} else {
		w.b = appendStr(w.b, s)
	}
}

func (w *writer) bin(v []byte) {
	w.n++
	if w.measure {
		w.size += binSize(len(v))
	} else {
		w.b = appendBin(w.b, v)
	}
}

func (w *writer) hash(h engine.Hash) {
	v := h.Bytes()
	w.bin(v[:])
}

// replica writes a reference, after 0 the definition: 1 or 3 elements.
func (w *writer) replica(r clock.Replica) {
	if i := w.replicas.ref(r); i > 0 {
		w.uint(uint64(i))
		return
	}
	w.define(r)
}

// define writes a replica that was not written before. Epochs are relative to
// the sender's.
func (w *writer) define(r clock.Replica) {
	w.uint(0)
	w.str(r.Node)
	w.int(int64(r.Epoch - w.replicas.self.Epoch))
}

// space writes a reference, after 0 the name: 1 or 2 elements.
func (w *writer) space(s string) {
	i := w.spaces.ref(s)
	w.uint(uint64(i))
	if i == 0 {
		w.str(s)
	}
}
