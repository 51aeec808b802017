package model

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"
)

// Codec encodes the values of a typed handle. It must be safe for concurrent use.
type Codec[V any] interface {
	// Append appends v's encoding to b.
	Append(b []byte, v V) ([]byte, error)
	// Decode returns the value; it neither keeps nor changes b.
	Decode(b []byte) (V, error)
}

// defaultCodec stores []byte and string as they are and everything else as
// msgpack. What it decodes never changes: it is of updates.
func defaultCodec[V any]() Codec[V] {
	for _, c := range []any{bytesCodec{}, stringCodec{}} {
		if c, ok := c.(Codec[V]); ok {
			return c
		}
	}
	return msgpackCodec[V]{}
}

// aliaser is a Codec whose encoding of a value is the value's own bytes.
type aliaser[V any] interface {
	// alias returns v's bytes without copying them.
	alias(v V) []byte
}

type bytesCodec struct{}

func (bytesCodec) alias(v []byte) []byte { return v }

func (bytesCodec) Append(b []byte, v []byte) ([]byte, error) { return append(b, v...), nil }

func (bytesCodec) Decode(b []byte) ([]byte, error) { return append([]byte{}, b...), nil }

type stringCodec struct{}

func (stringCodec) alias(v string) []byte { return bytesOf(v) }

func (stringCodec) Append(b []byte, v string) ([]byte, error) { return append(b, v...), nil }

// Decode copies nothing.
func (stringCodec) Decode(b []byte) (string, error) { return aliasOf(b), nil }

type msgpackCodec[V any] struct{}

var errMalformed = errors.New("msgpack: malformed value")

// Append sorts the keys of maps, so that equal values have equal bytes.
func (msgpackCodec[V]) Append(b []byte, v V) ([]byte, error) {
	w := bytes.NewBuffer(b)
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(w)
	enc.SetSortMapKeys(true)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return w.Bytes(), nil
}

// Decode reads integers itself: what msgpack needs for one takes longer than all else that
// a read does.
func (c msgpackCodec[V]) Decode(b []byte) (V, error) {
	var v V
	if decodeInteger(b, &v) {
		return v, nil
	}
	return c.decode(b)
}

// decode turns a panic into an error: the bytes come from the network, and a
// decoder of a user's type, or an unhashable key of a map[any]any, can panic.
func (msgpackCodec[V]) decode(b []byte) (v V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("msgpack: %v", p)
		}
	}()
	err = unmarshal(b, &v)
	return v, err
}
