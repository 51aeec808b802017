package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// relay is the way to a daemon: all that others send to its gossip port goes through
// here, until it is cut.
type relay struct {
	t             *testing.T
	addr, backend string // what the daemon advertises, and where it listens
	mu            sync.Mutex
	open          map[io.Closer]bool // sockets; nil while cut
}

// launchBehind starts a daemon that others reach through a relay.
func launchBehind(t *testing.T, name string, args ...string) (*proc, *relay) {
	t.Helper()
	r := &relay{t: t, addr: freePort(t), backend: freePort(t)}
	r.mend()
	t.Cleanup(r.cut)
	return launch(t, name, append(args, "-bind", r.backend, "-advertise", r.addr)...), r
}

// ports are given out one after the other, so that none is given twice. They are below
// those that systems give to whoever asks for any port, and other packages take others.
var ports atomic.Int32

func init() { ports.Store(rand.Int32N(5000)) }

// freePort returns an address of which neither the UDP nor the TCP port is in use.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprint("127.0.0.1:", 20_000+ports.Add(1)%5000)
		udp, err := net.ListenPacket("udp", addr)
		if err != nil {
			continue
		}
		udp.Close()
		if tcp, err := net.Listen("tcp", addr); err == nil {
			tcp.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
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
	r.t.Helper()
	udp, err := net.ListenPacket("udp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	out, err := net.Dial("udp", r.backend)
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	r.open = map[io.Closer]bool{udp: true, tcp: true, out: true}
	r.mu.Unlock()
	go func() {
		for b := make([]byte, 1<<16); ; {
			n, _, err := udp.ReadFrom(b)
			if err != nil {
				return
			}
			out.Write(b[:n]) // refused while the daemon does not listen: lost
		}
	}()
	go func() {
		for {
			in, err := tcp.Accept()
			if err != nil {
				return
			}
			go r.pass(in)
		}
	}()
}

// pass is one connection.
func (r *relay) pass(in net.Conn) {
	defer in.Close()
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
