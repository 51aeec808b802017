package model_test

import (
	"context"
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
	err     error           // what Write returns
}

// attach binds a handle to a new host that writes as "a/1".
func attach(h model.Handle) *host {
	n := &host{model: h, replica: clock.Replica{Node: "a", Epoch: 1}}
	if err := h.Bind(n); err != nil {
		panic(err)
	}
	return n
}

func (n *host) RLock()   { n.mu.RLock() }
func (n *host) RUnlock() { n.mu.RUnlock() }

func (n *host) Write(ctx context.Context, _ bool, f func(*model.Tx) error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
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
		n.apply(&model.Update{
			Dot: clock.Dot{Replica: n.replica, Version: n.version}, Time: n.hlc.Next(time.Unix(1, 0)),
			Key: d.Key, Value: d.Value, Kind: d.Kind,
		})
	}
	return nil
}

func (n *host) receive(u *model.Update) model.Effect {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hlc.Observe(u.Time)
	return n.apply(u)
}

func (n *host) apply(u *model.Update) model.Effect {
	n.log = append(n.log, u)
	return n.model.Apply(u)
}
