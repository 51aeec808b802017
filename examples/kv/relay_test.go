package main

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// relay is the way to a daemon: all that others send to its gossip port goes through
// here, until it is cut. It keeps its sockets while it is cut, and drops what arrives: a
// port given back may be gone, be it only because a process that another test has just
// started holds a copy of the socket until it executes its own program.
type relay struct {
	t       *testing.T
	tcp     net.Listener
	udp     net.PacketConn
	backend string // where the daemon listens
	mu      sync.Mutex
	path    *path         // nil while cut
	last    string        // who sends the last datagram to be dropped
	dropped chan struct{} // closed once it is; nil while that is not asked
}

// path is what goes through until the next cut.
type path struct {
	cut  bool
	open map[net.Conn]bool // TCP, both sides
}

// launchBehind starts a daemon that others reach through a relay.
func launchBehind(t *testing.T, name string, args ...string) (*proc, *relay) {
	t.Helper()
	r := newRelay(t)
	return launch(t, name, append(args, "-bind", r.backend, "-advertise", r.tcp.Addr().String())...), r
}

// newRelay listens on a free port. The daemon's is the same of another loopback address,
// which nobody else uses.
func newRelay(t *testing.T) *relay {
	t.Helper()
	r := &relay{t: t}
	for attempts := 100; r.udp == nil; attempts-- {
		var err error
		if r.tcp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if r.udp, err = net.ListenPacket("udp", r.tcp.Addr().String()); err != nil {
			r.tcp.Close()
			if attempts == 0 {
				t.Fatal(err)
			}
		}
	}
	_, port, _ := net.SplitHostPort(r.tcp.Addr().String())
	r.backend = net.JoinHostPort("127.0.0.2", port)
	out, err := net.Dial("udp", r.backend)
	if err != nil {
		t.Fatal(err)
	}
	r.pass()
	t.Cleanup(func() {
		r.cut()
		r.tcp.Close()
		r.udp.Close()
		out.Close()
	})
	go r.forward(out)
	go r.accept()
	return r
}

// cut drops what is under way, and all that is sent from now on.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.path == nil {
		return
	}
	for c := range r.path.open {
		c.Close()
	}
	r.path.cut, r.path = true, nil
}

// mend ends a cut, once all that was sent meanwhile is dropped.
func (r *relay) mend() {
	r.t.Helper()
	udp, err := net.Dial("udp", r.udp.LocalAddr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	defer udp.Close()
	dropped := make(chan struct{})
	r.mu.Lock()
	r.last, r.dropped = udp.LocalAddr().String(), dropped
	r.mu.Unlock()
	for waiting := true; waiting; {
		udp.Write([]byte("last")) // is lost if there is no room
		select {
		case <-dropped:
			waiting = false
		case <-time.After(10 * time.Millisecond):
		}
	}
	tcp, err := net.Dial("tcp", r.tcp.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	defer tcp.Close()
	io.Copy(io.Discard, tcp) // until it is closed, as those before
	r.pass()
}

func (r *relay) pass() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.path = &path{open: map[net.Conn]bool{}}
}

// forward is the datagrams' way.
func (r *relay) forward(out net.Conn) {
	for b := make([]byte, 1<<16); ; {
		n, from, err := r.udp.ReadFrom(b)
		if err != nil {
			return
		}
		r.mu.Lock()
		cut, last := r.path == nil, r.last == from.String()
		if last && r.dropped != nil {
			close(r.dropped)
			r.dropped = nil
		}
		r.mu.Unlock()
		if !cut && !last {
			out.Write(b[:n]) // refused while the daemon does not listen: lost
		}
	}
}

func (r *relay) accept() {
	for {
		in, err := r.tcp.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		p := r.path
		r.mu.Unlock()
		if p == nil {
			in.Close()
			continue
		}
		go r.connect(p, in)
	}
}

// connect is one connection.
func (r *relay) connect(p *path, in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", r.backend)
	if err != nil {
		return
	}
	defer out.Close()
	r.mu.Lock()
	cut := p.cut
	if !cut {
		p.open[in], p.open[out] = true, true
	}
	r.mu.Unlock()
	if cut {
		return
	}
	back := make(chan struct{})
	go func() {
		defer close(back)
		io.Copy(in, out)
		in.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(out, in)
	out.(*net.TCPConn).CloseWrite()
	<-back
	r.mu.Lock()
	delete(p.open, in)
	delete(p.open, out)
	r.mu.Unlock()
}
