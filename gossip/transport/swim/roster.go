package swim

import (
	"errors"
	"math"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

const maxName = 128 // bytes of a node's name

var (
	errBadMember = errors.New("not a usable name and address")
	errTooMany   = errors.New("too many members")
)

// roster is the list of members. memberlist's events feed it, called under
// memberlist's lock; so nothing here calls memberlist.
type roster struct {
	max         int
	removeAfter time.Duration
	suspectFor  func(nodes int) time.Duration // the longest that memberlist suspects a node

	mu      sync.Mutex
	self    transport.Member
	peers   map[string]*peer
	list    []transport.Member // sorted; nil: to be made
	changed chan struct{}      // closed at the next change
	closed  bool
}

// peer is another node.
type peer struct {
	node  memberlist.Node // a copy: memberlist changes its own under its lock
	addr  netip.AddrPort
	state transport.State
	since time.Time // when it became suspect, failed or left
}

func newRoster(cfg Config, self transport.Member) *roster {
	return &roster{
		max:         cfg.MaxMembers,
		removeAfter: cfg.RemoveAfter,
		suspectFor: func(nodes int) time.Duration {
			lan := memberlist.DefaultLANConfig()
			scale := math.Max(1, math.Log10(math.Max(1, float64(nodes))))
			longest := scale * float64(cfg.SuspicionMult*lan.SuspicionMaxTimeoutMult)
			return time.Duration(longest * float64(cfg.ProbeInterval))
		},
		self:    self,
		peers:   map[string]*peer{},
		changed: make(chan struct{}),
	}
}

// admit says whether memberlist may take a node in, or keep it.
func (r *roster) admit(n *memberlist.Node) error {
	if n.Name == "" || len(n.Name) > maxName || n.Port == 0 || len(n.Addr) != 4 && len(n.Addr) != 16 {
		return errBadMember
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n.Name == r.self.Name || r.peers[n.Name] != nil || len(r.peers) < r.max {
		return nil
	}
	for _, p := range r.peers {
		if p.state >= transport.Failed {
			return nil // join forgets one of these
		}
	}
	return errTooMany
}

// join notes that a node is alive, perhaps at a new address.
func (r *roster) join(n *memberlist.Node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n.Name == r.self.Name {
		return
	}
	p := r.peers[n.Name]
	if p == nil {
		if len(r.peers) >= r.max {
			r.forgetOldest()
		}
		p = &peer{}
		r.peers[n.Name] = p
	}
	ip, _ := netip.AddrFromSlice(n.Addr)
	*p = peer{node: *n, addr: netip.AddrPortFrom(ip.Unmap(), n.Port), state: transport.Alive}
	r.touch()
}

// forgetOldest drops the member that failed or left first.
func (r *roster) forgetOldest() {
	var oldest *peer
	for _, p := range r.peers {
		if p.state >= transport.Failed && (oldest == nil || p.since.Before(oldest.since)) {
			oldest = p
		}
	}
	if oldest != nil {
		delete(r.peers, oldest.node.Name)
	}
}

// set gives a known node a state.
func (r *roster) set(name string, s transport.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.peers[name]; p != nil && p.state != s {
		p.state, p.since = s, time.Now()
		r.touch()
	}
}

// suspect marks a node that is believed alive, trust takes the mark away.
func (r *roster) suspect(name string) { r.swap(name, transport.Alive, transport.Suspect) }
func (r *roster) trust(name string)   { r.swap(name, transport.Suspect, transport.Alive) }

func (r *roster) swap(name string, from, to transport.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.peers[name]; p != nil && p.state == from {
		p.state, p.since = to, time.Now()
		r.touch()
	}
}

// sweep forgets members that failed or left long ago, and ends suspicions that
// memberlist must have ended, one way or the other, without telling.
func (r *roster) sweep(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	longest := r.suspectFor(len(r.peers) + 1)
	for name, p := range r.peers {
		switch age := now.Sub(p.since); {
		case p.state >= transport.Failed && age >= r.removeAfter:
			delete(r.peers, name)
			r.touch()
		case p.state == transport.Suspect && age > longest:
			p.state = transport.Alive
			r.touch()
		}
	}
}

// members returns the list and the channel that its next change closes.
func (r *roster) members() ([]transport.Member, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, r.changed
	}
	if r.list == nil {
		r.list = make([]transport.Member, 0, len(r.peers)+1)
		r.list = append(r.list, r.self)
		for name, p := range r.peers {
			r.list = append(r.list, transport.Member{Name: name, Addr: p.addr.String(), State: p.state})
		}
		slices.SortFunc(r.list, func(a, b transport.Member) int { return strings.Compare(a.Name, b.Name) })
	}
	return slices.Clone(r.list), r.changed
}

// find returns a copy of a peer that a message can be sent to.
func (r *roster) find(name string) (peer, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.peers[name]
	if p == nil || p.state == transport.Left {
		return peer{}, false
	}
	return *p, true
}

// present returns the addresses of the members that are alive or suspect, failed
// those of the ones that failed.
func (r *roster) present() []netip.AddrPort {
	return r.where(func(s transport.State) bool { return s <= transport.Suspect })
}

func (r *roster) failed() []netip.AddrPort {
	return r.where(func(s transport.State) bool { return s == transport.Failed })
}

func (r *roster) where(ok func(transport.State) bool) []netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []netip.AddrPort
	for _, p := range r.peers {
		if ok(p.state) {
			list = append(list, p.addr)
		}
	}
	return list
}

// close empties the list for good and wakes all who wait.
func (r *roster) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.touch()
}

// touch announces a change. r.mu is held.
func (r *roster) touch() {
	r.list = nil
	close(r.changed)
	r.changed = make(chan struct{})
}
