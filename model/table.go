package model

import (
	"iter"
	"reflect"
)

// table is a map from strings that gives memory back: a Go map keeps room for all that it
// ever held. When three quarters are gone the entries move to a new map, a few with each
// change, so that no change takes long. The zero value is empty. Like a map, it may be
// read by many while nobody changes it.
type table[V any] struct {
	entries map[string]V
	most    int // how many entries had, at most

	// What is still to move; no key is in both. Nil while nothing moves.
	rest map[string]V
	next *reflect.MapIter // over rest: it goes on where it was, whatever is removed meanwhile
}

const (
	// tableLeast is how many entries a table never gives back.
	tableLeast = 64
	// tableStep is how many entries move with a change. So a move is over before three
	// quarters of what moves can be gone in turn.
	tableStep = 4
)

func (t *table[V]) len() int { return len(t.entries) + len(t.rest) }

// get returns the value of a key, the zero value if there is none.
func (t *table[V]) get(key string) V {
	v, _ := t.find(key)
	return v
}

// find returns the value of a key, and whether there is one.
func (t *table[V]) find(key string) (V, bool) {
	v, ok := t.entries[key]
	if !ok && t.rest != nil {
		v, ok = t.rest[key]
	}
	return v, ok
}

// set gives a key a value. If the key is there already the old key may stay.
func (t *table[V]) set(key string, v V) {
	if t.entries == nil {
		t.entries = make(map[string]V)
	}
	t.entries[key] = v
	t.most = max(t.most, len(t.entries))
	if t.rest != nil {
		delete(t.rest, key)
		t.move()
	}
}

// remove takes a key away, if it is there.
func (t *table[V]) remove(key string) {
	delete(t.entries, key)
	switch {
	case t.rest != nil:
		delete(t.rest, key)
		t.move()
	case t.most > tableLeast && len(t.entries) < t.most/4:
		t.rest, t.entries, t.most = t.entries, make(map[string]V), 0
		t.next = reflect.ValueOf(t.rest).MapRange() // order: all of them move
	}
}

// move moves some of what is left to move.
func (t *table[V]) move() {
	for range tableStep {
		if len(t.rest) == 0 {
			t.rest, t.next = nil, nil
			return
		}
		t.next.Next() // there is one: each entry that is not removed comes once
		key := t.next.Key().String()
		t.entries[key] = t.rest[key]
		delete(t.rest, key)
	}
	t.most = max(t.most, len(t.entries))
}

// all iterates over all keys and values, in no order. The table must not change meanwhile.
func (t *table[V]) all() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, some := range [...]map[string]V{t.entries, t.rest} {
			for key, v := range some { // order: whoever reads them sorts them
				if !yield(key, v) {
					return
				}
			}
		}
	}
}
