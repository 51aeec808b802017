package main

import (
	"math"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	table := text{title: "Title", head: []string{"order", "what", "ours"}, words: 1}
	table.add("depth", "steady", "1,234")
	table.add("", "τ", "–")
	var b strings.Builder
	table.write(&b)
	want := `Title
order  what     ours
─────  ──────  ─────
depth  steady  1,234
       τ           –

`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
}

func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		v        float64
		decimals int
		want     string
	}{
		{0, 0, "0"}, {12, 0, "12"}, {999.5, 0, "1,000"}, {1234567.891, 2, "1,234,567.89"}, {-0.001, 2, "0.00"},
		{-1234.5, 1, "−1,234.5"}, {math.NaN(), 2, "–"}, {math.Inf(1), 2, "∞"},
	} {
		if got := fixed(tt.v, tt.decimals); got != tt.want {
			t.Errorf("fixed(%v, %d) = %q, want %q", tt.v, tt.decimals, got, tt.want)
		}
	}
	for _, tt := range []struct {
		ours, published float64
		want            string
	}{{110, 100, "+10 %"}, {100, 100, "+0 %"}, {85, 100, "−15 %"}, {1, 2, "−50 %"}} {
		if got := percent(tt.ours, tt.published); got != tt.want {
			t.Errorf("percent(%v, %v) = %q, want %q", tt.ours, tt.published, got, tt.want)
		}
	}
	if got := quantity(math.NaN(), 0, " s"); got != "–" {
		t.Errorf("quantity of nothing = %q", got)
	}
}

func TestReport(t *testing.T) {
	for _, tt := range []struct {
		target target
		want   string
	}{
		{atMost("a", 1.5, 1.5, 1, " s"), "pass   a: 1.5 s, want at most 1.5 s"},
		{atMost("a", 1.6, 1.5, 1, " s"), "short  a: 1.6 s, want at most 1.5 s"},
		{atLeast("b", 0.98, 0.98, 2, ""), "pass   b: 0.98, want at least 0.98"},
		{atLeast("b", 0.97, 0.98, 2, ""), "short  b: 0.97, want at least 0.98"},
		{from("c", 126, 120, 126, 0, " s"), "pass   c: 126 s, want 120 to 126 s"},
		{from("c", 119, 120, 126, 0, " s"), "short  c: 119 s, want 120 to 126 s"},
		{from("c", math.NaN(), 120, 126, 0, " s"), "short  c: – s, want 120 to 126 s"},
		{near("d", 2530, 2200, 0.15, 0, ""), "pass   d: 2,530, want 1,870 to 2,530"},
		{near("d", 1800, 2200, 0.15, 0, ""), "short  d: 1,800, want 1,870 to 2,530"},
	} {
		var b strings.Builder
		report(&b, []target{tt.target})
		met := "0 of 1 targets met\n"
		if strings.HasPrefix(tt.want, "pass") {
			met = "1 of 1 targets met\n"
		}
		if got := b.String(); got != tt.want+"\n"+met {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
