package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The loop that memberlist starts for a probe's answers ends on its own time.
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

func TestImpossible(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{}, {"nonsense"}, {"-nonsense"}, {"-quick"},
		{"paper", "more"}, {"paper", "-nonsense"}, {"paper", "-seed", "x"}, {"paper", "-out", ""}, {"paper", "-quick=x"},
		{"paper", "-out", file}, {"paper", "-quick", "-out", filepath.Join(file, "below")},
		{"throttle", "more"}, {"throttle", "-nodes", "1"}, {"throttle", "-nodes", "-1"}, {"throttle", "-nodes", "101"}, {"throttle", "-nodes", "x"},
		{"throttle", "-budget", "0"}, {"throttle", "-budget", "-1"},
		{"throttle", "-duration", "0s"}, {"throttle", "-duration", "-1s"}, {"throttle", "-duration", "2s"}, {"throttle", "-duration", "30"},
		{"throttle", "-interval", "0s"}, {"throttle", "-interval", "-1s"}, {"throttle", "-interval", "10s"},
		{"throttle", "-rate", "-1"}, {"throttle", "-rate", "NaN"}, {"throttle", "-rate", "+Inf"},
		{"throttle", "-value", "-1"}, {"throttle", "-value", "1000000"},
		{"limit", "more"}, {"limit", "-n", "0"}, {"limit", "-n", "-1"}, {"limit", "-n", "x"}, {"limit", "-nodes", "2"}, {"limit", "-systems", "machine"},
		{"catchup", "-n", "0"}, {"catchup", "-n", "100000000"}, {"catchup", "-nodes", "1"}, {"catchup", "-nodes", "101"}, {"catchup", "-rate", "1"},
		{"catchup", "-runs", "0"}, {"catchup", "-runs", "-1"}, {"catchup", "-systems", "nonsense"}, {"catchup", "-systems", ""}, {"catchup", "-json=x"},
		{"catchup", "-cpuprofile", filepath.Join(file, "below")},
		{"latency", "-n", "0"}, {"latency", "-nodes", "0"}, {"latency", "-rate", "0"}, {"latency", "-rate", "-1"}, {"latency", "-rate", "NaN"}, {"latency", "-rate", "+Inf"},
		{"latency", "-duration", "0s"}, {"latency", "-duration", "-1s"}, {"latency", "-duration", "10"}, {"latency", "-duration", "2h"},
		{"latency", "-loss", "0.2"}, {"latency", "-refuse-streams"}, {"latency", "-systems", "scuttlebutt", "-loss", "-0.1"}, {"latency", "-systems", "scuttlebutt", "-loss", "NaN"},
		{"latency", "-systems", "scuttlebutt", "-loss", "1"}, {"idle", "-loss", "0.2"},
		{"maxrate", "-n", "-1"}, {"maxrate", "-rate", "0.5"}, {"maxrate", "-nodes", "1"}, {"maxrate", "-duration", "1ms"}, {"maxrate", "-p99", "-1s"}, {"latency", "-p99", "1s"},
		{"idle", "-n", "0"}, {"idle", "-rate", "1"}, {"idle", "-duration", "1ms"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), args, &stdout, &stderr)
		if code != 2 || stdout.Len() > 0 || strings.Count(stderr.String(), "\n") != 1 || !strings.HasPrefix(stderr.String(), "bench: ") {
			t.Errorf("bench %q = %d, stdout %q, stderr %q; want 2 and one line", args, code, &stdout, &stderr)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, tt := range []struct {
		args string
		want []string
	}{
		{"-h", []string{"usage: bench", "paper ", "throttle "}},
		{"-help", []string{"usage: bench"}},
		{"help", []string{"usage: bench"}},
		{"paper -h", []string{"usage: bench paper", "-out", "-seed", "-quick"}},
		{"throttle -h", []string{"usage: bench throttle", "-nodes", "-duration", "-budget", "-rate"}},
		{"limit -h", []string{"usage: bench limit", "-n ", "-runs", "-json"}},
		{"catchup -h", []string{"usage: bench catchup", "-n ", "-nodes", "-runs", "-systems", "-json"}},
		{"latency -h", []string{"usage: bench latency", "-n ", "-nodes", "-rate", "-duration", "-runs"}},
		{"maxrate -h", []string{"usage: bench maxrate", "-n ", "-nodes", "-rate", "-duration", "-p99", "-runs", "-refuse-streams", "-loss"}},
		{"idle -h", []string{"usage: bench idle", "-n ", "-nodes", "-duration", "-runs"}},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), strings.Fields(tt.args), &stdout, &stderr); code != 0 || stderr.Len() > 0 {
			t.Errorf("bench %s = %d, stderr %q", tt.args, code, &stderr)
		}
		for _, want := range tt.want {
			if !strings.Contains(stdout.String(), want) {
				t.Errorf("bench %s does not say %q:\n%s", tt.args, want, &stdout)
			}
		}
	}
}

// writerFunc is called with all that is written.
type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

// An interrupt in the middle of a run ends it, and nothing is written.
func TestInterrupted(t *testing.T) {
	out := t.TempDir()
	for _, tt := range []struct {
		args []string
		sign string // interrupts when this is written
	}{
		{[]string{"paper", "-quick", "-out", out}, "1 of "},
		{[]string{"throttle", "-nodes", "2", "-duration", "1h"}, "writes/s"},
		{[]string{"latency", "-nodes", "2", "-duration", "1h"}, "run 1 of 1"},
		{[]string{"idle", "-nodes", "2", "-duration", "1h"}, "run 1 of 1"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		var stdout, stderr bytes.Buffer
		watch := func(b *bytes.Buffer) writerFunc {
			return func(p []byte) {
				b.Write(p)
				if bytes.Contains(p, []byte(tt.sign)) {
					cancel()
				}
			}
		}
		code := run(ctx, tt.args, watch(&stdout), watch(&stderr))
		if code != 130 || !strings.HasSuffix(stderr.String(), "bench: interrupted\n") || strings.Contains(stdout.String(), "targets") {
			t.Errorf("bench %q, interrupted = %d\nstdout %s\nstderr %s", tt.args, code, &stdout, &stderr)
		}
		cancel()
	}
	if left, err := os.ReadDir(out); err != nil || len(left) > 0 {
		t.Errorf("an interrupted run left %v, %v", left, err)
	}
}
