package gossip

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// handOver is how long Leave tries to bring the newest updates to a peer when
// its context allows more.
const handOver = 5 * time.Second

// Leave stops taking writes, keeps gossiping until this node's updates have
// reached a peer, for at most five seconds, tells the others that it leaves, and
// closes it. It returns early, with an error that wraps ctx's, when ctx is done;
// the node is closed in any case. Without a reachable peer nothing can be handed
// over: updates that nobody else has are gone then.
func (n *Node) Leave(ctx context.Context) error {
	n.mu.Lock()
	if n.closed != nil || n.leaving {
		n.mu.Unlock()
		return cmp.Or(n.Err(), ErrClosed)
	}
	n.leaving = true
	n.throttle.leave(time.Now())
	n.mu.Unlock()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(n.patience, cancel)
	defer stop()
	handed := n.handOver(ctx)
	if err := n.shutdown(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil && !handed {
		return fmt.Errorf("gossip: leave: %w", err)
	}
	return nil
}

// Close stops the node at once: the others will find it failed. It waits for
// every goroutine. On a closed node it returns what Err does; what was attached
// can still be read.
func (n *Node) Close() error {
	n.hurry()
	return n.shutdown(canceled())
}

// handOver gossips as fast as it may until a peer has shown that it has this
// node's updates, and then that it knows that there will be no more (R13); or until
// there is no peer. It reports whether it need not wait longer.
func (n *Node) handOver(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, handOver)
	defer cancel()
	ticker := time.NewTicker(max(n.cfg.MinInterval/2, time.Millisecond))
	defer ticker.Stop()
	for {
		if !n.hasPeers() {
			return true
		}
		done := false
		// The only error is ErrClosed, and then ctx is done, too.
		_ = n.do(func(now time.Time) (engine.Output, error) {
			published := n.engine.Published() >= n.engine.Vector().Version(n.engine.Self())
			if done = n.engine.HasDeparted(); published && !n.engine.IsDeparting() {
				n.engine.Depart(now)
			}
			n.engine.Hurry(now)
			return engine.Output{}, nil
		})
		if done {
			return true
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return false
		}
	}
}

func (n *Node) hasPeers() bool {
	for _, m := range n.Members() {
		if !m.Self && (m.State == transport.Alive || m.State == transport.Suspect) {
			return true
		}
	}
	return false
}

// shutdown stops the node and waits for all goroutines. Of several callers one
// does it; all others get an error that wraps ErrClosed when it is done.
func (n *Node) shutdown(ctx context.Context) error {
	first, err := n.stop(ctx, ErrClosed)
	<-n.stopped
	n.loops.Wait()
	switch {
	case !first:
		return n.Err()
	case err != nil:
		return fmt.Errorf("gossip: close: %w", err)
	}
	return nil
}

// stop refuses all further calls with cause and closes the transport, saying
// goodbye while ctx is not done, unless somebody else was first.
func (n *Node) stop(ctx context.Context, cause error) (first bool, err error) {
	n.mu.Lock()
	if first = n.closed == nil; first {
		n.closed = cause
	}
	n.mu.Unlock()
	if !first {
		return false, nil
	}
	close(n.done)
	err = n.transport.Close(ctx)
	n.unregister()
	close(n.stopped)
	return true, err
}
