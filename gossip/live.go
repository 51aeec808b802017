package gossip

import (
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// feeder is what the loop that feeds links knows of them.
type feeder struct {
	links []transport.Link  // as they were when it last looked
	lives map[string]uint64 // that the engine knows of, by peer; 0: one in which something was lost
	ready []string          // peers whose links can take more
	due   time.Time         // until then it waits before it gives them something
}

const (
	// gathering is how long what is written after live messages waits, at most, for what
	// else there is. Who writes, or passes on, all the time sends no more than 500 messages
	// a second over each link: a message of one update costs both ends several times as much
	// as the update.
	gathering = 2 * time.Millisecond
	// atOnce is how many messages of one update each go without that after a pause, of
	// gathering for each. One of several updates shows that there is something to gather.
	atOnce = 4
)

// feed gives fresh updates to links: those that are not busy, whenever there is something
// new or one of them has become idle. What is written while a message is made and sent, or
// soon after, goes with the next.
func (n *Node) feed() {
	f := feeder{lives: map[string]uint64{}}
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-n.done:
			return
		case <-n.fresh:
		case <-n.linker.Changed():
		}
		if left := time.Until(f.due); left > 0 {
			pause.Reset(left)
			select {
			case <-n.done:
				return
			case <-pause.C:
			}
		}
		runtime.Gosched() // who is about to write, or to hand something over, goes first
		for n.feedOnce(&f) {
		}
	}
}

// heedless is how many writes are made, while the loop that feeds links has not seen that
// there is something new, before the one who writes gives way: writers that never wait
// could keep all processors from it, and from those who deliver. That many take about a
// millisecond.
const heedless = 1024

// wakeFeeder tells the loop that feeds links that there is something new.
func (n *Node) wakeFeeder() {
	select {
	case n.fresh <- struct{}{}:
	default: // it has not seen the last one yet
		if n.unseen.Add(1)%heedless == 0 {
			runtime.Gosched()
		}
	}
}

// feedOnce gives each link that is ready one message at most, and reports whether some
// of them could take more. Messages are encoded and sent outside of all locks: a later
// exchange with the same peer may overtake them, which does no harm.
func (n *Node) feedOnce(f *feeder) (more bool) {
	f.links = n.linker.Links(f.links[:0])
	f.ready = f.ready[:0]
	for _, l := range f.links {
		if !l.Busy {
			f.ready = append(f.ready, l.Peer)
		}
	}
	var live []engine.LiveEnvelope
	// The only error is ErrClosed.
	_ = n.do(func(now time.Time) (engine.Output, error) {
		out := f.tell(now, n.engine)
		fed := n.engine.Feed(now, f.ready)
		live, more = fed.Live, fed.Fresh
		n.throttle.look(n.engine)
		for _, e := range live {
			n.throttle.note(n.engine.Self(), e.Message)
		}
		return out, nil
	})
	for _, e := range live {
		n.sendLive(f, e)
	}
	if len(live) > 0 {
		f.gather(time.Now(), slices.ContainsFunc(live, hasSeveral))
	}
	return more
}

// gather says when there may be another message after one that has gone now, of several
// updates or of one.
func (f *feeder) gather(now time.Time, several bool) {
	if least := now.Add(-(atOnce - 1) * gathering); f.due.Before(least) {
		f.due = least
	}
	if several {
		f.due = now
	}
	f.due = f.due.Add(gathering)
}

// hasSeveral reports whether a message carries more than one update.
func hasSeveral(e engine.LiveEnvelope) bool {
	b := e.Message.Batches
	return len(b) > 1 || len(b[0].Updates) > 1
}

// tell tells the engine which links came and went.
func (f *feeder) tell(now time.Time, e *engine.Engine) engine.Output {
	var out engine.Output
	for _, l := range f.links {
		if f.lives[l.Peer] != l.Life {
			f.lives[l.Peer] = l.Life
			out.Send = append(out.Send, e.SetLink(now, l.Peer, true).Send...)
		}
	}
	if len(f.lives) > len(f.links) {
		for _, peer := range slices.Sorted(maps.Keys(f.lives)) {
			if !slices.ContainsFunc(f.links, func(l transport.Link) bool { return l.Peer == peer }) {
				delete(f.lives, peer)
				out.Send = append(out.Send, e.SetLink(now, peer, false).Send...)
			}
		}
	}
	return out
}

// sendLive encodes a message once and gives it to the links it is for.
func (n *Node) sendLive(f *feeder, e engine.LiveEnvelope) {
	b := n.codec.Encode(e.Message)
	for _, to := range e.To {
		if err := n.linker.Send(to, transport.Stream, b); err != nil {
			n.drop(err)
			f.lives[to] = 0 // what was lost comes with the exchange that begins another life
			continue
		}
		n.counters.sent(transport.Stream, e.Message.Kind, len(b))
	}
}

// link says to which peers this node wants links.
func (n *Node) link(peers []string) {
	if n.linker != nil {
		n.linker.Link(peers)
	}
}
