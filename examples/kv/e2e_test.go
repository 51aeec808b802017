package main

import (
	"bytes"
	"fmt"
	"net"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// three starts a cluster and waits until every daemon sees the other two.
func three(t *testing.T, args ...string) []*proc {
	t.Helper()
	a := launch(t, "a", args...)
	b := launch(t, "b", append(args, "-join", a.gossip)...)
	c := launch(t, "c", append(args, "-join", a.gossip+","+b.gossip)...)
	a.args = append(args, "-join", b.gossip+","+c.gossip) // should it be restarted
	procs := []*proc{a, b, c}
	together(t, procs)
	return procs
}

func together(t *testing.T, procs []*proc) {
	t.Helper()
	took := everywhere(t, 10*time.Second, "membership", procs, func(p *proc) error {
		if n := p.status().Peers; n != len(procs)-1 {
			return fmt.Errorf("%s sees %d peers", p.name, n)
		}
		return nil
	})
	t.Logf("%d daemons see each other after %v", len(procs), took.Round(time.Millisecond))
}

// load writes n keys at each daemon, all at once, and returns what was written.
func load(t *testing.T, procs []*proc, prefix string, n int) map[string]string {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, len(procs))
	begin := time.Now()
	for i, p := range procs {
		wg.Go(func() {
			for k := range n {
				path := fmt.Sprintf("/v1/kv/%s%s/%d", prefix, p.name, k)
				if code, body, err := p.do("PUT", path, fmt.Appendf(nil, "value %d of %s", k, p.name)); err != nil || code != 204 {
					errs[i] = fmt.Errorf("%s: PUT %s = %d %s", p.name, path, code, reason(err, body))
					return
				}
			}
		})
	}
	wg.Wait()
	want := make(map[string]string)
	for i, p := range procs {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		for k := range n {
			want[fmt.Sprintf("%s%s/%d", prefix, p.name, k)] = fmt.Sprintf("value %d of %s", k, p.name)
		}
	}
	t.Logf("%d keys written at each of %d daemons in %v", n, len(procs), time.Since(begin).Round(time.Millisecond))
	return want
}

// same reports nil once all daemons are clean and have one state hash.
func same(procs []*proc) error {
	first := procs[0].status()
	for _, p := range procs {
		s := p.status()
		if !s.Clean || s.Spaces["kv"].Hash != first.Spaces["kv"].Hash || !reflect.DeepEqual(s.Vector, first.Vector) {
			return fmt.Errorf("%s: %+v, but %s: %+v", first.Name, first, s.Name, s)
		}
	}
	return nil
}

func TestReplication(t *testing.T) {
	t.Parallel()
	procs := three(t, "-key", strings.Repeat("5a", 32))
	procs[0].put("greeting", "hello")
	took := everywhere(t, 3*time.Second, "one PUT", procs, func(p *proc) error { return p.has("greeting", "hello") })
	t.Logf("one PUT is everywhere after %v", took.Round(time.Millisecond))

	want := load(t, procs, "load/", 1000)
	took = everywhere(t, 10*time.Second, "3,000 keys", procs, func(p *proc) error { return p.hasAll("load/", want) })
	t.Logf("3,000 keys are everywhere %v after the last PUT", took.Round(time.Millisecond))
	took = until(t, 10*time.Second, "equal state", func() error { return same(procs) })
	t.Logf("state hashes are equal after another %v", took.Round(time.Millisecond))
}

func TestCrashAndReturn(t *testing.T) {
	t.Parallel()
	procs := three(t)
	a, b, c := procs[0], procs[1], procs[2]
	c.put("doomed", "deleted while c is down")
	want := load(t, procs, "before/", 100)
	// What c wrote is safe once it has left c: 3 s are promised for that.
	took := everywhere(t, 3*time.Second, "the last writes", procs[:2], func(p *proc) error {
		if err := p.has("doomed", "deleted while c is down"); err != nil {
			return err
		}
		return p.hasAll("before/", want)
	})
	t.Logf("everything has left c %v after its last write", took.Round(time.Millisecond))

	epoch := c.status().Epoch
	c.kill()
	a.must("DELETE", "/v1/kv/doomed", nil)
	down := load(t, []*proc{a, b}, "down/", 200)
	c.args = []string{"-join", a.gossip + "," + b.gossip}
	begin := time.Now()
	c.start()
	until(t, 10*time.Second, "catching up", func() error {
		if err := c.hasAll("before/", want); err != nil {
			return err
		}
		if err := c.hasAll("down/", down); err != nil {
			return err
		}
		return c.has("doomed", "")
	})
	t.Logf("c has everything %v after its restart", time.Since(begin).Round(time.Millisecond))
	together(t, procs)
	if now := c.status().Epoch; now <= epoch {
		t.Errorf("epoch %d after the restart, %d before", now, epoch)
	}
	c.put("back", "again")
	everywhere(t, 3*time.Second, "a write after the return", procs, func(p *proc) error { return p.has("back", "again") })
	everywhere(t, time.Second, "the deleted key", procs, func(p *proc) error { return p.has("doomed", "") })
	until(t, 10*time.Second, "equal state", func() error { return same(procs) })
}

// A value with a TTL is gone everywhere at once, also at a daemon that was away when it
// was written.
func TestTTLElsewhere(t *testing.T) {
	t.Parallel()
	procs := three(t)
	a, c := procs[0], procs[2]
	c.kill()
	const ttl = 5 * time.Second
	begin := time.Now()
	a.must("PUT", "/v1/kv/short?ttl="+ttl.String(), []byte("v"))
	a.put("long", "v")
	c.args = []string{"-join", a.gossip}
	c.start()
	everywhere(t, 4*time.Second, "a PUT with a TTL", procs, func(p *proc) error { return p.has("short", "v") })
	took := everywhere(t, 2*ttl, "its end", procs, func(p *proc) error { return p.has("short", "") })
	if lived := time.Since(begin); lived < ttl {
		t.Errorf("it lived for %v, want %v", lived, ttl)
	} else {
		t.Logf("gone everywhere %v after the PUT, the last one seen after %v", lived.Round(time.Millisecond), took.Round(time.Millisecond))
	}
	everywhere(t, time.Second, "the other key", procs, func(p *proc) error { return p.has("long", "v") })
	until(t, 10*time.Second, "equal state", func() error { return same(procs) })
}

// A full daemon refuses what makes it larger, and takes what others write.
func TestFull(t *testing.T) {
	t.Parallel()
	a := launch(t, "a", "-max-keys", "3", "-max-bytes", "1000")
	b := launch(t, "b", "-join", a.gossip)
	together(t, []*proc{a, b})
	want := func(status int, method, path, body string) string {
		t.Helper()
		code, got, err := a.do(method, path, []byte(body))
		if err != nil || code != status {
			t.Fatalf("%s %s = %d %s, %v; want %d", method, path, code, got, err, status)
		}
		return string(got)
	}
	for _, k := range []string{"k1", "k2", "k3"} {
		a.put(k, "v")
	}
	if got := want(507, "PUT", "/v1/kv/k4", "v"); !strings.Contains(got, "3 of at most 3 keys") {
		t.Errorf("the answer is %s", got)
	}
	if got := want(507, "PUT", "/v1/kv/k3", strings.Repeat("x", 1000)); !strings.Contains(got, "at most 1000 bytes") {
		t.Errorf("the answer is %s", got)
	}
	want(204, "PUT", "/v1/kv/k3", "w")
	for i := range 10 {
		b.put(fmt.Sprint("b", i), "v")
	}
	until(t, 5*time.Second, "what b wrote", func() error { return a.has("b9", "v") })
	want(507, "PUT", "/v1/kv/k4", "v")
	if s := a.status().Spaces[space]; s.Keys != 13 || s.MaxKeys != 3 || s.MaxBytes != 1000 || s.Refused != 3 {
		t.Errorf("status: %+v", s)
	}
	for i := range 10 {
		want(204, "DELETE", fmt.Sprint("/v1/kv/b", i), "")
	}
	want(204, "DELETE", "/v1/kv/k1", "")
	want(204, "PUT", "/v1/kv/k4", "v")
	until(t, 5*time.Second, "what a wrote", func() error { return b.has("k4", "v") })
}

func TestWatchElsewhere(t *testing.T) {
	t.Parallel()
	a := launch(t, "a")
	b := launch(t, "b", "-join", a.gossip)
	together(t, []*proc{a, b})
	a.put("before", "1")
	until(t, 3*time.Second, "a PUT", func() error { return b.has("before", "1") })
	base := "http://" + b.http
	c := openStream(t, base, "", "")
	c.want("set before=1")
	begin := time.Now()
	a.put("k", "2")
	e := c.next()
	if took := time.Since(begin); e.String() != "set k=2" || e.Node != "a" || took > 3*time.Second {
		t.Errorf("event %v of %s after %v", e, e.Node, took)
	} else {
		t.Logf("a PUT at a is an event at b after %v", took.Round(time.Millisecond))
	}
	a.must("DELETE", "/v1/kv/before", nil)
	c.want("delete before=")

	// The client goes away for a while and comes back.
	c.cancel()
	for i := range 200 {
		a.put(fmt.Sprint("away", i), fmt.Sprint(i))
	}
	until(t, 3*time.Second, "the last PUT", func() error { return b.has("away199", "199") })
	c = openStream(t, base, "", c.id)
	for i := range 200 {
		c.want(fmt.Sprintf("set away%d=%d", i, i))
	}

	// The daemon has restarted: it knows the data, but not the stream.
	b.kill()
	a.put("down", "3")
	b.args = []string{"-join", a.gossip}
	b.start()
	until(t, 10*time.Second, "catching up", func() error { return b.has("down", "3") })
	c = openStream(t, base, "d", c.id)
	c.want("reset =", "set down=3")
}

// Open streams do not keep a daemon from ending, not even when their clients do
// not read.
func TestSignalEndsStreams(t *testing.T) {
	t.Parallel()
	a := launch(t, "a")
	idle := openStream(t, "http://"+a.http, "none", "")
	value := strings.Repeat("x", maxValue)
	for i := range 40 {
		a.put(fmt.Sprint("big", i), value)
	}
	stuck, err := net.Dial("tcp", a.http)
	if err != nil {
		t.Fatal(err)
	}
	defer stuck.Close()
	fmt.Fprint(stuck, "GET /v1/watch HTTP/1.1\r\nHost: a\r\n\r\n")
	if _, err := stuck.Read(make([]byte, 100)); err != nil { // and no more
		t.Fatal(err)
	}
	begin := time.Now()
	a.put("while stuck", "v")
	if took := time.Since(begin); took > time.Second {
		t.Errorf("a PUT took %v while a client did not read", took)
	}
	code, took := a.terminate(syscall.SIGTERM, 6*time.Second)
	if log := a.stderr.tail(); code != 0 || strings.Contains(log, "cut off") {
		t.Errorf("exit %d: %s", code, log)
	}
	if took > drainTimeout {
		t.Errorf("SIGTERM with two open streams took %v", took)
	}
	t.Logf("SIGTERM with two open streams: exit %d after %v", code, took.Round(time.Millisecond))
	for ok := true; ok; {
		_, ok = idle.line()
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	a := launch(t, "a")
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		b := launch(t, "b", "-join", a.gossip)
		together(t, []*proc{a, b})
		key := "written just before " + sig.String()
		b.put(key, "v")
		code, took := b.terminate(sig, 6*time.Second)
		if code != 0 {
			t.Errorf("%v: exit %d", sig, code)
		}
		t.Logf("%v: exit %d after %v", sig, code, took.Round(time.Millisecond))
		until(t, 3*time.Second, "the write before the signal", func() error { return a.has(key, "v") })
		until(t, 3*time.Second, "the goodbye", func() error {
			if n := a.status().Peers; n != 0 {
				return fmt.Errorf("a still sees %d peers", n)
			}
			return nil
		})
	}

	// A request that never ends delays the end, but does not prevent it.
	conn, err := net.Dial("tcp", a.http)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "PUT /v1/kv/slow HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
	a.must("GET", "/healthz", nil)
	code, took := a.terminate(syscall.SIGTERM, 6*time.Second)
	if code != 0 {
		t.Errorf("SIGTERM with a request under way: exit %d", code)
	}
	t.Logf("SIGTERM with a request under way: exit %d after %v", code, took.Round(time.Millisecond))
}

func TestBadStart(t *testing.T) {
	t.Parallel()
	a := launch(t, "a")
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	free := []string{"-bind", "127.0.0.1:0", "-http", "127.0.0.1:0"}
	tests := []struct {
		name string
		args []string
		code int
		want string // part of the line on stderr
	}{
		{"busy gossip port", append(free, "-bind", a.gossip), 1, a.gossip},
		{"busy UDP port", append(free, "-bind", udp.LocalAddr().String()), 1, udp.LocalAddr().String()},
		{"busy HTTP port", append(free, "-http", a.http), 1, a.http},
		{"name taken", append(free, "-name", "a", "-join", a.gossip, "-log-level", "error+1"), 1, "name"},
		{"unknown flag", []string{"-nonsense"}, 2, "nonsense"},
		{"short key", []string{"-key", "00"}, 2, "-key"},
		{"bad address", []string{"-bind", "nowhere"}, 2, "-bind"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			cmd := exec.CommandContext(t.Context(), binary, tt.args...)
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			timeout := time.AfterFunc(15*time.Second, func() { cmd.Process.Kill() })
			defer timeout.Stop()
			cmd.Run()
			line := stderr.String()
			if code := cmd.ProcessState.ExitCode(); code != tt.code || stdout.Len() > 0 ||
				strings.Count(line, "\n") != 1 || !strings.Contains(line, tt.want) {
				t.Errorf("kv %q: exit %d, stdout %q, stderr %q; want %d and one line with %q",
					tt.args, code, stdout.String(), line, tt.code, tt.want)
			}
			t.Logf("exit %d: %s", cmd.ProcessState.ExitCode(), strings.TrimSpace(line))
		})
	}
}
