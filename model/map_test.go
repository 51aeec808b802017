package model_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

func update(node string, v clock.Version, t clock.Timestamp, key, value string) *model.Update {
	u := &model.Update{
		Dot: clock.Dot{Replica: clock.Replica{Node: node, Epoch: 1}, Version: v}, Time: t,
		Key: []byte(key), Value: []byte(value),
	}
	if value == "" {
		u.Kind = model.Tombstone
	}
	return u
}

func TestMapDetached(t *testing.T) {
	t.Parallel()
	var m model.Map[int]
	ctx := t.Context()
	if err := m.Set(ctx, "k", 1); !errors.Is(err, model.ErrDetached) {
		t.Errorf("Set: %v, want ErrDetached", err)
	}
	if err := m.Delete(ctx, "k"); !errors.Is(err, model.ErrDetached) {
		t.Errorf("Delete: %v, want ErrDetached", err)
	}
	if v, ok := m.Get("k"); v != 0 || ok {
		t.Errorf("Get = %v, %v, want 0, false", v, ok)
	}
	if m.Len() != 0 || len(maps.Collect(m.All())) != 0 {
		t.Error("a detached map is not empty")
	}
	attach(&m)
	if err := m.Bind(&host{}); err == nil {
		t.Error("second Bind succeeded")
	}
}

func TestMapReadsAndWrites(t *testing.T) {
	t.Parallel()
	var m model.Map[int]
	h := attach(&m)
	ctx := t.Context()
	for _, key := range []string{"", "b", "a", "ab", "é"} {
		if err := m.Set(ctx, key, len(key)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Delete(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	before := len(h.log)
	for _, absent := range []string{"b", "never"} {
		if err := m.Delete(ctx, absent); err != nil {
			t.Fatal(err)
		}
	}
	if len(h.log) != before {
		t.Errorf("deleting absent keys wrote %d updates, want none", len(h.log)-before)
	}
	var got []string
	for key, v := range m.All() {
		got = append(got, fmt.Sprintf("%s=%d", key, v))
	}
	if want := "=0 a=1 ab=2 é=2"; strings.Join(got, " ") != want {
		t.Errorf("All = %q, want %q", got, want)
	}
	if m.Len() != 4 {
		t.Errorf("Len = %d, want 4", m.Len())
	}
	if got := maps.Collect(m.Prefix("a")); !maps.Equal(got, map[string]int{"a": 1, "ab": 2}) {
		t.Errorf("Prefix(a) = %v", got)
	}
	for range m.All() {
		break
	}
}

func TestMapWriteErrors(t *testing.T) {
	t.Parallel()
	var m model.Map[any]
	h := attach(&m)
	if err := m.Set(t.Context(), "k", func() {}); err == nil || !strings.Contains(err.Error(), `"k"`) {
		t.Errorf("Set of a func: %v, want an error that names the key", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Set(ctx, "k", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Set: %v, want the context's error", err)
	}
	h.err = errors.New("full")
	if err := m.Set(t.Context(), "k", 1); !errors.Is(err, h.err) {
		t.Errorf("Set: %v, want the host's error", err)
	}
	if m.Len() != 0 {
		t.Errorf("failed writes left %d keys", m.Len())
	}
}

// The body of a loop may write: the loop shows the keys as they were.
func TestMapWriteInLoop(t *testing.T) {
	t.Parallel()
	var m model.Map[string]
	attach(&m)
	ctx := t.Context()
	for i := range 10 {
		_ = m.Set(ctx, fmt.Sprint(i), "v")
	}
	n := 0
	for key := range m.All() {
		n++
		_ = m.Delete(ctx, key)
		_ = m.Set(ctx, "new"+key, "v")
	}
	if n != 10 || m.Len() != 10 || len(maps.Collect(m.Prefix("new"))) != 10 {
		t.Errorf("saw %d keys, %d left, want 10, 10", n, m.Len())
	}
}

func TestMapConflicts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		a, b  *model.Update
		wins  *model.Update // nil: neither
		value string
	}{
		{name: "later time", a: update("z", 1, 10, "k", "old"), b: update("a", 1, 11, "k", "new"), value: "new"},
		{name: "same time, larger node", a: update("b", 1, 10, "k", "b"), b: update("a", 1, 10, "k", "a"), value: "b"},
		{name: "same time and replica", a: update("a", 1, 10, "k", "1"), b: update("a", 2, 10, "k", "2"), value: "2"},
		{name: "delete is later", a: update("a", 1, 10, "k", "1"), b: update("b", 1, 11, "k", "")},
		{name: "delete is earlier", a: update("a", 1, 10, "k", "1"), b: update("b", 1, 9, "k", ""), value: "1"},
	}
	for _, tt := range tests {
		for _, order := range [][]*model.Update{{tt.a, tt.b}, {tt.b, tt.a}, {tt.b, tt.a, tt.a, tt.b}} {
			var m model.Map[string]
			h := attach(&m)
			for _, u := range order {
				h.receive(u)
			}
			if v, ok := m.Get("k"); v != tt.value || ok != (tt.value != "") {
				t.Errorf("%s: Get = %q, %v, want %q", tt.name, v, ok, tt.value)
			}
		}
		if m := new(model.Map[string]); m.Supersedes(tt.a, tt.b) == m.Supersedes(tt.b, tt.a) {
			t.Errorf("%s: Supersedes is the same both ways", tt.name)
		}
	}
	var m model.Map[string]
	if m.Supersedes(update("a", 2, 2, "k", "v"), update("a", 1, 1, "l", "v")) {
		t.Error("an update supersedes one of another key")
	}
}

func TestMapEffects(t *testing.T) {
	t.Parallel()
	var m model.Map[string]
	first, second := update("a", 1, 10, "k", "1"), update("b", 1, 20, "k", "")
	if e := m.Apply(first); e.Redundant || len(e.Superseded) != 0 {
		t.Errorf("first: %+v", e)
	}
	if e := m.Apply(first); e.Redundant || len(e.Superseded) != 0 {
		t.Errorf("first again: %+v", e)
	}
	if e := m.Apply(second); e.Redundant || len(e.Superseded) != 1 || e.Superseded[0] != first {
		t.Errorf("second: %+v", e)
	}
	if e := m.Apply(first); !e.Redundant || len(e.Superseded) != 0 {
		t.Errorf("first after second: %+v", e)
	}
	attach(&m)
	m.Discard(first) // is not retained
	if m.Apply(first); m.Len() != 0 {
		t.Error("removing a superseded update removed the one that is retained")
	}
	m.Discard(second)
	if m.Apply(first); m.Len() != 1 {
		t.Error("a removed tombstone still hides an older update")
	}
}

func TestMapApplyDoesNotAllocate(t *testing.T) {
	var m model.Map[string]
	m.Apply(update("a", 1, 1, "k", "v"))
	updates := make([]*model.Update, 0, 300)
	for i := range 300 {
		updates = append(updates, update("a", clock.Version(i+2), clock.Timestamp(i+2), "k", "v"))
	}
	i := 0
	if n := testing.AllocsPerRun(200, func() { m.Apply(updates[i]); i++ }); n > 0 {
		t.Errorf("Apply of an overwrite: %v allocations, want none", n)
	}
}

func TestMapConcurrently(t *testing.T) {
	t.Parallel()
	var m model.Map[int]
	attach(&m)
	ctx := t.Context()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				key := fmt.Sprint(i % 17)
				switch (i + g) % 4 {
				case 0:
					_ = m.Set(ctx, key, i)
				case 1:
					_ = m.Delete(ctx, key)
				case 2:
					m.Get(key)
				default:
					for range m.All() {
						m.Len()
					}
				}
			}
		})
	}
	wg.Wait()
}

// Find gives the update that a write would take the place of, a tombstone, too.
func TestMapFind(t *testing.T) {
	t.Parallel()
	var m model.Map[string]
	if u := m.Find([]byte("k")); u != nil {
		t.Errorf("an empty map has %+v", u)
	}
	first, gone := update("a", 1, 1, "k", "v"), update("a", 2, 2, "k", "")
	for _, u := range []*model.Update{first, gone} {
		m.Apply(u)
		if got := m.Find([]byte("k")); got != u {
			t.Errorf("found %+v, want %+v", got, u)
		}
	}
	m.Discard(gone)
	if u := m.Find([]byte("k")); u != nil {
		t.Errorf("found %+v, which was removed", u)
	}
}

// A key that has a value all the time is found all the time, and never with an older value
// than before, while other keys come and go and their entries are moved.
func TestMapGetWhileOthersComeAndGo(t *testing.T) {
	t.Parallel()
	const (
		steady = 50
		others = 3000
		tides  = 3
	)
	var m model.Map[int]
	n := attach(&m)
	name := func(i int) string { return fmt.Sprint("steady", i%steady) }
	for i := range steady {
		if err := m.Set(ctx, name(i), 0); err != nil {
			t.Fatal(err)
		}
	}
	var stop atomic.Bool
	var reader sync.WaitGroup
	reader.Go(func() {
		var last [steady]int
		for i := 0; !stop.Load(); i++ {
			v, ok := m.Get(name(i))
			if !ok || v < last[i%steady] {
				t.Errorf("get %q: got %d, %v; it was %d before", name(i), v, ok, last[i%steady])
				return
			}
			last[i%steady] = v
		}
	})
	for tide := range tides {
		for i := range others {
			if err := errors.Join(m.Set(ctx, fmt.Sprint(i), i), m.Set(ctx, name(i), tide*others+i)); err != nil {
				t.Error(err)
			}
		}
		for i := range others {
			if err := m.Delete(ctx, fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
			n.mu.Lock()
			m.Discard(m.Find([]byte(fmt.Sprint(i))))
			n.mu.Unlock()
		}
	}
	stop.Store(true)
	reader.Wait()
	if m.Len() != steady {
		t.Errorf("%d keys are left, want %d", m.Len(), steady)
	}
}

// counting is a host that counts how often it is asked for its lock.
type counting struct {
	*host
	locks int
}

func (c *counting) RLock() int { c.locks++; return c.host.RLock() }

// Get takes the lock to be sure: of what is not there, or may just have expired.
func TestMapGetLocks(t *testing.T) {
	t.Parallel()
	var m model.Map[int]
	n := &counting{host: newHost(&m)}
	if err := m.Bind(n); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		m.Set(ctx, "plain", 1), m.Set(ctx, "deleted", 1), m.Delete(ctx, "deleted"), m.SetTTL(ctx, "expires", 1, time.Hour),
	); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		key   string
		ok    bool
		locks int
	}{{"plain", true, 0}, {"deleted", false, 0}, {"absent", false, 1}, {"expires", true, 1}} {
		n.locks = 0
		if _, ok := m.Get(tt.key); ok != tt.ok || n.locks != tt.locks {
			t.Errorf("get %q: %v with %d locks, want %v with %d", tt.key, ok, n.locks, tt.ok, tt.locks)
		}
	}
}

// What Find has found may be gone, and its place another key's, before the key is written.
func TestMapFindBeforeDiscard(t *testing.T) {
	t.Parallel()
	var m model.Map[string]
	n := attach(&m)
	n.receive(update("b", 1, 1, "gone", ""))
	n.receive(update("b", 2, 2, "stays", "x"))
	u := m.Find([]byte("gone"))
	if u == nil {
		t.Fatal("a tombstone is not found")
	}
	m.Discard(u)
	n.receive(update("b", 3, 3, "gone", "y"))
	for key, want := range map[string]string{"gone": "y", "stays": "x"} {
		if got, ok := m.Get(key); !ok || got != want {
			t.Errorf("get %q: got %q, %v, want %q", key, got, ok, want)
		}
	}
}
