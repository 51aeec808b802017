package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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
	t.Parallel()
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
		{"over and over", []string{"-n", "3", "-rate", "2000", "-for", "1s", "-input", write(t, "a b c d\n\nlonely\na x\n")},
			`^converged: 3 nodes, 3 keys, \d+ ms after the last write$`},
		{"not all of it", []string{"-n", "2", "-rate", "10", "-for", "300ms"},
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

// TestChaos runs everything that can happen, and looks whether it shows.
func TestChaos(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	code := run(ctx, []string{"-chaos", "-n", "5", "-for", "6s", "-rate", "100"}, &stdout, &stderr)
	want := []string{
		`loss on: 20 % of packets and 5 % of connections are lost`, `partition: A is n1 n2, B is n3 n4 n5`,
		`both sides take each other for failed, \d+ ms after the partition`,
		`healed: [1-9]\d* packets and connections were cut off`, `n5 crashes`, `n5 is back, empty`,
		`loss off: [1-9]\d* packets and connections were lost`, `converged: 5 nodes, \d+ keys, \d+ ms after the last write\n$`,
	}
	if code != 0 || stderr.Len() > 0 || !regexp.MustCompile(`(?s)`+strings.Join(want, `\n.*`)).Match(stdout.Bytes()) {
		t.Fatalf("cluster -chaos = %d, want 0 and %q; it wrote\n%s%s", code, want, &stdout, &stderr)
	}
	for _, what := range []string{
		"all nodes have caught up, \\d+ ms after the healing", "all nodes see each other again, \\d+ ms after the healing",
		"all nodes have caught up, \\d+ ms after the return of n5",
	} {
		if !regexp.MustCompile(what).Match(stdout.Bytes()) {
			t.Errorf("nothing says %q:\n%s", what, &stdout)
		}
	}
	// The later rows of the partition: each side lacks what the other one writes, and
	// sees itself only.
	behind := make(map[string]time.Duration)
	seen := map[string]int{"A": 5, "B": 5}
	for row := range strings.Lines(stdout.String()) {
		if f := strings.Fields(row); len(f) == 15 && f[13] == "side" {
			d, err := time.ParseDuration(f[10])
			if err != nil {
				t.Fatalf("%q: %v", row, err)
			}
			behind[f[14]] = max(behind[f[14]], d)
			n, _ := strconv.Atoi(f[12])
			seen[f[14]] = min(seen[f[14]], n)
		}
	}
	if behind["A"] < time.Second || behind["B"] < time.Second {
		t.Errorf("behind by %v in a partition of 2 s, want more than 1 s on both sides:\n%s", behind, &stdout)
	}
	if seen["A"] > 2 || seen["B"] > 3 {
		t.Errorf("each side sees so many members: %v, want 2 on side A and 3 on side B:\n%s", seen, &stdout)
	}
	t.Logf("\n%s", &stdout)
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
		{"-nonsense"}, {"more"}, {"-n", "1"}, {"-n", "1000"}, {"-n", "x"}, {"-for", "0s"}, {"-for", "-1s"}, {"-for", "10"},
		{"-rate", "-1"}, {"-chaos=x"}, {"-rate", "NaN"}, {"-input", "no such file"}, {"-input", write(t, "\n \n")}, {"-input", t.TempDir()},
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
