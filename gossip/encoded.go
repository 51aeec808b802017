package gossip

import (
	"sync"
	"sync/atomic"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// encoded are large messages that were encoded: the engine may make others of them. The
// zero value has none.
type encoded struct {
	some atomic.Bool // there are some; without mu it may be late
	mu   sync.Mutex
	all  []*engine.Message
}

// encodedMost is how many wait for the engine; what is more is garbage.
const encodedMost = 8

// add adds a message that nobody else needs any more.
func (e *encoded) add(m *engine.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.all) < encodedMost {
		e.all = append(e.all, m)
		e.some.Store(true)
	}
}

// reuse gives all of them to the engine, whose lock is held.
func (e *encoded) reuse(to *engine.Engine) {
	if !e.some.Load() {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, m := range e.all {
		to.Reuse(m)
		e.all[i] = nil
	}
	e.all = e.all[:0]
	e.some.Store(false)
}
