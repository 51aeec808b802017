package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestStrangers(t *testing.T) {
	t.Parallel()
	key := []string{"-key", strings.Repeat("0a", 16)}
	a := launch(t, "a", key...)
	b := launch(t, "b", append(key, "-join", a.gossip)...)
	strangers := []*proc{
		launch(t, "other-cluster", append(key, "-join", a.gossip, "-cluster", "other")...),
		launch(t, "other-key", "-join", a.gossip, "-key", strings.Repeat("0b", 16)),
		launch(t, "no-key", "-join", a.gossip),
	}
	together(t, []*proc{a, b})
	for _, p := range append(strangers, a) {
		p.put("of "+p.name, "secret")
	}
	until(t, 3*time.Second, "a PUT between equals", func() error { return b.has("of a", "secret") })
	// Absence has no event to wait for: watch for some rounds.
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) { // pace of looking for what must not happen
		for _, p := range strangers {
			if err := p.has("of a", ""); err != nil {
				t.Fatal(err)
			}
			if s := p.status(); len(s.Vector) != 1 || s.Peers != 0 {
				t.Fatalf("%s knows of others: %+v", p.name, s)
			}
			for _, q := range []*proc{a, b} {
				if err := q.has("of "+p.name, ""); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if s := a.status(); len(s.Vector) != 1 || s.Peers != 1 {
		t.Errorf("a knows strangers: %+v", s)
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	a := launch(t, "a")
	b := launch(t, "b", "-join", a.gossip)
	limit := string(bytes.Repeat([]byte{'x'}, maxValue))
	if code, body, err := a.do("PUT", "/v1/kv/big", []byte(limit+"x")); err != nil || code != 413 {
		t.Errorf("a value of %d bytes: %d %q %v, want 413", len(limit)+1, code, body, err)
	}
	a.put("big", limit)
	a.put("small", "next")
	took := until(t, 3*time.Second, "the next PUT", func() error { return b.has("small", "next") })
	t.Logf("the PUT after the refused one is at b after %v", took.Round(time.Millisecond))
	until(t, 3*time.Second, "a value at the limit", func() error { return b.has("big", limit) })
}

// TestGarbage sends bytes that mean nothing to the gossip ports.
func TestGarbage(t *testing.T) {
	t.Parallel()
	a := launch(t, "a", "-log-level", "error")
	b := launch(t, "b", "-join", a.gossip)
	together(t, []*proc{a, b})
	b.put("before", "1")
	until(t, 3*time.Second, "a PUT", func() error { return a.has("before", "1") })
	until(t, 10*time.Second, "equal state", func() error { return same([]*proc{a, b}) })
	before, counted := a.status(), a.garbage()

	noise := make([]byte, 1400)
	for i := range 200 {
		rand.Read(noise)
		send(t, "udp", a.gossip, noise[:1+i*7])
		if i%10 == 0 {
			send(t, "tcp", a.gossip, noise[:1+i*7])
		}
	}
	until(t, 5*time.Second, "counting garbage", func() error {
		if n := a.garbage(); n <= counted {
			return fmt.Errorf("%v, as before", n)
		}
		return nil
	})
	if after := a.status(); !reflect.DeepEqual(after, before) {
		t.Errorf("status changed from %+v to %+v", before, after)
	}
	t.Logf("counted garbage went from %v to %v", counted, a.garbage())
	b.put("after", "2")
	until(t, 3*time.Second, "a PUT afterwards", func() error { return a.has("after", "2") })
}

func send(t *testing.T, network, addr string, b []byte) {
	t.Helper()
	conn, err := net.DialTimeout(network, addr, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	conn.Write(b) // the other side may hang up on the first byte: fine
}

// garbage returns how much has arrived that was no message.
func (p *proc) garbage() float64 {
	p.t.Helper()
	return p.metric("scuttlebutt_transport_total{", `counter="reject_`) +
		p.metric("scuttlebutt_dropped_total{", `reason="malformed"`)
}
