package swim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/stream"
)

// sockets is what memberlist sends and receives through: one UDP and one TCP
// socket on one port. Unlike memberlist's own it bounds incoming connections,
// gives every connection a deadline, counts bytes, and stops with all it started.
type sockets struct {
	count     *counters
	tcp       *net.TCPListener
	udp       *net.UDPConn
	addr      netip.AddrPort // what others use
	dialLimit time.Duration
	patience  time.Duration // for the first byte of an incoming connection
	maxConns  int
	cut       func(from, to string, ch transport.Channel) bool // Config.Cut

	// route, when set, says where an address leads, "" for nowhere: tests record and
	// cut with it.
	route atomic.Pointer[func(addr string) string]

	ctx     context.Context // done when shut down
	cancel  context.CancelFunc
	packets chan *memberlist.Packet
	streams chan net.Conn
	wg      sync.WaitGroup // the two readers, and incoming connections until their users are done with them

	mu    sync.Mutex
	conns map[*conn]struct{} // all that are open
	seq   uint64             // of incoming connections
}

var _ memberlist.NodeAwareTransport = (*sockets)(nil)

const (
	maxPacket    = 65536 // bytes of a UDP packet
	udpRecvBytes = 2 << 20
	bindAttempts = 10 // to find a port free for both protocols
	readPause    = 5 * time.Millisecond
)

// listen opens the sockets.
func listen(ctx context.Context, cfg Config, count *counters) (*sockets, error) {
	bind, err := resolveOne(ctx, cfg.Bind)
	if err != nil {
		return nil, fmt.Errorf("swim: Bind: %w", err)
	}
	s := &sockets{
		count:     count,
		dialLimit: cfg.DialTimeout,
		patience:  cfg.TCPTimeout,
		maxConns:  cfg.MaxConns,
		cut:       cfg.Cut,
		packets:   make(chan *memberlist.Packet),
		streams:   make(chan net.Conn),
		conns:     map[*conn]struct{}{},
	}
	for attempt := 1; ; attempt++ {
		if s.tcp, s.udp, err = listenBoth(bind); err == nil {
			break
		}
		if bind.Port() != 0 || attempt == bindAttempts {
			return nil, fmt.Errorf("swim: %w", err) // it says "listen", and where
		}
	}
	if s.addr, err = advertised(ctx, cfg.Advertise, s.tcp.Addr().(*net.TCPAddr).AddrPort()); err != nil {
		_ = s.tcp.Close()
		_ = s.udp.Close()
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// run begins to read. Connections that are links go to serve, all others and
// packets to memberlist.
func (s *sockets) run(serve func(net.Conn)) {
	s.wg.Go(s.readPackets)
	s.wg.Go(func() { s.accept(serve) })
}

func listenBoth(bind netip.AddrPort) (*net.TCPListener, *net.UDPConn, error) {
	network := "" // both families
	if bind.Addr().Is4() {
		network = "4"
	}
	tcp, err := net.ListenTCP("tcp"+network, net.TCPAddrFromAddrPort(bind))
	if err != nil {
		return nil, nil, err
	}
	port := tcp.Addr().(*net.TCPAddr).AddrPort().Port()
	udp, err := net.ListenUDP("udp"+network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(bind.Addr(), port)))
	if err != nil {
		_ = tcp.Close()
		return nil, nil, err
	}
	for size := udpRecvBytes; size > 0 && udp.SetReadBuffer(size) != nil; size /= 2 {
	}
	return tcp, udp, nil
}

// readPackets passes UDP packets to memberlist, each in bytes of its own.
func (s *sockets) readPackets() {
	buf := make([]byte, maxPacket)
	for {
		n, from, err := s.udp.ReadFromUDPAddrPort(buf)
		now := time.Now()
		if s.ctx.Err() != nil {
			return
		}
		if err != nil {
			s.pause()
			continue
		}
		s.count.add(udpBytesIn, n)
		if n == 0 {
			s.count.inc(rejectMalformed)
			continue
		}
		p := &memberlist.Packet{
			Buf:       append([]byte(nil), buf[:n]...),
			From:      net.UDPAddrFromAddrPort(netip.AddrPortFrom(from.Addr().Unmap(), from.Port())),
			Timestamp: now,
		}
		select {
		case s.packets <- p:
		case <-s.ctx.Done():
			return
		}
	}
}

// accept takes incoming connections.
func (s *sockets) accept(serve func(net.Conn)) {
	for {
		raw, err := s.tcp.AcceptTCP()
		if s.ctx.Err() != nil {
			if err == nil {
				_ = raw.Close()
			}
			return
		}
		if err != nil { // out of file descriptors, say
			s.pause()
			continue
		}
		s.wg.Add(1)
		c := s.track(raw, s.wg.Done)
		s.wg.Go(func() { s.sort(c, serve) })
	}
}

// sort passes an incoming connection on to whoever its first byte is for. One that
// is closed without a word came from a node that stopped just then, or from somebody
// who looked whether anybody listens.
func (s *sockets) sort(c *conn, serve func(net.Conn)) {
	_ = c.SetDeadline(time.Now().Add(s.patience))
	first, err := c.peek()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.count.inc(rejectStalled)
		_ = c.Close()
	case err != nil:
		_ = c.Close()
	case first == stream.First:
		c.keep()
		serve(c)
	default:
		select {
		case s.streams <- c:
		case <-s.ctx.Done():
			_ = c.Close()
		}
	}
}

// pause keeps a loop whose call fails again and again from spinning.
func (s *sockets) pause() {
	select {
	case <-time.After(readPause):
	case <-s.ctx.Done():
	}
}

// PacketCh implements memberlist.Transport.
func (s *sockets) PacketCh() <-chan *memberlist.Packet { return s.packets }

// StreamCh implements memberlist.Transport.
func (s *sockets) StreamCh() <-chan net.Conn { return s.streams }

// FinalAdvertiseAddr implements memberlist.Transport.
func (s *sockets) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return net.IP(s.addr.Addr().AsSlice()), int(s.addr.Port()), nil
}

// WriteTo implements memberlist.Transport.
func (s *sockets) WriteTo(b []byte, addr string) (time.Time, error) {
	if addr = s.routed(addr, transport.Datagram); addr == "" {
		return time.Now(), nil
	}
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return time.Time{}, err
	}
	n, err := s.udp.WriteToUDPAddrPort(b, to)
	s.count.add(udpBytesOut, n)
	return time.Now(), err
}

// WriteToAddress implements memberlist.NodeAwareTransport.
func (s *sockets) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	return s.WriteTo(b, a.Addr)
}

// DialTimeout implements memberlist.Transport. The time limit holds for the whole
// life of the connection, as memberlist sets none when it writes messages; the
// connecting alone has the shorter Config.DialTimeout.
func (s *sockets) DialTimeout(addr string, limit time.Duration) (net.Conn, error) {
	deadline := time.Now().Add(limit)
	ctx, cancel := context.WithDeadline(s.ctx, deadline)
	defer cancel()
	c, err := s.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(deadline)
}

// dial connects within Config.DialTimeout.
func (s *sockets) dial(ctx context.Context, addr string) (net.Conn, error) {
	if addr = s.routed(addr, transport.Stream); addr == "" {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.EHOSTUNREACH}
	}
	d := net.Dialer{Timeout: s.dialLimit}
	raw, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return s.track(raw, nil), nil
}

// DialAddressTimeout implements memberlist.NodeAwareTransport.
func (s *sockets) DialAddressTimeout(a memberlist.Address, limit time.Duration) (net.Conn, error) {
	return s.DialTimeout(a.Addr, limit)
}

// Shutdown implements memberlist.Transport: it closes all sockets and waits until
// nobody reads from them.
func (s *sockets) Shutdown() error {
	s.mu.Lock()
	s.cancel()
	open := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		open = append(open, c)
	}
	s.mu.Unlock()
	err := errors.Join(s.tcp.Close(), s.udp.Close())
	for _, c := range open {
		_ = c.Conn.Close() // who uses it gets an error and closes it
	}
	s.wg.Wait()
	return err
}

// diverts reports whether something that is sent may go elsewhere, or nowhere.
func (s *sockets) diverts() bool { return s.cut != nil || s.route.Load() != nil }

// routed returns where what goes to an address is to be sent, "" for nowhere.
func (s *sockets) routed(addr string, ch transport.Channel) string {
	if s.cut != nil && s.cut(s.addr.String(), addr, ch) {
		return ""
	}
	if f := s.route.Load(); f != nil {
		return (*f)(addr)
	}
	return addr
}

// isOwn reports whether an address leads back to this process.
func (s *sockets) isOwn(a netip.AddrPort) bool {
	bound := s.tcp.Addr().(*net.TCPAddr).AddrPort()
	if a == s.addr || a == netip.AddrPortFrom(bound.Addr().Unmap(), bound.Port()) {
		return true
	}
	if a.Port() != bound.Port() || !bound.Addr().IsUnspecified() {
		return false
	}
	if a.Addr().IsLoopback() || a.Addr().IsUnspecified() {
		return true
	}
	ifs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, i := range ifs {
		if p, err := netip.ParsePrefix(i.String()); err == nil && p.Addr().Unmap() == a.Addr() {
			return true
		}
	}
	return false
}

func portOf(hostport, otherwise string) (host, port string) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return hostport, otherwise
	}
	if n, err := strconv.Atoi(port); err == nil && n == 0 {
		port = otherwise
	}
	return host, port
}
