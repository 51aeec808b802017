package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// A probe under way when memberlist stops ends by its own time-out.
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

// process is a run of the command.
type process struct {
	gossip, http string
	end          context.CancelFunc
	status       chan int
	stderr       bytes.Buffer
}

// begin runs a server and waits until it serves.
func begin(t *testing.T, name string, join ...string) *process {
	t.Helper()
	p := &process{status: make(chan int, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	p.end = cancel
	out, in := io.Pipe()
	go func() {
		args := []string{"-name", name, "-bind", "127.0.0.1:0", "-http", "127.0.0.1:0", "-join", strings.Join(join, ",")}
		p.status <- run(ctx, args, in, &p.stderr)
		in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if _, scan := fmt.Sscanf(line, "serving name="+name+" gossip=%s http=%s\n", &p.gossip, &p.http); err != nil || scan != nil {
		cancel()
		t.Fatalf("%q, %v, %v: %s", line, err, scan, &p.stderr)
	}
	t.Cleanup(func() { p.stop(t) })
	return p
}

func (p *process) stop(t *testing.T) {
	if p.end(); p.status == nil {
		return
	}
	if status := <-p.status; status != 0 {
		t.Errorf("exit status %d: %s", status, &p.stderr)
	}
	p.status = nil
}

// ask makes a request and returns the answer.
func (p *process) ask(t *testing.T, method, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.http+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// lists waits until a server lists all this.
func (p *process) lists(t *testing.T, want string) {
	t.Helper()
	got := ""
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) { // others' visits are on their way
		if _, got = p.ask(t, http.MethodGet, "/"); got == want {
			return
		}
	}
	t.Fatalf("it lists\n%s\nwant\n%s", got, want)
}

// Each server counts, all show one total, also after one has ended and begun again.
func TestOneTotal(t *testing.T) {
	a := begin(t, "a")
	b := begin(t, "b", a.gossip)
	for i, p := range []*process{a, b, a, b, b} {
		if status, answer := p.ask(t, http.MethodGet, "/home?from=test"); status != http.StatusOK || !strings.HasPrefix(answer, "/home: ") {
			t.Fatalf("visit %d: %d %q", i, status, answer)
		}
	}
	b.ask(t, http.MethodGet, "/a%20b")
	b.ask(t, http.MethodGet, "/favicon.ico")
	const want = "1 /a%20b\n5 /home\n6 in total, servers: 2\n"
	a.lists(t, want)
	b.lists(t, want)

	b.stop(t)
	a.lists(t, strings.Replace(want, "servers: 2", "servers: 1", 1))
	b = begin(t, "b", a.gossip)
	b.lists(t, want)
	b.ask(t, http.MethodGet, "/home")
	a.lists(t, "1 /a%20b\n6 /home\n7 in total, servers: 2\n")
	if status, answer := a.ask(t, http.MethodDelete, "/home"); status != http.StatusNoContent {
		t.Errorf("DELETE: %d %q", status, answer)
	}
	b.lists(t, "1 /a%20b\n0 /home\n1 in total, servers: 2\n")
}

func TestRefuses(t *testing.T) {
	p := begin(t, "a")
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, "/" + strings.Repeat("x", 2000), http.StatusRequestURITooLong},
		{http.MethodPost, "/home", http.StatusMethodNotAllowed},
	} {
		if status, answer := p.ask(t, tt.method, tt.path); status != tt.want {
			t.Errorf("%s %.20s: %d %q, want %d", tt.method, tt.path, status, answer, tt.want)
		}
	}
	p.lists(t, "0 in total, servers: 1\n")
}

func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		args   string
		status int
		says   string
	}{
		{"-help", 0, "usage: counter"},
		{"", 2, "-name"},
		{"-name a b", 2, `"b"`},
		{"-name a -nonsense", 2, "nonsense"},
		{"-name a -bind nowhere", 2, "Bind"},
		{"-name a -join x,,y", 2, "Join"},
		{"-name a -bind 127.0.0.1:0 -http nowhere", 1, "http"},
	} {
		var out bytes.Buffer
		status := run(t.Context(), strings.Fields(tt.args), &out, &out)
		if status != tt.status || !strings.Contains(out.String(), tt.says) {
			t.Errorf("%q: status %d, %q, want %d and %q", tt.args, status, &out, tt.status, tt.says)
		}
	}
}
