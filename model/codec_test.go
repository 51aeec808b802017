package model_test

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

type order struct {
	ID    int64
	Lines map[string]int
	Paid  *bool
	At    time.Time
}

func TestDefaultCodec(t *testing.T) {
	t.Parallel()
	yes := true
	roundTrip(t, []byte{0, 1, 255})
	roundTrip(t, []byte{})
	roundTrip(t, "héllo")
	roundTrip(t, "")
	roundTrip(t, int8(-3))
	roundTrip(t, 1.5)
	roundTrip(t, true)
	roundTrip(t, []string{"a", ""})
	roundTrip(t, struct{}{})
	roundTrip(t, order{ID: 7, Lines: map[string]int{"a": 1}, Paid: &yes})
	roundTrip(t, &order{ID: 7})
	roundTrip(t, time.Minute)
	for nano := range 64 { // the first byte of an extension's data is any
		roundTrip(t, time.Unix(1_700_000_000, int64(nano)<<24))
		roundTrip(t, map[string]time.Time{"t": time.Unix(1_700_000_000, int64(nano)<<24)})
	}
}

// Where a map is expected, data of an extension that are none are refused: they could
// announce any size.
func TestExtensionsAreNoMaps(t *testing.T) {
	t.Parallel()
	const (
		vast = "\xd7\x30\x8ed\x00\xdd\xdd\xdd\xdd\xdd" // a map of an array of 3.7 billion
		deep = "\xc7\x0d\x05\x81\xa1a" + vast
	)
	refused[map[string]any](t, vast)
	refused[map[string]map[string]any](t, "\x81\xa1a"+vast)
	refused[[]map[any]any](t, "\x91"+vast)
	refused[order](t, "\x81\xa5Lines"+vast)
	refused[map[string]map[string]any](t, deep)
}

func refused[V any](t *testing.T, stored string) {
	t.Helper()
	var m model.Map[V]
	attach(&m).receive(update("b", 1, 1, "k", stored))
	if v, ok := m.Get("k"); ok {
		t.Errorf("%x is %v", stored, v)
	}
}

func roundTrip[V any](t *testing.T, v V) {
	t.Helper()
	var m model.Map[V]
	attach(&m)
	if err := m.Set(t.Context(), "k", v); err != nil {
		t.Errorf("Set(%#v): %v", v, err)
		return
	}
	got, ok := m.Get("k")
	if !ok || !reflect.DeepEqual(got, v) {
		t.Errorf("Get = %#v, %v, want %#v", got, ok, v)
	}
}

func TestBytesAndStringsAreStoredAsTheyAre(t *testing.T) {
	t.Parallel()
	var s model.Map[string]
	var b model.Map[[]byte]
	hs, hb := attach(&s), attach(&b)
	value := []byte("plain")
	_ = s.Set(t.Context(), "k", string(value))
	_ = b.Set(t.Context(), "k", value)
	for _, h := range []*host{hs, hb} {
		if got := string(h.log[0].Value); got != "plain" {
			t.Errorf("stored %q, want %q", got, "plain")
		}
	}
	value[0] = 'X'
	got, _ := b.Get("k")
	if string(got) != "plain" {
		t.Errorf("Set kept the caller's slice: %q", got)
	}
	got[0] = 'X'
	if again, _ := b.Get("k"); string(again) != "plain" {
		t.Errorf("Get gave away the stored bytes: %q", again)
	}
}

func TestEqualMapsEncodeEqually(t *testing.T) {
	t.Parallel()
	var m model.Map[map[string]string]
	h := attach(&m)
	v := map[string]string{}
	for _, k := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"} {
		v[k] = k
	}
	for range 20 {
		_ = m.Set(t.Context(), "k", maps.Clone(v))
	}
	for _, u := range h.log {
		if string(u.Value) != string(h.log[0].Value) {
			t.Fatalf("stored %x and %x", u.Value, h.log[0].Value)
		}
	}
}

// What another program wrote may not decode here: the key reads as absent, the
// others are unharmed, and nothing panics.
func TestUndecodableValues(t *testing.T) {
	t.Parallel()
	var m model.Map[int]
	h := attach(&m)
	_ = m.Set(t.Context(), "good", 1)
	for i, bad := range []string{"\xc1", "\xa3abc", "text", "\x01\x02", "\xdd\xff\xff\xff\xff"} {
		h.receive(update("b", 1, 1<<60, string(rune('A'+i)), bad))
	}
	if v, ok := m.Get("A"); ok || v != 0 {
		t.Errorf("Get = %v, %v, want 0, false", v, ok)
	}
	if got := maps.Collect(m.All()); !maps.Equal(got, map[string]int{"good": 1}) {
		t.Errorf("All = %v, want the good one", got)
	}
	if m.Len() != 6 {
		t.Errorf("Len = %d, want 6", m.Len())
	}

	var keys model.Map[map[any]any]
	attach(&keys).receive(update("b", 1, 1, "k", "\x81\x90\x01")) // an array as a key
	if v, ok := keys.Get("k"); ok {
		t.Errorf("Get = %v, want none", v)
	}
}

type jsonCodec struct{}

func (jsonCodec) Append(b []byte, v order) ([]byte, error) {
	if v.ID < 0 {
		return nil, errNegative
	}
	j, err := json.Marshal(v)
	return append(b, j...), err
}

func (jsonCodec) Decode(b []byte) (v order, err error) { return v, json.Unmarshal(b, &v) }

var errNegative = errors.New("negative")

func TestOwnCodec(t *testing.T) {
	t.Parallel()
	m := model.Map[order]{Codec: jsonCodec{}}
	h := attach(&m)
	if err := m.Set(t.Context(), "k", order{ID: -1}); !errors.Is(err, errNegative) {
		t.Errorf("Set: %v, want the codec's error", err)
	}
	_ = m.Set(t.Context(), "k", order{ID: 3})
	if v, ok := m.Get("k"); !ok || v.ID != 3 || h.log[0].Value[0] != '{' {
		t.Errorf("Get = %v, %v, stored %q", v, ok, h.log[0].Value)
	}
}

// All forms of msgpack pass the check, none passes when it is cut short or
// followed by something.
func TestEveryFormOfMsgpack(t *testing.T) {
	t.Parallel()
	values := []any{
		nil, true, false, int8(-1), int16(-300), int32(-70000), int64(-1 << 40),
		uint8(200), uint16(300), uint32(70000), uint64(1 << 40), float32(1), 2.5,
		strings.Repeat("s", 20), strings.Repeat("s", 40), strings.Repeat("s", 300), strings.Repeat("s", 70000),
		make([]byte, 3), make([]byte, 300), make([]byte, 70000),
		[]any{1, "two"}, make([]any, 300), msgpack.RawMessage("\xdd\x00\x00\x00\x02\x01\x02"), // array 32
		map[string]any{"a": []any{1}}, bigMap(300), msgpack.RawMessage("\xdf\x00\x00\x00\x01\xa1a\x01"), // map 32
		time.Unix(1, 0), time.Unix(1, 5), time.Unix(1<<40, 5),
	}
	for i, v := range values {
		b, err := msgpack.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var m model.Map[any]
		h := attach(&m)
		for j, stored := range [][]byte{b, b[:len(b)-1], append(slices.Clone(b), 0)} {
			u := update("b", clock.Version(j+1), clock.Timestamp(j+1), "k", string(stored))
			u.Kind = 0
			h.receive(u)
			if _, ok := m.Get("k"); ok != (j == 0) {
				t.Errorf("value %d, variant %d: decoded is %v", i, j, ok)
			}
		}
	}
	for _, ext := range []string{"\xd4\x05a", "\xd5\x05ab", "\xd6\x05abcd", "\xd7\x05abcdefgh", "\xd8\x050123456789abcdef", "\xc7\x01\x05a"} {
		var m model.Map[msgpack.RawMessage]
		attach(&m).receive(update("b", 1, 1, "k", ext))
		if v, ok := m.Get("k"); !ok || string(v) != ext {
			t.Errorf("extension %x: %x, %v", ext, v, ok)
		}
	}
	var m model.Map[any]
	attach(&m).receive(update("b", 1, 1, "k", strings.Repeat("\x91", 1<<20)))
	if _, ok := m.Get("k"); ok {
		t.Error("a million nested arrays decoded")
	}
}

func bigMap(n int) map[string]any {
	m := make(map[string]any, n)
	for i := range n {
		m[strconv.Itoa(i)] = i
	}
	return m
}

func FuzzDefaultCodec(f *testing.F) {
	f.Add([]byte("\x81\xa2ID\x07"))
	f.Add([]byte("\xdf\xff\xff\xff\xff"))
	f.Add([]byte("\xd70\x8ed\x00\xdd\xdd\xdd\xdd\xdd")) // an extension where a map is expected
	f.Add([]byte("\x91\x81\xa1a\xd70\x8ed\x00\xdd\xdd\xdd\xdd\xdd"))
	f.Fuzz(func(t *testing.T, value []byte) {
		var a model.Map[order]
		var b model.Map[any]
		var c model.Map[map[any]any]
		var d model.Map[[]map[string]map[string]any]
		u := update("b", 1, 1, "k", string(value))
		u.Kind = 0
		attach(&a).receive(u)
		attach(&b).receive(u)
		attach(&c).receive(u)
		attach(&d).receive(u)
		a.Get("k")
		b.Get("k")
		c.Get("k")
		d.Get("k")
	})
}
