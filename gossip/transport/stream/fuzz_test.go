package stream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/quick"
	"time"
)

// saying is a connection whose other end has said b and closed.
type saying struct {
	net.Conn // nil: nothing else is called
	in       *bytes.Reader
}

func newSaying(b []byte) *saying { return &saying{in: bytes.NewReader(b)} }

func (s *saying) Read(b []byte) (int, error)       { return s.in.Read(b) }
func (s *saying) Write(b []byte) (int, error)      { return len(b), nil }
func (s *saying) Close() error                     { return nil }
func (s *saying) SetDeadline(time.Time) error      { return nil }
func (s *saying) SetReadDeadline(time.Time) error  { return nil }
func (s *saying) SetWriteDeadline(time.Time) error { return nil }
func (s *saying) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

func silent(t testing.TB, key []byte) *Links {
	l, err := New(Config{
		Name: "b", Cluster: "c", Key: key, MaxMessage: 1 << 16, Deliver: func([]byte) {},
		Dial: func(context.Context, string) (net.Conn, error) { return nil, io.EOF },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// FuzzAccept has a stranger say anything, with and without a key: nobody who does not
// repeat the nonce is let in, nothing panics.
func FuzzAccept(f *testing.F) {
	plain, sealed := silent(f, nil), silent(f, make([]byte, 16))
	preface := append([]byte{First, version, plainMode}, make([]byte, nonceBytes)...)
	f.Add([]byte{})
	f.Add(preface)
	f.Add(append(preface, 0, 0, 0, 3, 1, 'c', 0))
	f.Add(append(append([]byte{First, version, sealedMode}, make([]byte, nonceBytes)...), 0, 0, 0, 16, 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, l := range []*Links{plain, sealed} {
			if c, err := l.acceptHandshake(newSaying(b)); err == nil {
				t.Errorf("let in as %q", c.peer)
			}
			if c, err := l.dialHandshake(newSaying(b), "a"); err == nil {
				t.Errorf("taken for %q", c.peer)
			}
		}
	})
}

// FuzzFrames reads frames out of anything: they are parts of it, within the limit.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 7, 0, 0, 0, 0})
	f.Add([]byte{255, 255, 255, 255, 1})
	f.Add([]byte{0, 0, 1})
	l := silent(f, nil)
	f.Fuzz(func(t *testing.T, b []byte) {
		c := l.greet(newSaying(b), false).conn
		total := 0
		for {
			msg, err := c.readFrame(100)
			if err != nil {
				if errors.Is(err, io.EOF) && total != len(b) {
					t.Errorf("%d of %d bytes read, and the end looks like one", total, len(b))
				}
				return
			}
			if total += headBytes + len(msg); len(msg) > 100 || !bytes.HasSuffix(b[:total], msg) {
				t.Fatalf("%q is no frame of %q", msg, b)
			}
		}
	})
}

func TestHello(t *testing.T) {
	check := func(cluster, from, to string, i instance, n nonce) bool {
		h := hello{cluster[:min(len(cluster), maxCluster)], "x" + from[:min(len(from), maxName-1)], to[:min(len(to), maxName)], i, n}
		b := h.encode()
		got, ok := decodeHello(b)
		if !ok || got != h || len(b) > helloBytes {
			return false
		}
		for cut := range b { // whatever is missing, or too much
			if _, ok := decodeHello(b[:cut]); ok {
				return false
			}
		}
		_, ok = decodeHello(append(b, 0))
		return !ok
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}

// A frame is opened once, in its place, in its direction, with its length.
func TestSeal(t *testing.T) {
	key := []byte("0123456789abcdef")
	dialer, acceptor := newNonce(), newNonce()
	make := func(key []byte, dialer, acceptor nonce, direction string) *seal {
		s, err := newSeal(key, dialer, acceptor, direction)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	head := []byte{0, 0, 0, 19}
	out := make(key, dialer, acceptor, fromDialer)
	first, second := out.append(nil, head, []byte("abc")), out.append(nil, head, []byte("abc"))
	if bytes.Equal(first, second) {
		t.Error("two frames are sealed alike")
	}
	for _, tt := range []struct {
		name   string
		opens  *seal
		frames [][]byte
		head   []byte
		want   []bool
	}{
		{"in order", make(key, dialer, acceptor, fromDialer), [][]byte{first, second}, head, []bool{true, true}},
		{"the second first", make(key, dialer, acceptor, fromDialer), [][]byte{second}, head, []bool{false}},
		{"twice", make(key, dialer, acceptor, fromDialer), [][]byte{first, first}, head, []bool{true, false}},
		{"another length", make(key, dialer, acceptor, fromDialer), [][]byte{first}, []byte{0, 0, 0, 20}, []bool{false}},
		{"sent back", make(key, dialer, acceptor, fromAcceptor), [][]byte{first}, head, []bool{false}},
		{"another connection", make(key, dialer, newNonce(), fromDialer), [][]byte{first}, head, []bool{false}},
		{"another key", make([]byte("0123456789abcdeg"), dialer, acceptor, fromDialer), [][]byte{first}, head, []bool{false}},
	} {
		for i, f := range tt.frames {
			msg, err := tt.opens.open(tt.head, bytes.Clone(f))
			if ok := err == nil; ok != tt.want[i] || ok && string(msg) != "abc" {
				t.Errorf("%s: frame %d is %q, %v; opened %v, want %v", tt.name, i, msg, err, ok, tt.want[i])
			}
		}
	}
}

func TestValidate(t *testing.T) {
	good := Config{Name: "a", Dial: func(context.Context, string) (net.Conn, error) { return nil, io.EOF }, Deliver: func([]byte) {}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for field, set := range map[string]func(*Config){
		"Name": func(c *Config) { c.Name = "" }, "Cluster": func(c *Config) { c.Cluster = string(make([]byte, 256)) },
		"Key": func(c *Config) { c.Key = make([]byte, 15) }, "Dial": func(c *Config) { c.Dial = nil }, "Deliver": func(c *Config) { c.Deliver = nil },
		"MaxMessage": func(c *Config) { c.MaxMessage = 1 << 30 }, "SendQueue": func(c *Config) { c.SendQueue = -1 }, "Timeout": func(c *Config) { c.Timeout = -1 }, "CompressAbove": func(c *Config) { c.CompressAbove = -1 },
	} {
		cfg := good
		set(&cfg)
		if _, err := New(cfg); err == nil || !bytes.Contains([]byte(err.Error()), []byte(field)) {
			t.Errorf("bad %s: %v, want an error that names it", field, err)
		}
	}
}
