package main

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every subcommand, as small as it gets: each system has its result, with all fields,
// and what was measured makes sense.
func TestContests(t *testing.T) {
	all := []string{"scuttlebutt", "memberlist", "memberlist-tuned"}
	for _, tt := range []struct {
		args     string
		systems  []string
		measured []string // fields that are no null in any result
	}{
		{"limit -n 2000", []string{"scuttlebutt", "scuttlebutt", "machine", "machine", "machine", "machine"}, []string{"seconds", "rate", "bytes"}},
		{"catchup -n 200 -nodes 3 -runs 2", slices.Concat([]string{"machine"}, all, []string{"machine"}, all), []string{"seconds", "rate", "bytes", "heap_bytes"}},
		{"latency -n 10 -nodes 2 -rate 100 -duration 300ms", all, []string{"asked_rate", "rate", "seconds", "p50_ms", "p99_ms", "bytes"}},
		{"idle -n 10 -nodes 2 -duration 200ms", all, []string{"seconds", "bytes", "payload_bytes"}},
	} {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), append(strings.Fields(tt.args), "-json"), &stdout, &stderr); code != 0 {
				t.Fatalf("bench %s = %d\n%s", tt.args, code, &stderr)
			}
			var got []string
			for line := range strings.Lines(stdout.String()) {
				var r map[string]any
				if err := json.Unmarshal([]byte(line), &r); err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				for _, field := range []string{"case", "system", "nodes", "n", "rate", "seconds", "p50_ms", "p99_ms", "bytes", "cpu_s", "converged"} {
					if _, ok := r[field]; !ok {
						t.Errorf("no %q in %s", field, line)
					}
				}
				for _, field := range tt.measured {
					if v, ok := r[field].(float64); !ok || v < 0 {
						t.Errorf("%s is %v, in %s", field, r[field], line)
					}
				}
				// memberlist's broadcasts may get lost.
				if r["converged"] != true && (r["system"] == "scuttlebutt" || r["case"] == "catchup") {
					t.Errorf("not converged: %s", line)
				}
				got = append(got, r["system"].(string))
			}
			if !slices.Equal(got, tt.systems) {
				t.Errorf("systems %q, want %q", got, tt.systems)
			}
		})
	}
}

// The search doubles, halves and narrows; what it returns converged and is the most
// that did.
func TestMaxrateSearch(t *testing.T) {
	for _, tt := range []struct {
		name        string
		start, most float64 // more than most does not converge
		admitted    float64 // writers get no more than this
		p99         time.Duration
		want        float64
	}{
		{"up", 1000, 9000, math.Inf(1), 0, 9000},
		{"down", 1000, 100, math.Inf(1), 0, 93.75},
		{"held back", 1000, math.Inf(1), 5000, 0, 5000},
		{"never", 1000, 0, math.Inf(1), 0, 0},
		{"soon enough", 1000, 9000, math.Inf(1), 3 * time.Millisecond, 3000},
	} {
		o := contestOptions{nodes: 2, rate: tt.start, p99: tt.p99, progress: t.Output()}
		tries := 0
		got, err := o.search(t.Context(), 10, "x", func(rate float64) (result, error) {
			tries++
			r := newResult("", "x", 0, 2, 10)
			r.Asked, r.Rate = number(rate), number(min(rate, tt.admitted))
			r.P99 = r.Rate / 1000
			r.Converged = rate <= tt.most
			return r, nil
		})
		if err != nil || float64(got.Rate) != tt.want || got.Converged != (tt.want > 0) || tries > 12 {
			t.Errorf("%s: %v writes/s, converged %t, after %d tries, %v; want %v", tt.name, got.Rate, got.Converged, tries, err, tt.want)
		}
	}
}

// A sampler's times are those after which the write was visible on the last node, and
// what is not visible counts with its age.
func TestSampler(t *testing.T) {
	f := fleet{new(fakeNode), new(fakeNode), new(fakeNode)}
	show := func(node, seq int) {
		c := f[node].(*fakeNode)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.value = recordValue(seq)
	}
	s := startSampler(f)
	begin := time.Now()
	show(0, 1)
	s.add(0, "k", 1, begin)
	s.add(1, "k", 9, begin) // nowhere else, ever
	show(1, 2)              // a later write shows that the earlier one is known

	time.Sleep(20*time.Millisecond - time.Since(begin)) // what is measured is at least this while: until then one node does not show it
	show(2, 1)
	if err := await(t.Context(), time.Minute, func() bool {
		c := f[2].(*fakeNode)
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.shown
	}); err != nil {
		t.Fatal(err)
	}
	got := s.end()
	if len(got) != 2 || got[0] < 20 || got[1] < got[0] {
		t.Errorf("%v ms, want one of 20 ms or a little more, and a longer one", got)
	}
}

// Every node has one in so many of its writes followed, and not at the same moments as others.
func TestFollowed(t *testing.T) {
	f := fleet{new(fakeNode), new(fakeNode), new(fakeNode), new(fakeNode)}
	l := newWorkload(f, 10, 40_000)
	var s sampler // that follows nothing: what it is told stays
	for slices.Min(l.wrote) < 3*l.sample {
		if _, err := l.run(t.Context(), 10*time.Millisecond, &s); err != nil {
			t.Fatal(err)
		}
	}
	turns := map[int]int{} // writer by turn
	for _, w := range s.fresh {
		turn := w.seq % l.sample
		if other, ok := turns[turn]; ok && other != w.writer {
			t.Errorf("writes %d, %d, … of nodes %d and %d are followed", turn, turn+l.sample, other, w.writer)
		}
		turns[turn] = w.writer
	}
	if len(turns) != len(f) || len(s.fresh) < l.total()/l.sample-len(f) {
		t.Errorf("of %d writes %d are followed, in %d turns, want one in %d, and %d", l.total(), len(s.fresh), len(turns), l.sample, len(f))
	}
}

func TestRecords(t *testing.T) {
	for _, seq := range []int{1, 127, 128, 1_000_000_000} {
		if v := recordValue(seq); len(v) != valueBytes || seqOf(v) != seq {
			t.Errorf("write %d: %d bytes of number %d", seq, len(v), seqOf(v))
		}
	}
	if n := seqOf(nil); n != 0 {
		t.Errorf("no value is of write %d", n)
	}
	if a, b := recordKey(3, 4), recordKey(4, 3); len(a) != keyBytes || len(b) != keyBytes || a == b {
		t.Errorf("keys %q and %q", a, b)
	}
}

// Of two writes of a key the later one stays, in whatever order they come, and both
// encodings bring back what went in.
func TestLWW(t *testing.T) {
	for _, code := range []coding{rawCoding{}, packCoding{}} {
		l := &lww{table: map[string]entry{}}
		for _, e := range []entry{{[]byte("b"), 2}, {[]byte("a"), 1}, {[]byte("c"), 2}, {[]byte("b"), 2}} {
			key, back, rest, err := code.decode(code.encode("k", e))
			if err != nil || key != "k" || len(rest) > 0 || back.Time != e.Time || !bytes.Equal(back.Value, e.Value) {
				t.Fatalf("%T: %v came back as %q %v, %v", code, e, key, back, err)
			}
			l.merge(key, back)
		}
		if v, _ := l.get("k"); string(v) != "c" {
			t.Errorf("%q stays, want c", v)
		}
		whole := map[string]entry{}
		if err := code.decodeAll(code.encodeAll(l.table), func(k string, e entry) { whole[k] = e }); err != nil || string(whole["k"].Value) != "c" {
			t.Errorf("%T: the whole map came back as %v, %v", code, whole, err)
		}
	}
}
