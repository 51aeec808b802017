package swim_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/swim"
)

// tape records what nodes send over sockets, by relays in front of them.
type tape struct {
	t  *testing.T
	wg sync.WaitGroup

	mu      sync.Mutex
	relays  map[string]string // what leads to an address
	packets [][]byte
	streams []*speech
}

// speech is what one side said on a connection.
type speech struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *speech) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(b)
}

func (s *speech) bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.buf.Bytes())
}

func newTape(t *testing.T) *tape {
	r := &tape{t: t, relays: map[string]string{}}
	t.Cleanup(r.wg.Wait) // relays are closed before: cleanups run last in, first out
	return r
}

// record has tr send everything through relays, which it gets one of itself.
func (r *tape) record(tr *swim.Transport) {
	r.relay(tr.Addr())
	tr.Route(func(addr string) string {
		r.mu.Lock()
		defer r.mu.Unlock()
		if relay, ok := r.relays[addr]; ok {
			return relay
		}
		return addr
	})
}

// relay starts a relay in front of an address and returns where it listens.
func (r *tape) relay(addr string) string {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, ok := r.relays[addr]; ok {
		return at
	}
	tcp, udp := listenBoth(r.t)
	r.relays[addr] = tcp.Addr().String()
	r.wg.Go(func() { r.relayPackets(udp, addr) })
	r.wg.Go(func() { r.relayStreams(tcp, addr) })
	return tcp.Addr().String()
}

// listenBoth listens for both protocols at one port, until the test ends.
func listenBoth(t *testing.T) (net.Listener, *net.UDPConn) {
	t.Helper()
	for range 20 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at := tcp.Addr().(*net.TCPAddr)
		udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: at.IP, Port: at.Port})
		if err != nil {
			_ = tcp.Close() // somebody has that port
			continue
		}
		t.Cleanup(func() {
			_ = tcp.Close()
			_ = udp.Close()
		})
		return tcp, udp
	}
	t.Fatal("no port is free for both protocols")
	return nil, nil
}

func (r *tape) relayPackets(udp *net.UDPConn, addr string) {
	to, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		r.t.Error(err)
		return
	}
	buf := make([]byte, 1<<16)
	for {
		n, err := udp.Read(buf)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.packets = append(r.packets, bytes.Clone(buf[:n]))
		r.mu.Unlock()
		_, _ = udp.WriteTo(buf[:n], to)
	}
}

func (r *tape) relayStreams(tcp net.Listener, addr string) {
	for {
		c, err := tcp.Accept()
		if err != nil {
			return
		}
		s := &speech{}
		r.mu.Lock()
		r.streams = append(r.streams, s)
		r.mu.Unlock()
		r.wg.Go(func() {
			defer c.Close()
			to, err := net.Dial("tcp", addr)
			if err != nil {
				return
			}
			defer to.Close()
			limit := time.Now().Add(patience)
			_, _ = c.SetDeadline(limit), to.SetDeadline(limit)
			r.wg.Go(func() {
				_, _ = io.Copy(io.MultiWriter(s, to), c)
				_ = to.(*net.TCPConn).CloseWrite()
			})
			_, _ = io.Copy(c, to)
		})
	}
}

// recorded returns copies of everything so far.
func (r *tape) recorded() (packets, streams [][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.streams {
		if b := s.bytes(); len(b) > 0 {
			streams = append(streams, b)
		}
	}
	return append(packets, r.packets...), streams
}
