package memnet

import (
	"slices"
	"strings"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// pair is two nodes, the smaller name first.
type pair [2]string

func pairOf(a, b string) pair {
	if b < a {
		a, b = b, a
	}
	return pair{a, b}
}

// underway is a message that goes over a connection.
type underway struct {
	packet transport.Packet
	life   uint64 // of the connection
	at     time.Time
}

// Link implements transport.Linker.
func (e *Endpoint) Link(peers []string) {
	n := e.net
	n.mu.Lock()
	defer n.mu.Unlock()
	e.wanted = map[string]bool{}
	for _, name := range peers {
		e.wanted[name] = true
	}
	n.relink(e.name)
}

// Links implements transport.Linker. No connection is ever busy.
func (e *Endpoint) Links(buf []transport.Link) []transport.Link {
	n := e.net
	n.mu.Lock()
	defer n.mu.Unlock()
	from := len(buf)
	for name := range n.nodes {
		if life := n.pairs[pairOf(e.name, name)]; life > 0 {
			buf = append(buf, transport.Link{Peer: name, Life: life})
		}
	}
	slices.SortFunc(buf[from:], func(a, b transport.Link) int { return strings.Compare(a.Peer, b.Peer) })
	return buf
}

// Changed implements transport.Linker.
func (e *Endpoint) Changed() <-chan struct{} { return e.relinks }

// relink makes and ends connections of a node as it must be now. n.mu is held.
func (n *Network) relink(name string) {
	e := n.nodes[name]
	for _, other := range n.nodes {
		if other.name == name {
			continue
		}
		p := pairOf(name, other.name)
		should := e != nil && n.connected(name, other.name) && (e.wanted[other.name] || other.wanted[name])
		if should == (n.pairs[p] > 0) {
			continue
		}
		if delete(n.pairs, p); should {
			n.lives++
			n.pairs[p] = n.lives
		}
		n.tellRelink(p)
	}
}

// snap breaks a connection, if there is one; another takes its place at once. n.mu is
// held.
func (n *Network) snap(a, b string) {
	p := pairOf(a, b)
	if n.pairs[p] == 0 {
		return
	}
	n.lives++
	n.pairs[p] = n.lives
	n.tellRelink(p)
}

// tellRelink tells both ends of a pair that their connection is another. n.mu is held.
func (n *Network) tellRelink(p pair) {
	for _, name := range p {
		if e := n.nodes[name]; e != nil {
			select {
			case e.relinks <- struct{}{}:
			default: // it has not seen the last one yet
			}
		}
	}
}

// queue lets a message go over the connection of a lane: it overtakes none, and is lost
// when that breaks. n.mu is held.
func (n *Network) queue(d time.Duration, l lane, msg []byte) {
	now := time.Now()
	u := underway{transport.Packet{Channel: l.ch, Bytes: append([]byte(nil), msg...)}, n.pairs[pairOf(l.from, l.to)], now.Add(d)}
	line := n.lines[l]
	if d == 0 && len(line) == 0 {
		n.deliver(l, u.packet)
		return
	}
	if len(line) > 0 && line[len(line)-1].at.After(u.at) {
		u.at = line[len(line)-1].at
	}
	n.lines[l] = append(line, u)
	n.after(u.at.Sub(now), func() {
		u := n.lines[l][0]
		if n.lines[l] = n.lines[l][1:]; len(n.lines[l]) == 0 {
			delete(n.lines, l)
		}
		if u.life != n.pairs[pairOf(l.from, l.to)] {
			n.count.Cut++
			return
		}
		n.deliver(l, u.packet)
	})
}
