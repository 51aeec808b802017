package model_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// shown is all that a map shows, in each way that it has.
func shown(t *testing.T, m *model.Map[string]) string {
	t.Helper()
	var all []string
	for key, value := range m.All() {
		all = append(all, key+"="+value)
		if v, ok := m.Get(key); !ok || v != value {
			t.Errorf("All has %s=%s, Get %q, %v", key, value, v, ok)
		}
	}
	if m.Len() != len(all) {
		t.Errorf("Len is %d, All has %v", m.Len(), all)
	}
	return strings.Join(all, " ")
}

// A timeline of one map; times are milliseconds after its first write.
func TestMapExpiry(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	var m model.Map[string]
	h := attach(&m)
	ttl := func(key string, ms int) {
		t.Helper()
		if err := m.SetTTL(ctx, key, "ttl", time.Duration(ms)*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		name string
		do   func()
		want string
	}{
		{"set", func() { ttl("a", 10); ttl("b", 20); ttl("c", 30); _ = m.Set(ctx, "d", "v") }, "a=ttl b=ttl c=ttl d=v"},
		{"too early", func() { h.expire(9) }, "a=ttl b=ttl c=ttl d=v"},
		{"one", func() { h.expire(11) }, "b=ttl c=ttl d=v"},
		{"prefix", func() {
			for key := range m.Prefix("a") {
				t.Errorf("Prefix has %q", key)
			}
		}, "b=ttl c=ttl d=v"},
		{"deleted before it is due, and one that does not expire any more", func() { _ = m.Delete(ctx, "b"); _ = m.Set(ctx, "c", "v") }, "c=v d=v"},
		{"nothing is left to expire", func() { h.expire(1000) }, "c=v d=v"},
		{"older than what has expired", func() { h.receive(update("0", 1, 1, "a", "old")) }, "c=v d=v"},
		{"a delete of what has expired writes nothing", func() {
			before := len(h.log)
			if err := m.Delete(ctx, "a"); err != nil || len(h.log) != before {
				t.Errorf("%v, %d updates", err, len(h.log)-before)
			}
		}, "c=v d=v"},
		{"set again", func() { ttl("a", 2000) }, "a=ttl c=v d=v"},
		{"an update finds it, and does not expire", func() {
			_ = m.Update(ctx, "a", func(old string, ok bool) string { return fmt.Sprint(old, "+") })
			h.expire(3000)
		}, "a=ttl+ c=v d=v"},
	} {
		step.do()
		if got := shown(t, &m); got != step.want {
			t.Fatalf("%s: shows %q, want %q", step.name, got, step.want)
		}
	}
}

func TestMapExpiryTimes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	var m model.Map[string]
	if err := m.SetTTL(ctx, "k", "v", time.Second); !errors.Is(err, model.ErrDetached) {
		t.Errorf("detached: %v", err)
	}
	h := attach(&m)
	for _, ttl := range []time.Duration{0, -1} {
		if err := m.SetTTL(ctx, "k", "v", ttl); err == nil || !strings.Contains(err.Error(), "TTL") || len(h.log) > 0 {
			t.Errorf("TTL %v: %v", ttl, err)
		}
	}
	_ = m.SetTTL(ctx, "k", "v", 90*time.Second)
	u := h.log[0]
	v, at, ok := m.GetWithExpiry("k")
	if v != "v" || !ok || !at.Equal(u.Time.Time().Add(90*time.Second)) {
		t.Errorf("written at %v: %q, %v, until %v", u.Time, v, ok, at)
	}
	_ = m.SetTTL(ctx, "l", "v", 1)
	if u := h.log[1]; u.Expires != u.Time+1<<16 { // in the same millisecond as k
		t.Errorf("a nanosecond: from %v to %v, want a millisecond", u.Time, u.Expires)
	} else if _, at, _ := m.GetWithExpiry("l"); !at.Equal(u.Time.Time().Add(2 * time.Millisecond)) {
		t.Errorf("expires at %v, said to be %v", u.Expires, at)
	}
	_ = m.Set(ctx, "k", "v")
	if _, at, ok := m.GetWithExpiry("k"); !ok || !at.IsZero() {
		t.Errorf("without a TTL: %v, until %v", ok, at)
	}
	if v, at, ok := m.GetWithExpiry("absent"); v != "" || !at.IsZero() || ok {
		t.Errorf("absent: %q, until %v, %v", v, at, ok)
	}
}

// A watch shows what it has shown going once, and nothing of what it has not.
func TestWatchExpiry(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	var m model.Map[string]
	h := attach(&m)
	ttl := func(key string, ms int) {
		_ = m.SetTTL(ctx, key, "ttl", time.Duration(ms)*time.Millisecond)
	}
	ttl("a", 10)
	ttl("gone", 5)
	h.expire(7)
	steps := []func(){
		func() { h.expire(20) },
		func() { ttl("b", 100); h.expire(200); ttl("c", 300) }, // b came and went unseen
		func() { _ = m.Set(ctx, "c", "stays"); h.expire(500) },
		func() { ttl("a", 600); ttl("d", 600) },
		func() { h.expire(700); _ = m.Set(ctx, "a", "new") },
	}
	var got []string
	for c := range m.Watch(ctx, model.WatchConfig{State: true}) {
		got = append(got, line(c))
		if c.Deleted && c.Time != 0 {
			t.Errorf("%s has expired, and was written at %v", c.Key, c.Time)
		}
		for !c.More && len(steps) > 0 {
			steps[0]()
			steps = steps[1:]
			break
		}
	}
	want := []string{"a: → ttl", "a: ttl →", "c: → ttl", "c: ttl → stays", "a: → ttl,", "d: → ttl", "d: ttl →,", "a: ttl → new"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("shows\n%q, want\n%q", got, want)
	}
}
