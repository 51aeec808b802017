package main

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

func TestThrottleTargets(t *testing.T) {
	even := [][]float64{{9, 9}, {9, 9}, {9, 9}, {9, 9}, {9, 9}, {9, 9}}
	uneven := [][]float64{{9, 9}, {9, 9}, {9, 9}, {9, 9}, {9, 0}, {9, 1}}
	flat, grows := []float64{9, 9, 1, 1, 1.1, 1.2}, []float64{0, 1, 2, 3, 4, 5}
	for _, tt := range []struct {
		name          string
		with, without throttled
		want          [3]bool
	}{
		{"as hoped", throttled{even, flat}, throttled{even, grows}, [3]bool{true, true, true}},
		{"it grows all the same", throttled{even, grows}, throttled{even, grows}, [3]bool{false, true, true}},
		{"unfair", throttled{uneven, flat}, throttled{even, grows}, [3]bool{true, false, true}},
		{"no overload", throttled{even, flat}, throttled{even, flat}, [3]bool{true, true, false}},
	} {
		for i, target := range throttleTargets(&tt.with, &tt.without) {
			if target.met != tt.want[i] {
				t.Errorf("%s: %s: %s, want %s: %t, want %t", tt.name, target.what, target.ours, target.want, target.met, tt.want[i])
			}
		}
	}
}

// The law of DESIGN §6: twice the budget is twice the capacity, and half as many
// other nodes, too.
func TestThrottleCapacity(t *testing.T) {
	parse := func(args string) throttleOptions {
		o, err := parseThrottle(strings.Fields(args), t.Output())
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	base := parse("-nodes 9 -budget 8000 -interval 500ms")
	size := float64(base.updateSize())
	if want := 2 * 8000 / size / (8 * 0.5); math.Abs(base.capacity()-want) > 1e-9 || size < 64 || size > 128 {
		t.Errorf("capacity %v with %v bytes per update, want %v", base.capacity(), size, want)
	}
	if base.rate != overload*base.capacity() {
		t.Errorf("rate %v, want %d times %v", base.rate, overload, base.capacity())
	}
	for _, args := range []string{"-nodes 9 -budget 16000 -interval 500ms", "-nodes 5 -budget 8000 -interval 500ms", "-nodes 9 -budget 8000 -interval 250ms"} {
		if got := parse(args).capacity(); math.Abs(got-2*base.capacity()) > 1e-9 {
			t.Errorf("%s: capacity %v, want %v", args, got, 2*base.capacity())
		}
	}
	if got := parse("-rate 7").rate; got != 7 {
		t.Errorf("rate %v, want 7", got)
	}
	if one := parse("-budget 1"); one.capacity() <= 0 {
		t.Errorf("with a tiny budget: capacity %v", one.capacity())
	}
}

// A small cluster on real sockets: what is printed is complete. How well it does
// takes longer to find out.
func TestThrottle(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), strings.Fields("throttle -nodes 3 -duration 3s -interval 50ms -rate 100"), &stdout, &stderr)
	if code != 0 || stderr.Len() > 0 {
		t.Fatalf("throttle = %d, stderr %s\n%s", code, &stderr, &stdout)
	}
	lines, heads := 0, 0
	for line := range strings.Lines(stdout.String()) {
		f := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, throttleHead):
			heads++
		case len(f) == 9 && (f[0] == "1" || f[0] == "2" || f[0] == "3"):
			lines++
			if f[1] == "0.0" {
				t.Errorf("nobody wrote in second %s", f[0])
			}
		}
	}
	if heads != 2 || lines != 6 || strings.Count(stdout.String(), "want at") != 2 {
		t.Errorf("%d tables with %d lines, want 2 with 6, and the targets:\n%s", heads, lines, &stdout)
	}
	t.Logf("\n%s", &stdout)
}
