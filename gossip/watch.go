package gossip

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// watches are the watches of a node. The zero value has none.
type watches struct {
	spaces  map[string][]*watch // under way, by space; guarded by Node.order
	count   atomic.Int64        // watches under way
	pending atomic.Int64        // the sum of their lengths
}

// watch is one loop over the changes of a space. What changes is noted under
// Node.order, not under Node.mu: readers do not wait for it.
type watch struct {
	space string
	wake  chan struct{} // capacity 1: there is something to take
	over  chan struct{} // closed when nothing more will be noted

	mu      sync.Mutex // guards what follows; held for as long as a change is noted or taken
	watcher model.Watcher
	length  int // of watcher, as counted in watches.pending
}

// Watch implements model.Host.
func (h *host) Watch(ctx context.Context, w model.Watcher) func(yield func() bool) {
	return func(yield func() bool) {
		s := h.watch(w)
		if s == nil {
			return
		}
		defer h.node.unwatch(s)
		for h.node.await(ctx, s) && yield() {
		}
	}
}

// watch begins a watch, unless the space was detached. While it has the order, every
// change that the model shows has been noted, and no other is made: so the state with
// which the watcher starts and the changes that it is given fit together.
func (h *host) watch(w model.Watcher) *watch {
	n := h.node
	n.order.Lock()
	defer n.order.Unlock()
	// The only error is ErrClosed.
	out, _ := n.locked(func(now time.Time) (engine.Output, error) { return n.engine.Expire(now), nil })
	n.handle(out)
	defer n.mu.RUnlock(n.mu.RLock())
	if h.detached {
		return nil
	}
	s := &watch{space: h.space, wake: make(chan struct{}, 1), over: make(chan struct{}), watcher: w}
	w.Start()
	n.watches.measure(s)
	n.watches.count.Add(1)
	if n.watches.spaces == nil {
		n.watches.spaces = make(map[string][]*watch)
	}
	n.watches.spaces[s.space] = append(n.watches.spaces[s.space], s)
	return s
}

// end ends the watches of a space: nothing is noted for them any more. Node.order is
// held.
func (w *watches) end(space string) {
	for _, s := range w.spaces[space] {
		close(s.over)
	}
	delete(w.spaces, space)
}

// unwatch ends a watch.
func (n *Node) unwatch(s *watch) {
	n.order.Lock()
	defer n.order.Unlock()
	left := slices.DeleteFunc(n.watches.spaces[s.space], func(o *watch) bool { return o == s })
	if n.watches.spaces[s.space] = left; len(left) == 0 {
		delete(n.watches.spaces, s.space)
	}
	n.watches.count.Add(-1)
	n.watches.pending.Add(-int64(s.length))
}

// await waits until the watcher has taken something; false means that nothing
// will come any more, or that ctx is done.
func (n *Node) await(ctx context.Context, s *watch) bool {
	for ctx.Err() == nil {
		if n.watches.take(s) {
			return true
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
		case <-s.over:
			return n.watches.take(s)
		case <-n.done:
			n.settle()
			return n.watches.take(s)
		}
	}
	return false
}

// settle waits until the changes of calls under way have been noted.
func (n *Node) settle() {
	n.order.Lock()
	defer n.order.Unlock()
}

// note gives changes to all who watch their spaces. It neither waits for a watch
// nor keeps the slice. Node.order is held, Node.mu is not.
func (w *watches) note(changed []model.Change) {
	if len(w.spaces) == 0 {
		return
	}
	for len(changed) > 0 {
		space, n := spaceOf(changed[0]), 1
		for n < len(changed) && spaceOf(changed[n]) == space {
			n++
		}
		for _, s := range w.spaces[space] {
			w.give(s, changed[:n])
		}
		changed = changed[n:]
	}
}

// give gives a watch some changes, all at once: a moment that the watch shows is
// never between two changes of one call of the engine.
func (w *watches) give(s *watch, changed []model.Change) {
	s.mu.Lock()
	for _, c := range changed {
		s.watcher.Note(c)
	}
	more := w.measure(s) > 0
	s.mu.Unlock()
	if !more {
		return // nothing for it, or for keys that wait for it already
	}
	select {
	case s.wake <- struct{}{}:
	default: // it has not seen the last one yet
	}
}

func (w *watches) take(s *watch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok := s.watcher.Take()
	w.measure(s)
	return ok
}

// measure counts what a watcher keeps and returns by how much that grew. The
// watch's mu is held.
func (w *watches) measure(s *watch) int {
	grown := s.watcher.Len() - s.length
	w.pending.Add(int64(grown))
	s.length += grown
	return grown
}

// spaceOf returns the space of a change.
func spaceOf(c model.Change) string {
	if c.New != nil {
		return c.New.Space
	}
	return c.Old.Space
}
