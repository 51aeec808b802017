package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tests := []struct {
		name string
		args []string
		want string // the last line
	}{
		{"go.sum", []string{"-n", "3", "-for", "2s"}, `^converged: 3 nodes, [1-9]\d+ keys, \d+ ms after the last write$`},
		{"a file", []string{"-n", "2", "-rate", "1000", "-input", write(t, "a b c d\n\nlonely\na x\n a  b\tlater \n")},
			`^converged: 2 nodes, 3 keys, \d+ ms after the last write$`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(ctx, tt.args, &stdout, &stderr)
			lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
			last := lines[len(lines)-1]
			if code != 0 || stderr.Len() > 0 || !regexp.MustCompile(tt.want).MatchString(last) {
				t.Fatalf("cluster %q = %d, want 0 and %s; it wrote\n%s%s", tt.args, code, tt.want, &stdout, &stderr)
			}
			if !strings.Contains(stdout.String(), "crashes") || !strings.Contains(stdout.String(), "is back") {
				t.Errorf("no node was stopped and brought back:\n%s", &stdout)
			}
			t.Log(last)
		})
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	// The interrupt comes with the header, when everything runs.
	stdout := writerFunc(func(p []byte) (int, error) {
		if bytes.Contains(p, []byte("keys")) {
			cancel()
		}
		return len(p), nil
	})
	var stderr bytes.Buffer
	if code := run(ctx, []string{"-n", "2", "-for", "1h"}, stdout, &stderr); code != 130 || stderr.String() != "cluster: interrupted\n" {
		t.Errorf("interrupted: %d %q", code, stderr.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestBadFlags(t *testing.T) {
	for _, args := range [][]string{
		{"-nonsense"}, {"more"}, {"-n", "1"}, {"-n", "1000"}, {"-n", "x"}, {"-for", "0s"}, {"-for", "10"},
		{"-rate", "-1"}, {"-rate", "NaN"}, {"-input", "no such file"}, {"-input", write(t, "\n \n")}, {"-input", t.TempDir()},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), args, &stdout, &stderr)
		if code != 2 || stdout.Len() > 0 || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("cluster %q = %d, stdout %q, stderr %q; want 2 and one line", args, code, &stdout, &stderr)
		}
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-help"}, &stdout, &stderr); code != 0 || !strings.Contains(stdout.String(), "-rate") {
		t.Errorf("cluster -help = %d %q %q", code, &stdout, &stderr)
	}
}

func TestQuantile(t *testing.T) {
	h := histogram{bounds: []float64{0.01, 0.1, 1}, counts: []float64{50, 90, 100}}
	for q, want := range map[float64]string{0.25: "5ms", 0.5: "10ms", 0.9: "100ms", 0.95: "550ms"} {
		if got := h.quantile(q); got != want {
			t.Errorf("quantile(%v) = %s, want %s", q, got, want)
		}
	}
	if got := h.minus(h).quantile(0.5); got != "-" {
		t.Errorf("quantile of nothing = %s", got)
	}
}
