package model

import "encoding/binary"

// reader reads what models of this package put into keys and values. From the first
// thing that is cut off on it reads nothing but zeros, and its bytes are nil.
type reader struct{ bytes []byte }

func (r *reader) uint() uint64 {
	n, size := binary.Uvarint(r.bytes)
	if size <= 0 {
		r.bytes = nil
		return 0
	}
	r.bytes = r.bytes[size:]
	return n
}

// string reads what appendString wrote.
func (r *reader) string() string { return string(r.take()) }

func (r *reader) take() []byte {
	n := r.uint()
	if n > uint64(len(r.bytes)) {
		r.bytes = nil
		return nil
	}
	s := r.bytes[:n]
	r.bytes = r.bytes[n:]
	return s
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
