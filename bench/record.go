package main

import (
	"encoding/binary"
	"math/rand/v2"
)

// Every record has a key and a value of these sizes, in every system.
const (
	keyBytes   = 20
	valueBytes = 100
)

// recordKey is a node's i-th key: "n00-0000000000000000".
func recordKey(node, i int) string {
	b := [keyBytes]byte([]byte("n00-0000000000000000"))
	digits(b[1:3], node)
	digits(b[4:], i)
	return string(b[:])
}

// digits puts the last digits of a number at the end of b: formatting would take as long as
// a write.
func digits(b []byte, n int) {
	for i := len(b) - 1; i >= 0 && n > 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// filler is what values are made of: random bytes, which no compression makes
// smaller and no system has seen before.
var filler = func() []byte {
	b := make([]byte, 64<<10)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(b) // never fails
	return b
}()

// recordValue is the value of a node's write number seq, from 1: it begins with that
// number, so that a look at it tells which write is visible.
func recordValue(seq int) []byte {
	v := make([]byte, valueBytes)
	fillValue(v, seq)
	return v
}

// fillValue makes v that value.
func fillValue(v []byte, seq int) {
	n := binary.PutUvarint(v, uint64(seq))
	copy(v[n:], filler[seq*valueBytes%(len(filler)-valueBytes):])
}

// seqOf is the number of the write that left a value, 0 for no value.
func seqOf(value []byte) int {
	seq, n := binary.Uvarint(value)
	if n <= 0 || len(value) != valueBytes {
		return 0
	}
	return int(seq)
}
