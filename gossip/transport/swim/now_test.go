//go:build unix

package swim

import (
	"bytes"
	"io"
	"net"
	"testing"
)

// WriteNow writes what there is room for, and never waits for more. All of that arrives,
// and is counted. A connection that the other end has reset is closed.
func TestWriteNow(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	raw, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	s := &sockets{ctx: t.Context(), count: &counters{}, conns: map[*conn]struct{}{}}
	c := s.track(raw, nil)
	sent := bytes.Repeat([]byte("all of this, in this order"), 2<<20)
	total := 0
	for total < len(sent) { // more than the kernel keeps
		n, err := c.WriteNow(sent[total:])
		if err != nil {
			t.Fatal(err)
		}
		if total += n; n == 0 {
			break
		}
	}
	if total == 0 || total == len(sent) {
		t.Fatalf("%d bytes of %d were taken by a connection that nobody reads", total, len(sent))
	}
	if n := s.count[tcpBytesOut].Load(); n != uint64(total) {
		t.Errorf("%d bytes were counted, want %d", n, total)
	}
	got := make([]byte, total)
	if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, sent[:total]) {
		t.Errorf("what arrives is not what was sent: %v", err)
	}
	if n, err := c.WriteNow([]byte("more")); n != 4 || err != nil {
		t.Errorf("%d bytes of 4 were taken when there was room again, %v", n, err)
	}
	_ = far.Close() // with something unread: a reset
	_, _ = raw.Read(make([]byte, 1))
	if n, err := c.WriteNow([]byte("more")); n != 0 || err == nil {
		t.Errorf("%d bytes were taken by a connection that was reset, %v", n, err)
	}
	if len(s.conns) != 0 {
		t.Error("it was not closed")
	}
}
