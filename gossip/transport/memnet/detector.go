package memnet

import (
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// view is what one node believes of another.
type view struct {
	state transport.State
	since time.Time // when it was cut off, or left; zero while it can be reached
}

// observe makes every node look at the named ones (nil: at all) now, and again
// when a state may change for being cut off long enough. n.mu is held.
func (n *Network) observe(names []string) {
	n.lookAll(names)
	detect, forget := n.cfg.DetectAfter, n.cfg.RemoveAfter
	for _, d := range []time.Duration{detect / 2, detect, forget, detect + forget} {
		n.after(d, func() { n.lookAll(names) })
	}
}

// lookAll makes every node look at the named ones (nil: at all). n.mu is held.
func (n *Network) lookAll(names []string) {
	now := time.Now()
	for _, e := range n.nodes {
		if names == nil {
			for name := range e.views {
				e.look(name, now)
			}
			for name := range n.nodes {
				e.look(name, now)
			}
		}
		for _, name := range names {
			e.look(name, now)
		}
	}
}

// look brings e's view of a name up to date. n.mu is held.
func (e *Endpoint) look(name string, now time.Time) {
	if name == e.name {
		return
	}
	old, known := e.views[name]
	v := old
	switch {
	case e.net.nodes[name] != nil && e.net.connected(e.name, name):
		v = view{state: transport.Alive}
	case !known:
		return
	case v.state == transport.Left:
		if now.Sub(v.since) >= e.net.cfg.RemoveAfter {
			e.forget(name)
			return
		}
	default:
		if v.since.IsZero() {
			v.since = now
		}
		switch gone := now.Sub(v.since); {
		case gone >= e.net.cfg.DetectAfter+e.net.cfg.RemoveAfter:
			e.forget(name)
			return
		case gone >= e.net.cfg.DetectAfter:
			v.state = transport.Failed
		case gone >= e.net.cfg.DetectAfter/2:
			v.state = transport.Suspect
		}
	}
	e.views[name] = v
	if !known || v.state != old.state {
		e.touch()
	}
}

// hearLeave makes e know that a name left. n.mu is held.
func (e *Endpoint) hearLeave(name string, now time.Time) {
	if _, ok := e.views[name]; ok {
		e.views[name] = view{state: transport.Left, since: now}
		e.touch()
	}
}

// forget takes a name off e's list. n.mu is held.
func (e *Endpoint) forget(name string) {
	delete(e.views, name)
	e.touch()
}

// touch tells those who wait that the list of members is no longer the newest.
// n.mu is held.
func (e *Endpoint) touch() {
	close(e.changed)
	e.changed = make(chan struct{})
}
