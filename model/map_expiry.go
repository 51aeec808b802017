package model

import (
	"context"
	"fmt"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

var _ Expirer = (*Map[int])(nil)

// SetTTL is [Map.Set] for a value that expires: ttl after the time of the write, to
// the next millisecond, the key has no value any more, on every node at once as far
// as their clocks agree. A ttl that is not above zero is an error.
//
// A value that has expired beats older writes as it did before: one that arrives
// late, from a node that was cut off, say, does not show. Any later write gives the
// key a value again; one by Set or Update does not expire.
func (m *Map[V]) SetTTL(ctx context.Context, key string, value V, ttl time.Duration) error {
	if ttl <= 0 {
		return fmt.Errorf("model: TTL of %v, must be above zero", ttl)
	}
	return m.set(ctx, true, key, value, ttl)
}

// GetWithExpiry is [Map.Get], and returns when the value expires, the zero time if
// it does not.
func (m *Map[V]) GetWithExpiry(key string) (value V, expires time.Time, ok bool) {
	u := m.lookup(key)
	if value, ok = m.value(u); ok && u.Expires != 0 {
		expires = u.Expires.Reached()
	}
	return value, expires, ok
}

// Expire implements [Expirer].
func (m *Map[V]) Expire(u *Update) {
	m.past = u.Expires
	m.live--
}

// shows reports whether there is an update, and it gives its key a value now.
func (m *Map[V]) shows(u *Update) bool { return isLive(u) && !u.expired(m.past) }

// expired reports whether the update expires at a time or before it.
func (u *Update) expired(at clock.Timestamp) bool { return u.Expires != 0 && u.Expires <= at }
