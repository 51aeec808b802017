package main

import (
	"io"
	"net"
	"sync"
	"testing"
)

// relay is the way to a daemon: all that others send to its gossip port goes through
// here, until it is cut. It keeps its sockets while it is cut, and drops what arrives: a
// port given back may be gone, be it only because a process that another test has just
// started holds a copy of the socket until it executes its own program.
type relay struct {
	tcp     net.Listener
	udp     net.PacketConn
	backend string // where the daemon listens
	mu      sync.Mutex
	open    map[net.Conn]bool // TCP, both sides; nil while cut
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
	r := &relay{open: map[net.Conn]bool{}}
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
	for c := range r.open {
		c.Close()
	}
	r.open = nil
}

// mend ends a cut.
func (r *relay) mend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = map[net.Conn]bool{}
}

func (r *relay) isCut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open == nil
}

// forward is the datagrams' way.
func (r *relay) forward(out net.Conn) {
	for b := make([]byte, 1<<16); ; {
		n, _, err := r.udp.ReadFrom(b)
		if err != nil {
			return
		}
		if !r.isCut() {
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
		go r.pass(in)
	}
}

// pass is one connection.
func (r *relay) pass(in net.Conn) {
	defer in.Close()
	if r.isCut() {
		return
	}
	out, err := net.Dial("tcp", r.backend)
	if err != nil {
		return
	}
	defer out.Close()
	r.mu.Lock()
	cut := r.open == nil
	if !cut {
		r.open[in], r.open[out] = true, true
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
	delete(r.open, in)
	delete(r.open, out)
	r.mu.Unlock()
}
