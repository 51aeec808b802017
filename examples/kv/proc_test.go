package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the daemon that the end-to-end tests run; empty with -short.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		if testing.Short() {
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "kv-test-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "kv")
		args := []string{"build", "-o", binary}
		if raceEnabled() {
			args = append(args, "-race")
		}
		if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// raceEnabled reports whether this test runs under the race detector; then the
// daemons do too.
func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// proc is a running daemon.
type proc struct {
	t            *testing.T
	name         string
	gossip, http string // addresses, as it printed them
	cmd          *exec.Cmd
	stderr       *output
	ended        chan struct{} // closed once cmd.Wait has returned
	args         []string      // all but the addresses
}

// launch starts a daemon on free ports and waits until it serves.
func launch(t *testing.T, name string, args ...string) *proc {
	t.Helper()
	if binary == "" {
		t.Skip("end-to-end: not with -short") // it starts processes, which takes seconds
	}
	p := &proc{t: t, name: name, gossip: "127.0.0.1:0", http: "127.0.0.1:0", args: args}
	p.start()
	return p
}

// start runs the daemon under the addresses that it has.
func (p *proc) start() {
	p.t.Helper()
	p.cmd = exec.Command(binary, append([]string{"-name", p.name, "-bind", p.gossip, "-http", p.http}, p.args...)...)
	p.stderr, p.ended = new(output), make(chan struct{})
	p.cmd.Stderr = p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	cmd, ended := p.cmd, p.ended
	lines := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		lines <- line
		io.Copy(io.Discard, stdout)
		cmd.Wait()
		close(ended)
	}()
	p.t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		if p.t.Failed() {
			p.t.Logf("%s (%s) wrote:\n%s", p.name, cmd.ProcessState, p.stderr.tail())
		}
	})
	select {
	case line := <-lines:
		var name string
		if _, err := fmt.Sscanf(line, "serving name=%s gossip=%s http=%s\n", &name, &p.gossip, &p.http); err != nil || name != p.name {
			p.t.Fatalf("%s printed %q and wrote:\n%s", p.name, line, p.stderr.tail())
		}
	case <-time.After(20 * time.Second):
		p.t.Fatalf("%s does not serve:\n%s", p.name, p.stderr.tail())
	}
}

// kill ends the daemon as a crash would.
func (p *proc) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	<-p.ended
}

// terminate sends a signal and returns the exit status and how long it took.
func (p *proc) terminate(sig os.Signal, within time.Duration) (int, time.Duration) {
	p.t.Helper()
	begin := time.Now()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(within):
		p.cmd.Process.Signal(syscall.SIGQUIT) // for the goroutines
		p.t.Fatalf("%s still runs %v after %v", p.name, within, sig)
	}
	return p.cmd.ProcessState.ExitCode(), time.Since(begin)
}

// client gives up: a daemon that hangs is a failure, not a hanging test.
var client = &http.Client{Timeout: 15 * time.Second}

func (p *proc) do(method, path string, body []byte) (int, []byte, error) {
	req, err := http.NewRequest(method, "http://"+p.http+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return resp.StatusCode, got, err
}

// must does a request that has to succeed.
func (p *proc) must(method, path string, body []byte) []byte {
	p.t.Helper()
	code, got, err := p.do(method, path, body)
	if err != nil || code/100 != 2 {
		p.t.Fatalf("%s at %s: %s %s = %d %.200q", p.name, p.http, method, path, code, reason(err, got))
	}
	return got
}

func (p *proc) put(key, value string) {
	p.t.Helper()
	p.must("PUT", "/v1/kv/"+url.PathEscape(key), []byte(value))
}

// has reports nil once key has the value here; an empty value means no such key.
func (p *proc) has(key, value string) error {
	code, got, err := p.do("GET", "/v1/kv/"+url.PathEscape(key), nil)
	switch {
	case err != nil:
		return err
	case value == "" && code == 404, code == 200 && string(got) == value && value != "":
		return nil
	default:
		return fmt.Errorf("%s: %s = %d %.80q, want %.80q", p.name, key, code, got, value)
	}
}

// hasAll reports nil once the keys with prefix are exactly want.
func (p *proc) hasAll(prefix string, want map[string]string) error {
	code, body, err := p.do("GET", "/v1/kv?prefix="+url.QueryEscape(prefix), nil)
	if err != nil || code != 200 {
		return fmt.Errorf("%s: list = %d %s", p.name, code, reason(err, body))
	}
	var got map[string][]byte
	if err := json.Unmarshal(body, &got); err != nil {
		return err
	}
	for key, value := range want {
		if string(got[key]) != value {
			return fmt.Errorf("%s: %d of %d keys, %s = %.80q, want %.80q", p.name, len(got), len(want), key, got[key], value)
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%s: %d keys, want %d", p.name, len(got), len(want))
	}
	return nil
}

func (p *proc) status() statusJSON {
	p.t.Helper()
	var s statusJSON
	if err := json.Unmarshal(p.must("GET", "/v1/status", nil), &s); err != nil {
		p.t.Fatal(err)
	}
	return s
}

// metric returns the sum over all series of a metric whose name and labels
// contain what is given.
func (p *proc) metric(parts ...string) float64 {
	p.t.Helper()
	sum := 0.0
series:
	for line := range strings.Lines(string(p.must("GET", "/metrics", nil))) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "} ")
		if !ok {
			name, value, ok = strings.Cut(strings.TrimSpace(line), " ")
		}
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		for _, part := range parts {
			if !strings.Contains(name, part) {
				continue series
			}
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			sum += v
		}
	}
	return sum
}

// until polls until f returns nil, and returns how long that took.
func until(t *testing.T, within time.Duration, what string, f func() error) time.Duration {
	t.Helper()
	begin := time.Now()
	for {
		err := f()
		if err == nil {
			return time.Since(begin)
		}
		if time.Since(begin) > within {
			t.Fatalf("%s: not within %v: %v", what, within, err)
		}
		time.Sleep(10 * time.Millisecond) // pace of polling other processes
	}
}

// everywhere is until on several daemons.
func everywhere(t *testing.T, within time.Duration, what string, procs []*proc, f func(*proc) error) time.Duration {
	t.Helper()
	return until(t, within, what, func() error {
		var errs []error
		for _, p := range procs {
			errs = append(errs, f(p))
		}
		return errors.Join(errs...)
	})
}

// reason says why a request failed.
func reason(err error, body []byte) string {
	if err != nil {
		return err.Error()
	}
	return string(body)
}

// output gathers what a process writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.b.String()
	return s[max(0, len(s)-4000):]
}
