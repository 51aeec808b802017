package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// A probe under way when memberlist stops ends by its own time-out.
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

// process is a run of the command.
type process struct {
	lines  *bufio.Reader
	end    context.CancelFunc
	status chan int
	stderr bytes.Buffer
}

func begin(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{status: make(chan int, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	p.end = cancel
	out, in := io.Pipe()
	p.lines = bufio.NewReader(out)
	go func() {
		p.status <- run(ctx, args, in, &p.stderr)
		in.Close()
	}()
	t.Cleanup(func() { p.stop(t) })
	return p
}

// stop ends the run, and reads what it still prints.
func (p *process) stop(t *testing.T) {
	if p.end(); p.status == nil {
		return
	}
	go io.Copy(io.Discard, p.lines)
	if status := <-p.status; status != 0 {
		t.Errorf("exit status %d: %s", status, &p.stderr)
	}
	p.status = nil
}

// reads reads lines until one ends with this, and returns it.
func (p *process) reads(t *testing.T, what string) string {
	t.Helper()
	var all []string
	for {
		line, err := p.lines.ReadString('\n')
		if all = append(all, line); err != nil {
			t.Fatalf("%q does not come, but %q: %v: %s", what, all, err, &p.stderr)
		}
		if strings.Contains(line, what) {
			return strings.TrimSpace(line)
		}
	}
}

// Nodes see each other come, and go.
func TestTwoNodes(t *testing.T) {
	a := begin(t, "-name", "a", "-role", "web", "-bind", "127.0.0.1:0")
	addr := strings.TrimPrefix(a.reads(t, "gossip="), "gossip=")
	a.reads(t, "a came, web")
	b := begin(t, "-name", "b", "-role", "db", "-bind", "127.0.0.1:0", "-join", addr)
	a.reads(t, "b came, db")
	b.reads(t, "a came, web")
	b.stop(t)
	a.reads(t, "b went, db")
}

// Without a name there is a cluster.
func TestSeveral(t *testing.T) {
	p := begin(t, "-n", "3", "-for", "1m")
	came := map[string]bool{}
	for len(came) < 3 {
		fields := strings.Fields(p.reads(t, " came, "))
		came[strings.Join(fields[1:], " ")] = true
	}
	if !came["n1 came, web"] || !came["n2 came, web"] || !came["n3 came, db"] {
		t.Errorf("came: %v", came)
	}
}

func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		args   string
		status int
		says   string
	}{
		{"-help", 0, "usage: presence"},
		{"a", 2, `"a"`},
		{"-nonsense", 2, "nonsense"},
		{"-n 1", 2, "-n"},
		{"-for -1s", 2, "-for"},
		{"-role web", 2, "-name"},
		{"-name a -n 3", 2, "-n"},
		{"-name a -bind nowhere", 2, "Bind"},
		{"-name a -bind 127.0.0.1:0 -join x,,y", 2, "Join"},
	} {
		var out bytes.Buffer
		status := run(t.Context(), strings.Fields(tt.args), &out, &out)
		if status != tt.status || !strings.Contains(out.String(), tt.says) {
			t.Errorf("%q: status %d, %q, want %d and %q", tt.args, status, &out, tt.status, tt.says)
		}
	}
}

func change(node string, s service) model.PresenceChange[service] {
	return model.PresenceChange[service]{Node: node, Value: s, Replica: clock.Replica{Node: node}}
}

func TestBoard(t *testing.T) {
	now := time.Unix(1000, 0)
	b := newBoard("a", now)
	says := func(c model.PresenceChange[service], want string) {
		t.Helper()
		if e, ok := b.change(now, c); ok != (want != "") || ok && e.text != want {
			t.Errorf("%v: %q, %t, want %q", c, e.text, ok, want)
		}
	}
	web := service{"web", 40, now.Add(-time.Minute)}
	says(change("a", web), "a came, web")
	says(change("b", service{"web", 20, now}), "b came, web")
	says(change("c\x1b[2J", service{"db", 1000, now}), "c?[2J came, db")
	busier := change("a", service{"web", 50, web.Since})
	busier.Old, busier.Existed = web, true
	says(busier, "")
	says(model.PresenceChange[service]{Node: "b", Gone: true, Existed: true}, "b went, web")
	now = now.Add(3 * time.Second)
	const want = `2 services, as a sees it

node              role              load              up
c?[2J             db                ########## 100 %  3s
a                 web               #####.....  50 %  1m3s
b                 web               gone for 3 s

least busy:  db c?[2J  web a

   0.0s  a came, web
   0.0s  b came, web
   0.0s  c?[2J came, db
   0.0s  b went, web
`
	plainly := &screen{}
	var got strings.Builder
	for _, l := range b.frame(now, 80, 24) {
		fmt.Fprintln(&got, plainly.render(l))
	}
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	for _, l := range b.frame(now.Add(time.Minute), 20, 4) {
		if _, text := split(l); len(text) > 19 {
			t.Errorf("%q does not fit", text)
		}
	}
	if n := len(b.frame(now, 20, 4)); n != 4 {
		t.Errorf("%d lines, want 4", n)
	}
	if rows, _ := b.list(now); len(rows) != 2 {
		t.Errorf("%d rows, want that who has gone long ago is forgotten", len(rows))
	}
}

// window is a terminal of one size, whose output ends up in a channel.
type window struct{ frames chan string }

func (w window) size() (int, int, error) { return 60, 10, nil }

func (w window) Write(b []byte) (int, error) {
	w.frames <- string(b)
	return len(b), nil
}

// On a terminal each frame is drawn over the one before.
func TestScreen(t *testing.T) {
	w := window{make(chan string)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	b := newBoard("a", time.Now())
	b.change(time.Now(), change("a", service{"web", 5, time.Now()}))
	go func() {
		newView(w).draw(ctx, b)
		close(done)
	}()
	first, second := <-w.frames, <-w.frames
	cancel()
	for ended := false; !ended; {
		select {
		case <-w.frames:
		case <-done:
			ended = true
		}
	}
	if !strings.Contains(first, "1 services, as a sees it") || strings.HasPrefix(first, "\r") {
		t.Errorf("first frame %q", first)
	}
	if n := strings.Count(first, "\n"); !strings.HasPrefix(second, fmt.Sprintf("\r\x1b[%dA", n)) {
		t.Errorf("second frame %q, want it to begin %d lines up", second, n)
	}
}
