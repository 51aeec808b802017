package wire

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for k := engine.Syn; k <= engine.Graft; k++ {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			checkRoundTrip(t, k)
		})
	}
}

func checkRoundTrip(t *testing.T, k engine.Kind) {
	c := New("test")
	rapid.Check(t, func(t *rapid.T) {
		m := gen{t: t}.message(k)
		b := c.Encode(m)
		if len(b) != c.Size(m) {
			t.Fatalf("Size = %d, encoded to %d bytes", c.Size(m), len(b))
		}
		got, err := c.Decode(b)
		if err != nil {
			t.Fatalf("Decode(%x): %v", b, err)
		}
		if !reflect.DeepEqual(got, m) {
			t.Fatalf("decoded\n%+v\nwant\n%+v", got, m)
		}
		if again := c.Append([]byte("x"), got); !bytes.Equal(again[1:], b) {
			t.Fatalf("encoded again\n%x\nwant\n%x", again[1:], b)
		}
	})
}

// A field that is added to engine.Message must be in a sample, and then be
// carried.
func TestEveryFieldIsCarried(t *testing.T) {
	t.Parallel()
	c := New("test")
	seen := map[string]bool{}
	for _, m := range samples() {
		got, err := c.Decode(c.Encode(m))
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%v: decoded\n%+v, %v, want\n%+v", m.Kind, got, err, m)
		}
		note(seen, reflect.ValueOf(m))
	}
	for field, used := range seen {
		if !used {
			t.Errorf("no sample sets %s", field)
		}
	}
}

// note records for each field of each struct in v whether it is ever set.
func note(seen map[string]bool, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			note(seen, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			note(seen, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().String() + "." + v.Type().Field(i).Name
			if name == "engine.Batch.owned" {
				continue // it says something of the memory
			}
			seen[name] = seen[name] || !v.Field(i).IsZero()
			note(seen, v.Field(i))
		}
	}
}

// Every prefix of a message is refused, and so are bytes behind it.
func TestTruncatedAndTrailing(t *testing.T) {
	t.Parallel()
	c := New("test")
	rapid.Check(t, func(t *rapid.T) {
		b := c.Encode(gen{t: t}.anyMessage())
		n := rapid.IntRange(0, len(b)-1).Draw(t, "prefix")
		if _, err := c.Decode(b[:n:n]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("first %d of %d bytes %x: %v", n, len(b), b, err)
		}
		if _, err := c.Decode(append(b, 0xc0)); !errors.Is(err, ErrMalformed) {
			t.Fatalf("trailing byte after %x: %v", b, err)
		}
	})
}

// The whole message is msgpack to a reader that knows nothing of it.
func TestStandardMsgpack(t *testing.T) {
	t.Parallel()
	c := New("test")
	rapid.Check(t, func(t *rapid.T) {
		m := gen{t: t}.anyMessage()
		b := c.Encode(m)
		r := bytes.NewReader(b)
		v, err := msgpack.NewDecoder(r).DecodeInterface()
		if err != nil {
			t.Fatalf("msgpack: %v: %x", err, b)
		}
		fields, ok := v.([]any)
		if !ok || len(fields) != messageFields || r.Len() != 0 {
			t.Fatalf("read %d fields, %d bytes left of %x", len(fields), r.Len(), b)
		}
		head := fmt.Sprint(fields[:4])
		if want := fmt.Sprint([]any{Version, "test", uint8(m.Kind), m.From.Node}); head != want {
			t.Fatalf("first fields %v, want %v", head, want)
		}
		if got := len(fields[len(fields)-1].([]any)); got != len(m.Batches) {
			t.Fatalf("%d batches, want %d", got, len(m.Batches))
		}
		for i, b := range m.Batches {
			batch := fields[len(fields)-1].([]any)[i].([]any)
			if n := len(b.Updates); n > 0 && !bytes.Equal(batch[len(batch)-1].([]byte), b.Updates[n-1].Value) {
				t.Fatalf("last element of batch %d is %x, want %x", i, batch[len(batch)-1], b.Updates[n-1].Value)
			}
		}
	})
}

func TestDecodeAliasesInput(t *testing.T) {
	t.Parallel()
	c := New("test")
	b := c.Encode(bulk(1, 10, burst))
	m, err := c.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	u := m.Batches[0].Updates[0]
	if &u.Value[9] != &b[len(b)-1] || cap(u.Value) != 10 {
		t.Error("value does not refer to exactly its part of the input")
	}
}

func TestEmptyIsNil(t *testing.T) {
	t.Parallel()
	c := New("")
	m := &engine.Message{Kind: engine.Push, Digest: engine.Digest{Full: true, Entries: []engine.DigestEntry{}},
		Exceptions: []clock.Entry{}, Hashes: []engine.SpaceHash{}, Reports: []engine.Report{}, Retired: []engine.Retirement{},
		Batches: []engine.Batch{{Through: 1, Updates: []*model.Update{{Dot: clock.Dot{Version: 1}, Key: []byte{}, Deps: clock.NewDots([]clock.Dot{})}}}},
	}
	want := &engine.Message{Kind: engine.Push, Digest: engine.Digest{Full: true},
		Batches: []engine.Batch{{Through: 1, Updates: []*model.Update{{Dot: clock.Dot{Version: 1}}}}},
	}
	got, err := c.Decode(c.Encode(m))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("decoded %+v, %v, want %+v", got, err, want)
	}
}

// An empty message costs one byte for every empty field.
func TestEmptyFieldsCostOneByte(t *testing.T) {
	t.Parallel()
	if n := New("").Size(&engine.Message{Kind: engine.Syn}); n != 3+messageFields {
		t.Errorf("empty message takes %d bytes, want %d", n, 3+messageFields)
	}
}

func TestVersionAndCluster(t *testing.T) {
	t.Parallel()
	m := &engine.Message{Kind: engine.Syn}
	b := New("red").Encode(m)
	for _, tt := range []struct {
		name string
		b    []byte
		want error
	}{
		{"other cluster", New("blue").Encode(m), ErrCluster},
		{"other version", bytes.Replace(b, []byte{Version}, []byte{Version + 1}, 1), ErrVersion},
		{"other version, other length", []byte{0x92, Version + 6, 0xc0}, ErrVersion},
		{"too few fields", []byte{0x92, Version, 0xa3, 'r', 'e', 'd'}, ErrMalformed},
		{"nothing", nil, ErrMalformed},
		{"no array", []byte("hello"), ErrMalformed},
	} {
		got, err := New("red").Decode(tt.b)
		if !errors.Is(err, tt.want) || got != nil {
			t.Errorf("%s: Decode(%x) = %v, %v, want %v", tt.name, tt.b, got, err, tt.want)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "wire: ") {
			t.Errorf("%s: error %q does not name the package", tt.name, err)
		}
	}
}

func TestEncodePanics(t *testing.T) {
	t.Parallel()
	up := func(node string, v clock.Version) *model.Update {
		return &model.Update{Dot: clock.Dot{Replica: clock.Replica{Node: node}, Version: v}}
	}
	for name, b := range map[string]engine.Batch{
		"span":          {Through: engine.MaxSpan + 1},
		"negative span": {From: 2, Through: 1},
		"count":         {Through: 1 << 20, Updates: make([]*model.Update, engine.MaxBatch+1)},
		"replica":       {Through: 9, Updates: []*model.Update{up("x", 1)}},
		"order":         {Through: 9, Updates: []*model.Update{up("", 2), up("", 2)}},
		"from":          {From: 3, Through: 9, Updates: []*model.Update{up("", 3)}},
		"through":       {Through: 9, Updates: []*model.Update{up("", 10)}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("Encode did not panic")
				}
			}()
			New("").Append(nil, &engine.Message{Kind: engine.Push, Batches: []engine.Batch{b}})
		})
	}
}
