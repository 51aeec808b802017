package model

import (
	"context"
	"errors"
	"iter"
)

// Codec encodes the values of a typed handle. It must be safe for concurrent use.
type Codec[V any] interface {
	// Append appends v's encoding to b.
	Append(b []byte, v V) ([]byte, error)
	// Decode returns the value; it neither keeps nor changes b.
	Decode(b []byte) (V, error)
}

// Map is a replicated map from strings to values: of concurrent writes to one
// key the one with the larger (timestamp, replica) wins. The zero value is ready
// to be attached:
//
//	var colours model.Map[string]
//	err := node.Attach("colours", &colours)
//
// Methods are safe for concurrent use.
type Map[V any] struct {
	// Codec encodes values. Nil: []byte and string are stored as they are,
	// everything else as msgpack. Set it before attaching.
	Codec Codec[V]
}

// Set gives key a value.
func (m *Map[V]) Set(ctx context.Context, key string, value V) error { return errors.ErrUnsupported }

// Get returns the value of key.
func (m *Map[V]) Get(key string) (V, bool) { panic("TODO") }

// Delete removes key.
func (m *Map[V]) Delete(ctx context.Context, key string) error { return errors.ErrUnsupported }

// Len returns the number of keys.
func (m *Map[V]) Len() int { panic("TODO") }

// All iterates over all keys in order.
func (m *Map[V]) All() iter.Seq2[string, V] { panic("TODO") }

// Prefix iterates over the keys that begin with prefix, in order.
func (m *Map[V]) Prefix(prefix string) iter.Seq2[string, V] { panic("TODO") }
