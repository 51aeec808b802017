package model_test

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// host is a node of one space without a network: it issues updates and applies
// them to its model at once.
type host struct {
	mu      sync.RWMutex
	model   model.Model
	replica clock.Replica
	version clock.Version
	hlc     clock.HLC
	log     []*model.Update // everything issued or received
	past    clock.Timestamp // the model was told of what expires up to here

	superseded map[*model.Update]bool
	err        error // what Write returns
	waits      bool  // what Write was told
	watches    []model.Watcher
	first      func() // called once a watch has begun
}

// newHost returns a host that writes as "a/1".
func newHost(m model.Model) *host {
	return &host{model: m, replica: clock.Replica{Node: "a", Epoch: 1}, superseded: map[*model.Update]bool{}}
}

// attach binds a handle to a new host that writes as "a/1".
func attach(h model.Handle) *host {
	n := newHost(h)
	if err := h.Bind(n); err != nil {
		panic(err)
	}
	return n
}

// Self implements model.SelfHost.
func (n *host) Self() clock.Replica { return n.replica }

func (n *host) RLock() int  { n.mu.RLock(); return 0 }
func (n *host) RUnlock(int) { n.mu.RUnlock() }

func (n *host) Write(ctx context.Context, wait bool, f func(*model.Tx) error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waits = wait
	if err := ctx.Err(); err != nil {
		return err
	}
	var tx model.Tx
	if err := f(&tx); err != nil {
		return err
	}
	if n.err != nil {
		return n.err
	}
	for _, d := range tx.Drafts() {
		n.version++
		n.apply(d.Update(clock.Dot{Replica: n.replica, Version: n.version}, n.hlc.Next(time.Unix(1, 0)), ""))
	}
	return nil
}

// Watch never waits: the loop ends when nothing is left to show.
func (n *host) Watch(ctx context.Context, w model.Watcher) func(func() bool) {
	locked := func(f func()) {
		n.mu.Lock()
		defer n.mu.Unlock()
		f()
	}
	return func(yield func() bool) {
		locked(func() { w.Start(); n.watches = append(n.watches, w) })
		defer locked(func() {
			n.watches = slices.DeleteFunc(n.watches, func(o model.Watcher) bool { return o == w })
		})
		if n.first != nil {
			n.first()
		}
		for ctx.Err() == nil {
			more := false
			if locked(func() { more = w.Take() }); !more || !yield() {
				return
			}
		}
	}
}

func (n *host) receive(u *model.Update) model.Effect {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hlc.Observe(u.Time)
	return n.apply(u)
}

func (n *host) apply(u *model.Update) model.Effect {
	n.log = append(n.log, u)
	effect := n.model.Apply(u)
	for _, old := range effect.Superseded {
		n.superseded[old] = true
	}
	if !effect.Redundant {
		c := model.Change{New: u}
		if old := effect.Superseded; len(old) > 0 && (old[0].Expires == 0 || old[0].Expires > n.past) {
			c.Old = old[0]
		}
		n.note(c)
	}
	return effect
}

// remove takes an update out of the model, as a repair does.
func (n *host) remove(u *model.Update) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.model.Discard(u)
	n.note(model.Change{Old: u})
}

// expire tells the model what has expired ms milliseconds after the first write.
func (n *host) expire(ms int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := clock.TimestampOf(time.Unix(1, 0).Add(time.Duration(ms) * time.Millisecond))
	var due []*model.Update
	for _, u := range n.log {
		if u.Expires > n.past && u.Expires <= at {
			due = append(due, u)
		}
	}
	slices.SortFunc(due, func(a, b *model.Update) int { return cmp.Compare(a.Expires, b.Expires) })
	for _, u := range due {
		if n.superseded[u] {
			continue
		}
		n.past = u.Expires
		n.model.(model.Expirer).Expire(u)
		n.note(model.Change{Old: u})
	}
}

func (n *host) note(c model.Change) {
	for _, w := range n.watches {
		w.Note(c)
	}
}
