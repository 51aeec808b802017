package model_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// line shows a change: "k: old → new", with a comma when more follows.
func line[V any](c model.MapChange[V]) string {
	s := c.Key + ":"
	if c.Existed {
		s += fmt.Sprintf(" %v", c.Old)
	}
	s += " →"
	if !c.Deleted {
		s += fmt.Sprintf(" %v", c.Value)
	}
	if c.More {
		s += ","
	}
	return s
}

// A timeline: each step happens in the body of the watch, once everything
// before was shown.
func TestWatchTimeline(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		cfg    model.WatchConfig
		before string
		steps  []string // writes: "k=v" sets, "k" deletes
		want   []string
	}{
		{name: "state in order, then changes", cfg: model.WatchConfig{State: true}, before: "b=1 a=1 c=1 c",
			steps: []string{"a=2", "b", "c=2"},
			want:  []string{"a: → 1, b: → 1", "a: 1 → 2", "b: 1 →", "c: → 2"}},
		{name: "no state", before: "a=1 b=1", steps: []string{"a=2", "a", "a=3"},
			want: []string{"x: → 0", "a: 1 → 2", "a: 2 →", "a: → 3"}},
		{name: "only the last of each key, in the place of that", steps: []string{"a=1 b=1 a=2 c=1", "a=3 c b=2 c=2 a=4"},
			want: []string{"x: → 0", "b: → 1, a: → 2, c: → 1", "b: 1 → 2, c: 1 → 2, a: 2 → 4"}},
		{name: "gone again", steps: []string{"a=1 b=1 a", "b=2 b", "c=1 c", "d=1"},
			want: []string{"x: → 0", "b: → 1", "b: 1 →", "d: → 1"}},
		{name: "deleted and back", steps: []string{"a=1", "a a=2", "a a=3 a"},
			want: []string{"x: → 0", "a: → 1", "a: 1 → 2", "a: 2 →"}},
		{name: "prefix", cfg: model.WatchConfig{Prefix: "a", State: true}, before: "b=1 ab=1 a=1",
			steps: []string{"b=2 aa=1 c=1", "ab c", "b"}, want: []string{"a: → 1, ab: → 1", "aa: → 1", "ab: 1 →"}},
		{name: "same value", cfg: model.WatchConfig{State: true}, before: "a=1", steps: []string{"a=1"}, want: []string{"a: → 1", "a: 1 → 1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var m model.Map[string]
			h := attach(&m)
			write := func(steps string) {
				for _, s := range strings.Fields(steps) {
					if key, value, ok := strings.Cut(s, "="); ok {
						_ = m.Set(t.Context(), key, value)
					} else {
						_ = m.Delete(t.Context(), key)
					}
				}
			}
			write(tt.before)
			if !tt.cfg.State { // something must begin
				h.first = func() { write("x=0") }
			}
			var got, moment []string
			steps := tt.steps
			for c := range m.Watch(t.Context(), tt.cfg) {
				moment = append(moment, line(c))
				if c.More {
					continue
				}
				got, moment = append(got, strings.Join(moment, " ")), nil
				for idle := h.watches[0].Len(); len(steps) > 0 && h.watches[0].Len() == idle; {
					write(steps[0])
					steps = steps[1:]
				}
			}
			if !slices.Equal(got, tt.want) || len(moment) > 0 || len(h.watches) > 0 {
				t.Errorf("got %q and %q, want %q; %d watches left", got, moment, tt.want, len(h.watches))
			}
		})
	}
}

func TestWatchSaysWhoAndWhen(t *testing.T) {
	t.Parallel()
	var m model.Map[string]
	h := attach(&m)
	set, del := update("b", 7, 10, "k", "v"), update("c", 3, 20, "k", "")
	h.receive(set)
	for c := range m.Watch(t.Context(), model.WatchConfig{State: true}) {
		want := set
		if c.Deleted {
			want = del
		}
		if c.Replica != want.Replica || c.Time != want.Time || c.Deleted != want.IsTombstone() {
			t.Errorf("%+v, want replica and time of %+v", c, want)
		}
		if !c.Deleted {
			h.receive(del)
		}
	}
}

// What a repair removes is a delete that nobody wrote.
func TestWatchShowsWhatWasRemoved(t *testing.T) {
	t.Parallel()
	var m model.Map[string]
	h := attach(&m)
	first, second := update("b", 1, 10, "k", "1"), update("b", 2, 20, "k", "2")
	h.receive(first)
	var got []string
	for c := range m.Watch(t.Context(), model.WatchConfig{State: true}) {
		got = append(got, line(c))
		switch len(got) {
		case 1:
			h.remove(first)
		case 2:
			if c.Replica != (clock.Replica{}) || c.Time != 0 {
				t.Errorf("a removal has a writer: %+v", c)
			}
			h.receive(second)
			h.remove(second) // never shown
			h.receive(first)
		case 3:
			h.remove(first)
			h.receive(second)
		}
	}
	if want := []string{"k: → 1", "k: 1 →", "k: → 1", "k: 1 → 2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Values that do not decode are absent, in a watch as everywhere.
func TestWatchUndecodable(t *testing.T) {
	t.Parallel()
	var m model.Map[int]
	h := attach(&m)
	good := string([]byte{7}) // msgpack
	receive := func(version clock.Version, key, value string) {
		h.receive(update("b", version, clock.Timestamp(version), key, value))
	}
	receive(1, "a", good)
	receive(2, "b", "bad")
	receive(3, "c", "bad")
	var got []string
	for c := range m.Watch(t.Context(), model.WatchConfig{State: true}) {
		got = append(got, line(c))
		switch len(got) {
		case 1:
			receive(4, "b", good)
			receive(5, "a", "bad")
			receive(6, "c", "")
		case 3:
			receive(7, "a", "")
			receive(8, "a", good)
		}
	}
	if want := []string{"a: → 7", "b: → 7,", "a: 7 →", "a: → 7"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWatchEnds(t *testing.T) {
	t.Parallel()
	var m model.Map[string]
	for range m.Watch(t.Context(), model.WatchConfig{State: true}) {
		t.Error("a detached map has changes")
	}
	h := attach(&m)
	for i := range 10 {
		_ = m.Set(t.Context(), fmt.Sprint(i), "v")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for range m.Watch(ctx, model.WatchConfig{State: true}) {
		if n++; n == 3 {
			cancel()
		}
	}
	if n != 3 {
		t.Errorf("%d changes, want none after the context was done in the third", n)
	}
	for range m.Watch(t.Context(), model.WatchConfig{State: true}) {
		break
	}
	if len(h.watches) != 0 {
		t.Errorf("%d watches are left", len(h.watches))
	}
}

// What a watch keeps depends on the keys that it has shown and those there are,
// not on the number of writes.
func TestWatchIsBounded(t *testing.T) {
	t.Parallel()
	var m model.Map[string]
	h := attach(&m)
	ctx := t.Context()
	write := func(keys, rounds int) {
		for range rounds {
			for i := range keys {
				_ = m.Set(ctx, fmt.Sprint("often", i), "v")
			}
		}
		for i := range 500 {
			_ = m.Set(ctx, fmt.Sprint("gone", i), "v")
			_ = m.Delete(ctx, fmt.Sprint("gone", i))
		}
	}
	write(10, 1)
	n := 0
	for range m.Watch(ctx, model.WatchConfig{State: true}) {
		if n++; n == 5 {
			write(10, 500)
			w := h.watches[0]
			if got, want := w.Len(), 10+10; got != want {
				t.Errorf("the watch keeps %d entries, want %d", got, want)
			}
			if got := model.Room(w); got > 2048 {
				t.Errorf("the watch has room for %d entries after 6,000 writes to 10 keys", got)
			}
		}
	}
	if n != 20 {
		t.Errorf("%d changes, want 20: the state, and each key once more", n)
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	var m model.Map[any]
	h := attach(&m)
	ctx := t.Context()
	next := func(old any, ok bool) any {
		n, _ := old.(int8)
		if ok != (n > 0) {
			t.Errorf("old value %v, %v", old, ok)
		}
		return n + 1
	}
	for range 3 {
		if err := m.Update(ctx, "k", next); err != nil {
			t.Fatal(err)
		}
	}
	written := len(h.log)
	if err := m.Update(ctx, "k", func(any, bool) any { return func() {} }); err == nil || !strings.Contains(err.Error(), `"k"`) {
		t.Errorf("Update to a func: %v, want an error that names the key", err)
	}
	if v, ok := m.Get("k"); v != int8(3) || !ok || len(h.log) != written {
		t.Errorf("Get = %v, %v after %d writes, want 3 after 3", v, ok, len(h.log))
	}
	_ = m.Delete(ctx, "k")
	if err := m.Update(ctx, "k", next); err != nil {
		t.Fatal(err)
	}
	h.receive(update("z", 1, clock.TimestampOf(h.hlc.Last().Time())+1000, "k", "\xc1"))
	if err := m.Update(ctx, "k", next); err != nil { // does not decode: absent
		t.Fatal(err)
	}
	h.err = errors.New("full")
	if err := m.Update(ctx, "k", func(old any, ok bool) any { return old }); !errors.Is(err, h.err) {
		t.Errorf("Update: %v, want the host's error", err)
	}
	if err := new(model.Map[any]).Update(ctx, "k", next); !errors.Is(err, model.ErrDetached) {
		t.Errorf("Update: %v, want ErrDetached", err)
	}
}

func TestTrySet(t *testing.T) {
	t.Parallel()
	var m model.Map[int]
	if err := m.TrySet(t.Context(), "k", 1); !errors.Is(err, model.ErrDetached) {
		t.Errorf("TrySet: %v, want ErrDetached", err)
	}
	h := attach(&m)
	for _, tt := range []struct {
		set  func(context.Context, string, int) error
		wait bool
	}{{m.TrySet, false}, {m.Set, true}} {
		if err := tt.set(t.Context(), "k", 1); err != nil || h.waits != tt.wait {
			t.Errorf("error %v, wait %v, want %v", err, h.waits, tt.wait)
		}
	}
	if !maps.Equal(maps.Collect(m.All()), map[string]int{"k": 1}) {
		t.Error("nothing was set")
	}
}
