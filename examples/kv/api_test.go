package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// serveAPI starts a node that is alone, and the API in front of it.
func serveAPI(t *testing.T) (base string, node *gossip.Node) {
	t.Helper()
	base, a := serveWith(t, func(*api, *http.Server) {})
	return base, a.node
}

// serveWith is serveAPI with changes to what it starts.
func serveWith(t *testing.T, change func(*api, *http.Server)) (base string, a *api) {
	t.Helper()
	registry := prometheus.NewRegistry()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	node, err := gossip.Start(ctx, gossip.Config{Name: "alone", Bind: "127.0.0.1:0", Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	keys := new(model.Map[[]byte])
	if err := node.Attach(space, keys); err != nil {
		t.Fatal(err)
	}
	a = newAPI(node, keys, registry, defaultHeartbeat)
	server := httptest.NewUnstartedServer(a)
	change(a, server.Config)
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(a.end) // before that: Close waits for streams
	return server.URL, a
}

// call sends a request as it stands and returns status and body.
func call(t *testing.T, method, url string, body []byte) (int, []byte, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return resp.StatusCode, got, resp.Header
}

func TestKeys(t *testing.T) {
	base, _ := serveAPI(t)
	binary := make([]byte, maxValue)
	for i := range binary {
		binary[i] = byte(i)
	}
	tests := []struct {
		path  string // after /v1/kv/, as sent
		value []byte
	}{
		{"plain", []byte("v")},
		{"empty", nil},
		{"limit", binary},
		{"a/b/c", []byte("slashes")},
		{"a%2Fb%2Fc", []byte("the same key as a/b/c")},
		{"/leading", []byte("empty segment in front")},
		{"a//b", []byte("empty segment")},
		{"a/../b", []byte("dot segments")},
		{"..", []byte("only dots")},
		{"trailing/", []byte("empty segment behind")},
		{"%20+%3F%23%25", []byte("a space, +, ?, # and %")},
		{"%00%FF", []byte("any bytes")},
		{"%E2%82%AC", []byte("UTF-8")},
		{strings.Repeat("k", maxKey), []byte("longest key")},
	}
	for _, tt := range tests {
		url := base + "/v1/kv/" + tt.path
		if code, body, _ := call(t, "PUT", url, tt.value); code != 204 || len(body) > 0 {
			t.Errorf("PUT %.40q = %d %q, want 204", tt.path, code, body)
		}
		code, body, head := call(t, "GET", url, nil)
		if code != 200 || !bytes.Equal(body, tt.value) {
			t.Errorf("GET %.40q = %d, %d bytes %.40q; want 200 and the %d bytes that were put", tt.path, code, len(body), body, len(tt.value))
		}
		if ct := head.Get("Content-Type"); ct != "application/octet-stream" {
			t.Errorf("GET %.40q: content type %q", tt.path, ct)
		}
	}
	if _, body, _ := call(t, "GET", base+"/v1/kv/a/b/c", nil); string(body) != "the same key as a/b/c" {
		t.Errorf("a%%2Fb%%2Fc and a/b/c are different keys: %q", body)
	}
	for _, path := range []string{"plain", "a//b", "never-there"} {
		if code, _, _ := call(t, "DELETE", base+"/v1/kv/"+path, nil); code != 204 {
			t.Errorf("DELETE %s = %d, want 204", path, code)
		}
		wantError(t, "GET", base+"/v1/kv/"+path, nil, 404)
	}
}

func TestErrors(t *testing.T) {
	base, node := serveAPI(t)
	tests := []struct {
		method, path string
		body         []byte
		want         int
	}{
		{"GET", "/v1/kv/unknown", nil, 404},
		{"PUT", "/v1/kv/", []byte("v"), 400},
		{"PUT", "/v1/kv/" + strings.Repeat("k", maxKey+1), []byte("v"), 400},
		{"PUT", "/v1/kv/large", make([]byte, maxValue+1), 413},
		{"POST", "/v1/kv/a", []byte("v"), 405},
		{"PATCH", "/v1/kv/a", []byte("v"), 405},
		{"PUT", "/v1/kv", []byte("v"), 405},
		{"DELETE", "/v1/kv", nil, 405},
		{"POST", "/v1/status", nil, 405},
		{"PUT", "/healthz", nil, 405},
		{"GET", "/v1/kv?prefix=%zz", nil, 400},
		{"GET", "/v1/kv?limit=0", nil, 400},
		{"GET", "/v1/kv?limit=-1", nil, 400},
		{"GET", "/v1/kv?limit=10001", nil, 400},
		{"GET", "/v1/kv?limit=", nil, 400},
		{"GET", "/v1/kv?limit=ten", nil, 400},
		{"GET", "/v1/kv?limit=1&limit=2", nil, 400},
		{"GET", "/v1/kv?after=%zz", nil, 400},
		{"GET", "/v1/kv?after=" + strings.Repeat("k", maxKey+1), nil, 400},
		{"GET", "/v1/watch?prefix=%zz", nil, 400},
		{"GET", "/v1/watch?prefix=a&prefix=b", nil, 400},
		{"POST", "/v1/watch", nil, 405},
		{"PUT", "/v1/kv/a?ttl=", []byte("v"), 400},
		{"PUT", "/v1/kv/a?ttl=0", []byte("v"), 400},
		{"PUT", "/v1/kv/a?ttl=0s", []byte("v"), 400},
		{"PUT", "/v1/kv/a?ttl=-30s", []byte("v"), 400},
		{"PUT", "/v1/kv/a?ttl=30", []byte("v"), 400},
		{"PUT", "/v1/kv/a?ttl=soon", []byte("v"), 400},
		{"PUT", "/v1/kv/a?ttl=999us", []byte("v"), 400},
		{"PUT", "/v1/kv/a?ttl=87601h", []byte("v"), 400},
		{"PUT", "/v1/kv/a?ttl=9999999999999h", []byte("v"), 400},
		{"PUT", "/v1/kv/a?ttl=1s&ttl=2s", []byte("v"), 400},
		{"PUT", "/v1/kv/a?ttl=%zz", []byte("v"), 400},
		{"GET", "/v1/kv/a", nil, 404},
		{"GET", "/", nil, 404},
		{"GET", "/v1", nil, 404},
		{"GET", "/v2/kv/a", nil, 404},
		{"GET", "/v1/kvs", nil, 404},
		{"GET", "/healthz/", nil, 404},
	}
	for _, tt := range tests {
		wantError(t, tt.method, base+tt.path, tt.body, tt.want)
	}
	_, _, head := call(t, "POST", base+"/v1/kv/a", nil)
	if got := head.Get("Allow"); got != "GET, HEAD, PUT, DELETE" {
		t.Errorf("Allow = %q", got)
	}

	// A value of unknown length is cut off at the limit too.
	req, err := http.NewRequestWithContext(t.Context(), "PUT", base+"/v1/kv/large", io.LimitReader(zeros{}, maxValue+1))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 413 {
		t.Errorf("chunked PUT over the limit = %d, want 413", resp.StatusCode)
	}

	if err := node.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, "PUT", base+"/v1/kv/late", []byte("v"), 503)
}

// A write that gossip cannot carry waits, and when that takes too long the client is
// told when to come back. Nothing of it is left.
func TestThrottledWrites(t *testing.T) {
	var nodes []*gossip.Node
	var join []string
	for _, name := range []string{"a", "b"} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		node, err := gossip.Start(ctx, gossip.Config{
			Name: name, Bind: "127.0.0.1:0", Join: join,
			Budget: 256, Interval: 500 * time.Millisecond, MinInterval: 500 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { node.Close() })
		nodes, join = append(nodes, node), []string{node.Status().Addr}
	}
	keys := new(model.Map[[]byte])
	if err := nodes[0].Attach(space, keys); err != nil {
		t.Fatal(err)
	}
	a := newAPI(nodes[0], keys, prometheus.NewRegistry(), defaultHeartbeat)
	a.patience = 20 * time.Millisecond
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	for deadline := time.Now().Add(20 * time.Second); ; {
		key := fmt.Sprint(time.Now().UnixNano())
		code, body, head := call(t, "PUT", server.URL+"/v1/kv/"+key, []byte("v"))
		if code == 204 && time.Now().Before(deadline) {
			continue // until the nodes have met, and the burst is over
		}
		if code != 503 || head.Get("Retry-After") != "1" || !bytes.Contains(body, []byte("error")) {
			t.Fatalf("PUT = %d %s, Retry-After %q; want 503, after 1 s", code, body, head.Get("Retry-After"))
		}
		wantError(t, "GET", server.URL+"/v1/kv/"+key, nil, 404)
		break
	}
	a.patience = writeWait
	if code, body, _ := call(t, "PUT", server.URL+"/v1/kv/patient", []byte("v")); code != 204 {
		t.Errorf("a patient PUT = %d %s", code, body)
	}
}

// wantError checks that a request fails as documented.
func wantError(t *testing.T, method, url string, body []byte, status int) {
	t.Helper()
	code, got, head := call(t, method, url, body)
	var e struct{ Error string }
	if err := json.Unmarshal(got, &e); code != status || err != nil || e.Error == "" {
		t.Errorf("%s %.60s = %d %.80q, want %d and an error in JSON", method, url, code, got, status)
	}
	if ct := head.Get("Content-Type"); ct != "application/json" {
		t.Errorf("%s %.60s: content type %q", method, url, ct)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestList(t *testing.T) {
	base, _ := serveAPI(t)
	if code, body, _ := call(t, "GET", base+"/v1/kv", nil); code != 200 || strings.TrimSpace(string(body)) != "{}" {
		t.Errorf("list of nothing = %d %q, want 200 {}", code, body)
	}
	for key, value := range map[string]string{"a/1": "one", "a/2": "", "b": "\x00\xff"} {
		call(t, "PUT", base+"/v1/kv/"+key, []byte(value))
	}
	tests := []struct{ query, want string }{
		{"", `{"a/1":"b25l","a/2":"","b":"AP8="}`},
		{"?prefix=", `{"a/1":"b25l","a/2":"","b":"AP8="}`},
		{"?prefix=a%2F", `{"a/1":"b25l","a/2":""}`},
		{"?prefix=c", `{}`},
	}
	for _, tt := range tests {
		code, body, _ := call(t, "GET", base+"/v1/kv"+tt.query, nil)
		if got := strings.TrimSpace(string(body)); code != 200 || got != tt.want {
			t.Errorf("list %q = %d %s, want %s", tt.query, code, got, tt.want)
		}
	}
}

func TestPages(t *testing.T) {
	base, _ := serveAPI(t)
	want := map[string][]byte{}
	for i := range 25 {
		key := fmt.Sprintf("p %02d/%%&+€\xff", i)[:5+i%8] // any bytes
		want[key] = []byte(key)
		call(t, "PUT", base+"/v1/kv/"+url.PathEscape(key), []byte(key))
	}
	for _, limit := range []int{1, 7, 25, 26, maxPage} {
		n, pages := 0, 0
		for path := fmt.Sprintf("/v1/kv?prefix=p&limit=%d", limit); path != ""; pages++ {
			code, body, head := call(t, "GET", base+path, nil)
			var page map[string][]byte
			if err := json.Unmarshal(body, &page); err != nil || code != 200 || len(page) > limit {
				t.Fatalf("GET %s = %d %.80q", path, code, body)
			}
			for _, value := range page { // JSON cannot show every key
				if !bytes.Equal(want[string(value)], value) {
					t.Errorf("GET %s has %q", path, value)
				}
				n++
			}
			path, _ = strings.CutSuffix(strings.TrimPrefix(head.Get("Link"), "<"), `>; rel="next"`)
			after, err := url.QueryUnescape(head.Get("X-Next-After"))
			if _, ok := want[after]; err != nil || ok != (path != "") {
				t.Errorf("X-Next-After = %q, Link = %q", head.Get("X-Next-After"), head.Get("Link"))
			}
		}
		if n != len(want) || pages != (len(want)+limit-1)/limit {
			t.Errorf("limit %d: %d keys on %d pages, want %d", limit, n, pages, len(want))
		}
	}
	code, body, head := call(t, "GET", base+"/v1/kv?after=p+23", nil)
	if code != 200 || strings.Count(string(body), ":") != 2 || head.Get("Link") != "" {
		t.Errorf("after without a limit = %d %s", code, body)
	}
}

func TestViews(t *testing.T) {
	base, node := serveAPI(t)
	call(t, "PUT", base+"/v1/kv/a", []byte("1"))
	call(t, "PUT", base+"/v1/kv/b", []byte("2"))
	call(t, "DELETE", base+"/v1/kv/b", nil)

	_, body, _ := call(t, "GET", base+"/v1/status", nil)
	var s statusJSON
	if err := json.Unmarshal(body, &s); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	sp := s.Spaces["kv"]
	if s.Name != "alone" || s.Epoch == 0 || !s.Clean || s.Peers != 0 || sp.Keys != 1 {
		t.Errorf("status = %s", body)
	}
	if v := s.Vector[node.Status().Self.String()]; v != 3 {
		t.Errorf("own version = %d after three writes: %s", v, body)
	}
	if h, err := hex.DecodeString(sp.Hash); err != nil || len(h) != 16 || sp.Hash == strings.Repeat("0", 32) {
		t.Errorf("hash = %q", sp.Hash)
	}

	_, body, _ = call(t, "GET", base+"/v1/members", nil)
	var members []memberJSON
	if err := json.Unmarshal(body, &members); err != nil || len(members) != 1 ||
		members[0] != (memberJSON{"alone", node.Status().Addr, "alive", true}) {
		t.Errorf("members = %s (%v)", body, err)
	}
	if code, body, _ := call(t, "GET", base+"/healthz", nil); code != 200 || string(body) != "ok" {
		t.Errorf("healthz = %d %q", code, body)
	}
	_, body, _ = call(t, "GET", base+"/metrics", nil)
	if !bytes.Contains(body, []byte("# TYPE ")) {
		t.Errorf("metrics = %.200q", body)
	}
}

// A value with a TTL says what is left of it, and is gone then.
func TestTTL(t *testing.T) {
	base, _ := serveAPI(t)
	url := base + "/v1/kv/k"
	if code, body, _ := call(t, "PUT", url+"?ttl=87600h", []byte("v")); code != 204 {
		t.Fatalf("PUT = %d %s", code, body)
	}
	_, _, head := call(t, "GET", url, nil)
	if left, err := time.ParseDuration(head.Get("X-TTL")); err != nil || left > maxTTL || left < maxTTL-time.Minute {
		t.Errorf("X-TTL = %q, want a little less than %v", head.Get("X-TTL"), maxTTL)
	}
	code, _, _ := call(t, "PUT", url, []byte("v"))
	if _, _, head := call(t, "GET", url, nil); code != 204 || head.Get("X-TTL") != "" {
		t.Errorf("PUT without a TTL = %d, X-TTL %q", code, head.Get("X-TTL"))
	}
	begin := time.Now()
	c := openStream(t, base, "", "")
	c.want("set k=v")
	call(t, "PUT", url+"?ttl=300ms", []byte("short"))
	c.want("set k=short")
	e := c.next()
	if took := time.Since(begin); e.String() != "delete k=" || e.Node != "" || took < 300*time.Millisecond {
		t.Errorf("event %v of %q after %v", e, e.Node, took)
	}
	wantError(t, "GET", url, nil, 404)
	if _, body, _ := call(t, "GET", base+"/v1/kv", nil); strings.TrimSpace(string(body)) != "{}" {
		t.Errorf("list = %s", body)
	}
}
