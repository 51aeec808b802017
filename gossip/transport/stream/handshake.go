package stream

import (
	"bufio"
	"crypto/rand"
	"crypto/subtle"
	"io"
	"net"
	"time"
)

// First is the first byte of every connection of this package. memberlist's begin with
// others.
const First byte = 0xB5

const (
	version      = 1
	plainMode    = 0
	sealedMode   = 1
	prefaceBytes = 3 + nonceBytes
	nonceBytes   = 32
	helloBytes   = 1 << 10 // more than any hello has
)

type (
	nonce    [nonceBytes]byte
	instance [16]byte // names a life of a node
)

func newNonce() (n nonce) {
	_, _ = rand.Read(n[:]) // never fails
	return n
}

// hello is what each side says of itself.
type hello struct {
	cluster, from, to string
	instance          instance
	echo              nonce
}

func (h hello) encode() []byte {
	b := make([]byte, 0, 3+len(h.cluster)+len(h.from)+len(h.to)+len(h.instance)+len(h.echo))
	for _, s := range []string{h.cluster, h.from, h.to} {
		b = append(append(b, byte(len(s))), s...)
	}
	return append(append(b, h.instance[:]...), h.echo[:]...)
}

func decodeHello(b []byte) (h hello, ok bool) {
	for _, s := range []*string{&h.cluster, &h.from, &h.to} {
		if len(b) == 0 || len(b) < 1+int(b[0]) {
			return hello{}, false
		}
		*s, b = string(b[1:1+b[0]]), b[1+b[0]:]
	}
	if len(b) != len(h.instance)+len(h.echo) || h.from == "" || len(h.from) > maxName || len(h.to) > maxName {
		return hello{}, false
	}
	copy(h.instance[:], b)
	copy(h.echo[:], b[len(h.instance):])
	return h, true
}

// greeting is what both sides of a handshake have in common.
type greeting struct {
	cfg          *Config
	self         instance
	mine, theirs nonce
	conn         *conn
}

func (l *Links) greet(raw net.Conn, dialed bool) *greeting {
	c := &conn{Conn: raw, dialed: dialed, timeout: l.cfg.Timeout, in: bufio.NewReaderSize(raw, readBuffer)}
	limit := time.Now().Add(l.cfg.Timeout)
	c.finish.Store(limit.UnixNano())
	_ = raw.SetDeadline(limit)
	return &greeting{cfg: &l.cfg, self: l.instance, mine: newNonce(), conn: c}
}

// dialHandshake is the dialler's side: who answers must be peer.
func (l *Links) dialHandshake(raw net.Conn, peer string) (*conn, error) {
	g := l.greet(raw, true)
	g.sendPreface()
	if err := g.conn.flush(); err != nil {
		return nil, err
	}
	if err := g.readPreface(); err != nil {
		return nil, err
	}
	if err := g.derive(g.mine, g.theirs, fromDialer, fromAcceptor); err != nil {
		return nil, err
	}
	g.sendHello(peer) // before the other one's is looked at: then both find out what is wrong
	if err := g.conn.flush(); err != nil {
		return nil, err
	}
	h, err := g.readHello()
	switch {
	case err != nil:
		return nil, err
	case h.from != peer || h.to != "":
		return nil, errStranger
	}
	return g.done(h)
}

// acceptHandshake is the other side.
func (l *Links) acceptHandshake(raw net.Conn) (*conn, error) {
	g := l.greet(raw, false)
	err := g.readPreface()
	if err != nil && g.theirs == (nonce{}) { // with a nonce it may learn what is wrong
		return nil, err
	}
	g.sendPreface()
	if err != nil {
		_ = g.conn.flush()
		return nil, err
	}
	if err := g.derive(g.theirs, g.mine, fromAcceptor, fromDialer); err != nil {
		return nil, err
	}
	g.sendHello("")
	if err := g.conn.flush(); err != nil {
		return nil, err
	}
	h, err := g.readHello()
	switch {
	case err != nil:
		return nil, err
	case h.to != l.cfg.Name:
		return nil, errStranger
	case h.from == l.cfg.Name:
		return nil, errSelf
	}
	return g.done(h)
}

func (g *greeting) mode() byte {
	if len(g.cfg.Key) > 0 {
		return sealedMode
	}
	return plainMode
}

func (g *greeting) sendPreface() {
	g.conn.buf = append(append(g.conn.buf, First, version, g.mode()), g.mine[:]...)
}

func (g *greeting) readPreface() error {
	var b [prefaceBytes]byte
	if _, err := io.ReadFull(g.conn.in, b[:]); err != nil {
		return err
	}
	if b[0] != First || b[1] != version || b[2] > sealedMode {
		return errMalformed
	}
	g.theirs = nonce(b[3:])
	if b[2] != g.mode() {
		return errKey
	}
	return nil
}

// derive makes the seals, from nonces that both sides have.
func (g *greeting) derive(dialer, acceptor nonce, out, in string) (err error) {
	if g.conn.seals, err = newSeal(g.cfg.Key, dialer, acceptor, out); err != nil {
		return err
	}
	g.conn.opens, err = newSeal(g.cfg.Key, dialer, acceptor, in)
	return err
}

func (g *greeting) sendHello(to string) {
	g.conn.appendFrame(hello{g.cfg.Cluster, g.cfg.Name, to, g.self, g.theirs}.encode())
}

func (g *greeting) readHello() (hello, error) {
	b, err := g.conn.readFrame(helloBytes)
	if err != nil {
		return hello{}, err
	}
	h, ok := decodeHello(b)
	switch {
	case !ok:
		return hello{}, errMalformed
	case h.cluster != g.cfg.Cluster:
		return hello{}, errCluster
	case subtle.ConstantTimeCompare(h.echo[:], g.mine[:]) != 1:
		return hello{}, errRecorded
	}
	return h, nil
}

// done returns the connection, without a deadline.
func (g *greeting) done(h hello) (*conn, error) {
	g.conn.peer, g.conn.instance = h.from, h.instance
	g.conn.finish.Store(0)
	return g.conn, g.conn.SetDeadline(time.Time{})
}
