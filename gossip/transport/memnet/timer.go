package memnet

import "time"

// alarm is something that will happen later. It is in Network.timers until it
// happens or is stopped.
type alarm struct{ timer *time.Timer }

// after runs f under n.mu in d, unless the network falls empty before. n.mu is
// held.
func (n *Network) after(d time.Duration, f func()) {
	a := &alarm{}
	n.timers[a] = struct{}{}
	a.timer = time.AfterFunc(d, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if _, ok := n.timers[a]; !ok { // stopped while it waited for the lock
			n.firing--
			n.idle.Broadcast()
			return
		}
		delete(n.timers, a)
		f()
	})
}

// stopAll stops every alarm and waits for those that run already. n.mu is held,
// and released while waiting.
func (n *Network) stopAll() {
	for a := range n.timers {
		if !a.timer.Stop() {
			n.firing++
		}
		delete(n.timers, a)
	}
	for n.firing > 0 {
		n.idle.Wait()
	}
}
