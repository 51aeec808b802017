package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// sse is a client of an event stream.
type sse struct {
	t      *testing.T
	cancel context.CancelFunc
	lines  chan string // closed when the stream ends
	id     string      // of the last event
}

// sseEvent is an event as a client sees it.
type sseEvent struct {
	id, kind, data string
	changeJSON
}

func (e sseEvent) String() string { return fmt.Sprintf("%s %s=%s", e.kind, e.Key, e.Value) }

// openStream connects to a daemon's stream, with an id to go on after if it is
// not empty.
func openStream(t *testing.T, base, prefix, id string) *sse {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", base+"/v1/watch?prefix="+url.QueryEscape(prefix), nil)
	if err != nil {
		t.Fatal(err)
	}
	if id != "" {
		req.Header.Set("Last-Event-ID", id)
	}
	resp, err := http.DefaultClient.Do(req) //nolint:bodyclose // the goroutine that reads it closes it
	if err != nil {
		t.Fatal(err)
	}
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || ct != "text/event-stream" {
		resp.Body.Close()
		t.Fatalf("watch = %d, %s", resp.StatusCode, ct)
	}
	c := &sse{t: t, cancel: cancel, lines: make(chan string, 1000), id: id}
	go func() {
		defer close(c.lines)
		defer resp.Body.Close()
		for s := bufio.NewScanner(resp.Body); s.Scan(); {
			c.lines <- s.Text()
		}
	}()
	return c
}

// line returns the next line; false when the stream has ended.
func (c *sse) line() (string, bool) {
	c.t.Helper()
	select {
	case line, ok := <-c.lines:
		return line, ok
	case <-time.After(5 * time.Second):
		c.t.Fatal("no line within 5 s")
		return "", false
	}
}

// next returns the next event.
func (c *sse) next() sseEvent {
	c.t.Helper()
	var e sseEvent
	for {
		line, ok := c.line()
		if !ok {
			c.t.Fatal("the stream has ended")
		}
		field, value, _ := strings.Cut(line, ": ")
		switch field {
		case "id":
			e.id, c.id = value, value
		case "event":
			e.kind = value
		case "data":
			e.data = value
			if err := json.Unmarshal([]byte(value), &e.changeJSON); err != nil {
				c.t.Fatalf("data %q: %v", value, err)
			}
		case "":
			if e.kind != "" {
				return e
			}
		}
	}
}

// want reads events and compares them: "set k=v", "delete k=", "reset =".
func (c *sse) want(events ...string) {
	c.t.Helper()
	for _, want := range events {
		if got := c.next(); got.String() != want {
			c.t.Fatalf("event %v, want %s", got, want)
		}
	}
}

// silent checks that the stream says nothing that matters until the write of a
// mark shows up.
func (c *sse) silent(base, mark string) {
	c.t.Helper()
	call(c.t, "PUT", base+"/v1/kv/"+mark, []byte("mark"))
	c.want("set " + mark + "=mark")
}

func TestWatch(t *testing.T) {
	base, a := serveWith(t, func(*api, *http.Server) {})
	put := func(key, value string) { call(t, "PUT", base+"/v1/kv/"+key, []byte(value)) }
	put("a1", "one")
	put("a2", "")
	put("b", "other")
	begin := time.Now().Add(-time.Second)
	c := openStream(t, base, "a", "")
	c.want("set a1=one", "set a2=")
	put("a3", "x")
	e := c.next()
	when, err := time.Parse("2006-01-02T15:04:05.000Z", e.Time)
	if e.String() != "set a3=x" || e.id == "" || e.Node != "alone" || err != nil || when.Before(begin) || when.After(time.Now()) {
		t.Errorf("%v: %s", e, e.data)
	}
	call(t, "DELETE", base+"/v1/kv/a1", nil)
	if e := c.next(); e.kind != "delete" || e.Key != "a1" || strings.Contains(e.data, "value") {
		t.Errorf("%v: %s", e, e.data)
	}
	put("b", "not shown")
	put("a2", "y")
	c.want("set a2=y")
	c.cancel()
	until(t, 5*time.Second, "the stream waits for its client", func() error { return a.streams.count(1, 1) })

	// The client comes back, twice at once: the first of them is let go.
	put("a2", "z")
	put("a2", "")
	c = openStream(t, base, "a", c.id)
	d := openStream(t, base, "a", e.id)
	d.want("delete a1=", "set a2=y")
	if e := d.next(); e.String() == "set a2=z" { // or both were one event
		d.want("set a2=")
	}
	for ok := true; ok; {
		_, ok = c.line()
	}
	d.silent(base, "a-mark")
	if err := a.streams.count(1, 0); err != nil {
		t.Error(err)
	}
}

// count reports nil when there are so many streams, and so many of them wait.
func (s *streams) count(open, parked int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, st := range s.open {
		if st.detach == nil {
			n++
		}
	}
	if len(s.open) != open || n != parked {
		return fmt.Errorf("%d streams, of which %d wait; want %d and %d", len(s.open), n, open, parked)
	}
	return nil
}

func TestWatchUnknownID(t *testing.T) {
	base, _ := serveAPI(t)
	call(t, "PUT", base+"/v1/kv/k", []byte("v"))
	c := openStream(t, base, "", "")
	good := c.next().id
	token, _, _ := strings.Cut(good, "-")
	for _, tt := range []struct{ prefix, id string }{
		{"", "nonsense"}, {"", "-"}, {"", token}, {"", token + "-"}, {"", token + "-2"}, {"", token + "--1"},
		{"", "AAAAAAAAAAAAAAAAAAAAAAAAAA-1"}, {"", "1"}, {"k", good}, {"", token + "-18446744073709551616"},
	} {
		d := openStream(t, base, tt.prefix, tt.id)
		d.want("reset =", "set k=v")
		d.cancel()
	}
	c.silent(base, "mark") // it still has its stream
	// From the beginning, as the stream was then.
	c = openStream(t, base, "", token+"-0")
	c.want("set k=v", "set mark=mark")
}

// Beyond what is kept of a stream there is only a new one.
func TestWatchForgets(t *testing.T) {
	base, _ := serveAPI(t)
	c := openStream(t, base, "", "")
	call(t, "PUT", base+"/v1/kv/k", []byte("0"))
	first := c.next().id
	for i := range maxSent + 2 {
		call(t, "PUT", base+"/v1/kv/k", fmt.Append(nil, i))
		c.want(fmt.Sprint("set k=", i))
	}
	d := openStream(t, base, "", first)
	d.want("reset =", fmt.Sprint("set k=", maxSent+1))
}

// A client that does not read holds up nothing, costs no more than there are keys,
// and is shown the latest when it reads again.
func TestWatchSlowClient(t *testing.T) {
	base, a := serveWith(t, func(*api, *http.Server) {})
	c := openStream(t, base, "", "")
	call(t, "PUT", base+"/v1/kv/first", nil)
	c.want("set first=")
	// The stream stands still, as it would behind a full socket.
	c.cancel()
	until(t, 5*time.Second, "the stream waits", func() error { return a.streams.count(1, 1) })
	const rounds, keys = 30, 20
	for i := range rounds {
		for k := range keys {
			call(t, "PUT", fmt.Sprintf("%s/v1/kv/k%02d", base, k), fmt.Append(nil, i))
		}
	}
	d := openStream(t, base, "", c.id)
	last := map[string]string{}
	n := 0
	for ; len(last) < keys || last[fmt.Sprintf("k%02d", keys-1)] != fmt.Sprint(rounds-1); n++ {
		e := d.next()
		last[e.Key] = string(e.Value)
	}
	for key, value := range last {
		if value != fmt.Sprint(rounds-1) {
			t.Errorf("%s = %s, want %d", key, value, rounds-1)
		}
	}
	if limit := maxUnsent + 2*keys + 1; n > limit {
		t.Errorf("%d events, want at most %d", n, limit)
	}
}

// The server's timeouts are for requests that end.
func TestWatchOutlivesTimeouts(t *testing.T) {
	base, _ := serveWith(t, func(a *api, s *http.Server) {
		s.ReadTimeout, s.WriteTimeout, s.IdleTimeout = 200*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
		a.heartbeat = 50 * time.Millisecond
	})
	c := openStream(t, base, "", "")
	beats := 0
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		if line, ok := c.line(); !ok {
			t.Fatal("the stream has ended")
		} else if line == ":" {
			beats++
		}
	}
	if beats < 5 {
		t.Errorf("%d comments within a second, want one each 50 ms", beats)
	}
	c.silent(base, "k")
}

// What -heartbeat says is what streams do.
func TestHeartbeatFlag(t *testing.T) {
	t.Parallel()
	a := launch(t, "a", "-heartbeat", "100ms")
	c := openStream(t, "http://"+a.http, "", "")
	begin := time.Now()
	for beats := 0; beats < 4; { // the first comment comes at once
		line, ok := c.line()
		if !ok {
			t.Fatal("the stream has ended")
		}
		if line == ":" {
			beats++
		}
	}
	if took := time.Since(begin); took < 200*time.Millisecond {
		t.Errorf("three comments within %v, want one each 100 ms", took)
	}
}

func TestWatchEnds(t *testing.T) {
	base, a := serveWith(t, func(*api, *http.Server) {})
	c, d := openStream(t, base, "", ""), openStream(t, base, "", "")
	call(t, "PUT", base+"/v1/kv/last", []byte("v"))
	if err := a.node.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*sse{c, d} {
		c.want("set last=v")
		if line, ok := c.line(); ok {
			t.Errorf("%q after the end", line)
		}
	}
	until(t, 5*time.Second, "streams are gone", func() error { return a.streams.count(0, 0) })
	a.end()
	wantError(t, "GET", base+"/v1/watch", nil, 503)
	if code, body, head := call(t, "HEAD", base+"/v1/watch", nil); code != 503 || len(body) > 0 || head.Get("Content-Type") == "" {
		t.Errorf("HEAD = %d %q", code, body)
	}
}

func TestTooManyStreams(t *testing.T) {
	base, a := serveWith(t, func(*api, *http.Server) {})
	detach := func() {}
	for range maxStreams {
		if _, err := a.streams.create("", detach); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, "GET", base+"/v1/watch", nil, 503)
	for _, st := range a.streams.open {
		a.streams.leave(&seat{stream: st})
		break
	}
	c := openStream(t, base, "", "") // in the place of the one that waits
	c.silent(base, "k")
	if err := a.streams.count(maxStreams, 0); err != nil {
		t.Error(err)
	}
}
