package gossip

import (
	"context"
	"time"
)

// joinTimeout is how long a node that found others waits for one of them to take it for a
// member; then it serves alone, like one side of a partition (R11).
const joinTimeout = 5 * time.Second

// awaitAdmission returns when local writes may be taken: to be tried again.
func (n *Node) awaitAdmission(ctx context.Context) error {
	reader := n.mu.RLock()
	joining, patience := n.joining, joinTimeout
	n.mu.RUnlock(reader)
	if joining == nil { // it was declared lost, and begins anew
		patience = n.cfg.MinInterval
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-joining:
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-n.done:
		return n.Err()
	}
}
