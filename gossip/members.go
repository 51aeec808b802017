package gossip

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// MemberEvent says that a member came, went, changed its state, or says something else
// of itself.
type MemberEvent struct {
	Member
	Before transport.State // meaningless when Joined
	Joined bool            // not known before
}

// Members returns all known nodes by name, this one included; nil once the node
// is closed. Nodes that left or failed are known for a while.
func (n *Node) Members() []Member {
	members, _ := n.members()
	return n.withMetadata(members)
}

// members returns the members, and a channel that is closed when they change.
func (n *Node) members() ([]transport.Member, <-chan struct{}) {
	select {
	case <-n.done:
		return nil, n.done
	default:
		return n.transport.Members()
	}
}

// MemberEvents yields the current members as joined, this one included, then
// every change, until ctx is done or the node is closed. A slow reader misses
// intermediate states, never the latest, and holds up nobody: the loop body may
// take its time and call the node. A member that is forgotten without having
// failed counts as left.
func (n *Node) MemberEvents(ctx context.Context) iter.Seq[MemberEvent] {
	return func(yield func(MemberEvent) bool) {
		seen := map[string]Member{}
		for {
			described := n.described.next()
			members, changed := n.members()
			if changed == n.done {
				return
			}
			for _, e := range memberEvents(seen, n.withMetadata(members)) {
				if ctx.Err() != nil || !yield(e) {
					return
				}
			}
			select {
			case <-ctx.Done():
				return
			case <-n.done:
				return
			case <-changed:
			case <-described:
			}
		}
	}
}

// memberEvents returns how members differ from those seen, by name, and notes
// them as seen.
func memberEvents(seen map[string]Member, members []Member) []MemberEvent {
	var events []MemberEvent
	known := make(map[string]bool, len(members))
	for _, m := range members {
		known[m.Name] = true
		old, ok := seen[m.Name]
		seen[m.Name] = m
		if !ok || old.State != m.State || old.Addr != m.Addr || !bytes.Equal(old.Metadata, m.Metadata) {
			events = append(events, MemberEvent{Member: m, Before: old.State, Joined: !ok})
		}
	}
	for name, old := range seen {
		if known[name] {
			continue
		}
		delete(seen, name)
		if old.State == transport.Alive || old.State == transport.Suspect {
			before := old.State
			old.State = transport.Left
			events = append(events, MemberEvent{Member: old, Before: before})
		}
	}
	slices.SortStableFunc(events, func(a, b MemberEvent) int { return strings.Compare(a.Name, b.Name) })
	return events
}

// roster turns what a transport says of members into what the engine wants to
// know: who failed is removed after some time (R10), who left or is forgotten at
// once.
type roster struct {
	removeAfter time.Duration
	peers       map[string]*rosterPeer
}

type rosterPeer struct {
	state  engine.PeerState
	failed time.Time // when it was first seen as failed; zero: it is not
}

// peerStates names the engine's peer states in logs.
var peerStates = map[engine.PeerState]string{
	engine.PeerAlive: "alive", engine.PeerFailed: "failed", engine.PeerRemoved: "removed",
}

// peerMove is a peer's new state.
type peerMove struct {
	name  string
	state engine.PeerState
}

// update takes the newest list of members and returns which peers moved, by name.
func (r *roster) update(now time.Time, members []transport.Member) []peerMove {
	var moved []peerMove
	listed := make(map[string]bool, len(members))
	for _, m := range members {
		if m.Self {
			continue
		}
		listed[m.Name] = true
		p := r.peers[m.Name]
		if p == nil {
			p = &rosterPeer{state: engine.PeerRemoved}
			r.peers[m.Name] = p
		}
		if state := p.observe(now, m.State, r.removeAfter); state != p.state {
			p.state = state
			moved = append(moved, peerMove{m.Name, state})
		}
	}
	for name, p := range r.peers {
		if listed[name] {
			continue
		}
		delete(r.peers, name)
		if p.state != engine.PeerRemoved {
			moved = append(moved, peerMove{name, engine.PeerRemoved})
		}
	}
	slices.SortFunc(moved, func(a, b peerMove) int { return strings.Compare(a.name, b.name) })
	return moved
}

// alive returns how many peers are alive, for all that is known.
func (r *roster) alive() int {
	n := 0
	for _, p := range r.peers {
		if p.state == engine.PeerAlive {
			n++
		}
	}
	return n
}

// next returns when update has something to do though the list stays the same.
func (r *roster) next() (next time.Time, ok bool) {
	for _, p := range r.peers {
		if p.state != engine.PeerFailed {
			continue
		}
		if due := p.failed.Add(r.removeAfter); !ok || due.Before(next) {
			next, ok = due, true
		}
	}
	return next, ok
}

func (p *rosterPeer) observe(now time.Time, s transport.State, removeAfter time.Duration) engine.PeerState {
	if s != transport.Failed {
		p.failed = time.Time{}
	} else if p.failed.IsZero() {
		p.failed = now
	}
	switch {
	case s == transport.Alive || s == transport.Suspect:
		return engine.PeerAlive
	case s == transport.Failed && now.Sub(p.failed) < removeAfter:
		return engine.PeerFailed
	default:
		return engine.PeerRemoved
	}
}
