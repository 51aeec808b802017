package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// quick makes daemons collect within seconds.
const quick = 200 * time.Millisecond

// stop holds a daemon up, until resume; it returns when nothing of it runs any more.
func (p *proc) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		p.t.Fatal(err)
	}
	var status syscall.WaitStatus
	_, err := syscall.Wait4(p.cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
	for err == syscall.EINTR {
		_, err = syscall.Wait4(p.cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
	}
	if err != nil || !status.Stopped() {
		p.t.Fatalf("%s was to be stopped: %v, %v", p.name, status, err)
	}
}

func (p *proc) resume() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		p.t.Fatal(err)
	}
}

// blames reports nil while nothing has been collected here, and a reason for that has
// this text.
func (p *proc) blames(text string) error {
	s := p.status()
	blamed := slices.ContainsFunc(s.Collection.Waiting, func(w string) bool { return strings.Contains(w, text) })
	if !blamed || s.Collection.Collected > 0 || s.Spaces[space].Tombstones == 0 {
		return fmt.Errorf("%s: %d tombstones, %+v; want none collected because of %q", p.name, s.Spaces[space].Tombstones, s.Collection, text)
	}
	return nil
}

// collected reports nil once nothing waits here to be collected.
func (p *proc) collected() error {
	s := p.status()
	if n := s.Spaces[space].Tombstones; n > 0 || s.Collection.Oldest != "" || len(s.Collection.Waiting) > 0 {
		return fmt.Errorf("%s: %d tombstones, %+v", p.name, n, s.Collection)
	}
	return nil
}

// unload deletes keys, those of want, at several daemons at once.
func unload(t *testing.T, procs []*proc, want map[string]string) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, len(procs))
	keys := slices.Sorted(maps.Keys(want))
	begin := time.Now()
	for i, p := range procs {
		wg.Go(func() {
			for k := i; k < len(keys); k += len(procs) {
				if code, body, err := p.do("DELETE", "/v1/kv/"+url.PathEscape(keys[k]), nil); err != nil || code != 204 {
					errs[i] = fmt.Errorf("%s: DELETE %s = %d %s", p.name, keys[k], code, reason(err, body))
					return
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d keys deleted at %d daemons in %v", len(keys), len(procs), time.Since(begin).Round(time.Millisecond))
}

// keeps reports nil once a daemon has so many keys.
func (p *proc) keeps(n int) error {
	if keys := p.status().Spaces[space].Keys; keys != n {
		_, first, err := p.do("GET", "/v1/kv?limit=3", nil)
		return fmt.Errorf("%s: %d keys, want %d; the first are %s", p.name, keys, n, reason(err, first))
	}
	return nil
}

// silence waits until the daemons have written no report for a while.
func silence(t *testing.T, procs []*proc, while time.Duration) {
	t.Helper()
	last, since := -1.0, time.Now()
	took := until(t, 10*while, "an end of reports", func() error {
		n := 0.0
		for _, p := range procs {
			n += p.metric("scuttlebutt_reports_total")
		}
		if n != last {
			last, since = n, time.Now()
		}
		if quiet := time.Since(since); quiet < while {
			return fmt.Errorf("%v reports, none for %v", n, quiet)
		}
		return nil
	})
	t.Logf("no report after %v, of %v in all", (took - while).Round(time.Millisecond), last)
	if last == 0 {
		t.Error("there were no reports")
	}
}

// What was deleted while a daemon was away, and collected since, does not come back with
// it; and what it alone had written does not go.
func TestDeletedStaysDeleted(t *testing.T) {
	t.Parallel()
	deletedStaysDeleted(t, 2000, quick, 5*time.Second)
}

func deletedStaysDeleted(t *testing.T, each int, report, remove time.Duration) {
	args := []string{"-report-interval", report.String(), "-remove-after", remove.String()}
	var procs []*proc
	var relays []*relay
	for _, name := range []string{"a", "b", "c", "d", "e"} { // e, too: it writes over connections that others have made
		p, r := launchBehind(t, name, args...)
		procs, relays = append(procs, p), append(relays, r)
		args = append(args[:4:4], "-join", procs[0].gossip)
	}
	four, e := procs[:4], procs[4]
	together(t, procs)
	want := load(t, procs, "k/", each)
	took := until(t, 30*time.Second, "equal state", func() error { return same(procs) })
	t.Logf("equal after another %v", took.Round(time.Millisecond))
	everywhere(t, 0, "all keys", procs, func(p *proc) error { return p.hasAll("", want) })

	// What e writes now cannot leave it: not even that there is something.
	for _, r := range relays {
		r.cut()
	}
	e.put("unpublished", "of e alone")
	e.stop()
	for _, r := range relays {
		r.mend()
	}
	stopped := time.Now()
	const early = "k/a/0"
	four[0].must("DELETE", "/v1/kv/"+url.PathEscape(early), nil)
	everywhere(t, remove, "waiting for e", four, func(p *proc) error { return p.blames("e has not reported") })
	for _, p := range four {
		if p.metric("scuttlebutt_collection_blocked") == 0 || p.metric("scuttlebutt_stable_lag_seconds") == 0 {
			t.Errorf("%s: the metrics do not say that a tombstone waits", p.name)
		}
	}
	delete(want, early)
	unload(t, four, want)
	last := time.Now()
	everywhere(t, 30*time.Second, "no keys", four, func(p *proc) error { return p.keeps(0) })
	var streams []*sse
	for _, p := range four {
		streams = append(streams, openStream(t, "http://"+p.http, "k/", ""))
	}
	everywhere(t, 30*time.Second+remove+10*report, "collection without e", four, (*proc).collected)
	t.Logf("collected %v after e was stopped, %v after the last delete", time.Since(stopped).Round(time.Millisecond), time.Since(last).Round(time.Millisecond))

	e.resume()
	begin := time.Now()
	everywhere(t, 30*time.Second, "e as it should be", procs, func(p *proc) error { return errors.Join(p.keeps(1), p.has("unpublished", "of e alone")) })
	t.Logf("all have what e wrote alone, and nothing else, %v after its return", time.Since(begin).Round(time.Millisecond))
	took = until(t, 30*time.Second, "equal state", func() error { return same(procs) })
	t.Logf("equal after another %v", took.Round(time.Millisecond))
	everywhere(t, 30*time.Second, "nothing waiting", procs, (*proc).collected)
	silence(t, procs, 10*report)
	everywhere(t, 0, "the end", procs, func(p *proc) error { return errors.Join(p.keeps(1), p.has("unpublished", "of e alone"), p.collected()) })
	four[0].put("k/mark", "1")
	for _, c := range streams { // nothing came back meanwhile, not even for a moment
		c.want("set k/mark=1")
	}

	for _, p := range procs {
		collected, resets, gone := p.metric("scuttlebutt_collected_updates_total"), p.metric("scuttlebutt_resets_total"), p.metric("scuttlebutt_reset_updates_total")
		if n := p.metric("scuttlebutt_mismatches_total"); n != 0 {
			t.Errorf("%s counts %v mismatches, though nothing broke", p.name, n)
		}
		t.Logf("%s: %v collected, %v resets that removed %v, %v repairs", p.name, collected, resets, gone,
			p.metric("scuttlebutt_repairs_total"))
		if n := float64(5 * each); p != e && collected+gone < n || p == e && (resets == 0 || gone < n) {
			t.Errorf("%s: the metrics do not show %v updates", p.name, n)
		}
		if s := p.status().Collection; float64(s.Collected) != collected || float64(s.Resets) != resets {
			t.Errorf("%s: status %+v, but metrics say %v collected, %v resets", p.name, s, collected, resets)
		}
	}
}

// A daemon that restarts again and again, and writes the same keys each time, leaves
// nothing behind in the others' vectors.
func TestRestartsLeaveNothing(t *testing.T) {
	t.Parallel()
	const restarts = 30
	procs := three(t, "-report-interval", quick.String())
	others, c := procs[:2], procs[2]
	want := make(map[string]string)
	overwrite := func(life int) {
		t.Helper()
		for k := range 10 {
			key, value := fmt.Sprint("k", k), fmt.Sprint("life ", life)
			c.put(key, value)
			want[key] = value
		}
		everywhere(t, 10*time.Second, fmt.Sprint("what life ", life, " wrote"), others, func(p *proc) error { return p.hasAll("k", want) })
	}
	for _, p := range procs {
		p.put("of "+p.name, "v")
	}
	overwrite(0)
	everywhere(t, 10*time.Second, "what each wrote", others, func(p *proc) error {
		return errors.Join(p.has("of a", "v"), p.has("of b", "v"), p.has("of c", "v"))
	})
	before := len(others[0].status().Vector)
	begin, longest := time.Now(), 0
	for life := range restarts {
		if life%2 == 0 {
			c.kill()
		} else if code, _ := c.terminate(syscall.SIGTERM, 10*time.Second); code != 0 {
			t.Fatalf("exit %d at the end of life %d", code, life)
		}
		c.start()
		overwrite(life + 1)
		longest = max(longest, len(others[0].status().Vector))
	}
	t.Logf("%d restarts in %v; at most %d replicas in the vector, %d before", restarts, time.Since(begin).Round(time.Millisecond), longest, before)
	took := everywhere(t, 30*time.Second, "a short vector", others, func(p *proc) error {
		if v := p.status().Vector; len(v) > before+1 {
			return fmt.Errorf("%s knows %d replicas, %d before: %v", p.name, len(v), before, v)
		}
		return nil
	})
	t.Logf("at most %d %v after the last", before+1, took.Round(time.Millisecond))
	until(t, 10*time.Second, "equal state", func() error { return same(procs) })
	everywhere(t, 0, "the keys", procs, func(p *proc) error { return p.hasAll("k", want) })
	silence(t, procs, 10*quick)
}

// Without a majority nothing is collected, until those that are lost are retired.
func TestRetire(t *testing.T) {
	t.Parallel()
	args := []string{"-report-interval", quick.String(), "-remove-after", "1s"}
	var procs []*proc
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		procs = append(procs, launch(t, name, args...))
		args = append(args[:4:4], "-join", procs[0].gossip)
	}
	together(t, procs)
	want := load(t, procs, "k/", 40)
	until(t, 10*time.Second, "equal state", func() error { return same(procs) })
	a, two, lost := procs[0], procs[:2], procs[2:]
	for _, p := range lost {
		p.kill()
	}
	retire := func(method, name string, status int) {
		t.Helper()
		if code, body, err := a.do(method, "/v1/members/"+url.PathEscape(name)+"/retire", nil); err != nil || code != status {
			t.Errorf("%s retire of %s = %d %s; want %d", method, name, code, reason(err, body), status)
		}
	}
	unload(t, two, want)
	took := everywhere(t, 60*time.Second, "no majority", two, func(p *proc) error { return p.blames("2 of 5 known nodes are members: no majority") })
	t.Logf("no majority %v after the last delete", took.Round(time.Millisecond))

	retire(http.MethodPost, "a", http.StatusConflict)
	retire(http.MethodPost, "b", http.StatusConflict)
	retire(http.MethodPost, "nobody", http.StatusNotFound)
	retire(http.MethodGet, "c", http.StatusMethodNotAllowed)
	retire(http.MethodPost, "c", http.StatusNoContent)
	everywhere(t, 10*time.Second, "one of them", two, func(p *proc) error { return p.blames("2 of 4 known nodes are members: no majority") })
	retire(http.MethodPost, "d", http.StatusNoContent)
	retire(http.MethodPost, "d", http.StatusNoContent) // again: it is so already
	took = everywhere(t, 30*time.Second, "collection", two, (*proc).collected)
	t.Logf("collected %v after the second of them was retired", took.Round(time.Millisecond))
	for _, p := range two {
		if s := p.status(); s.Collection.Collected < uint64(len(want)) || s.Collection.Retired < 2 || s.Spaces[space].Keys != 0 {
			t.Errorf("%s: %d keys, %+v", p.name, s.Spaces[space].Keys, s.Collection)
		}
	}
	silence(t, two, 10*quick)
}
