package modeltest_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
	"github.com/insecure-scuttlebutt/scuttlebutt/model/modeltest"
)

// Wrong models, one mistake each.

// arrival shows what came last.
type arrival struct{ bag }

func (m *arrival) show() any {
	shown := map[string]string{}
	for _, u := range m.all {
		shown[string(u.Key)] = string(u.Value)
	}
	return shown
}

// ties is the original JavaScript module: of equal timestamps the last to
// arrive wins.
type ties struct{ register }

func (m *ties) Apply(u *model.Update) model.Effect {
	old := m.keys[string(u.Key)]
	switch {
	case old != nil && old.Dot == u.Dot:
		return model.Effect{}
	case old != nil && old.Time > u.Time:
		return model.Effect{Redundant: true}
	}
	m.keys[string(u.Key)] = u
	if old == nil {
		return model.Effect{}
	}
	return model.Effect{Superseded: []*model.Update{old}}
}

func (m *ties) Supersedes(a, b *model.Update) bool {
	return bytes.Equal(a.Key, b.Key) && a.Time > b.Time
}

// mutual is ties with a Supersedes that agrees with its Apply.
type mutual struct{ ties }

func (m *mutual) Supersedes(a, b *model.Update) bool {
	return bytes.Equal(a.Key, b.Key) && a.Time >= b.Time && a.Dot != b.Dot
}

// sameNode breaks ties by the node's name, which two incarnations share.
type sameNode struct{ ties }

func (m *sameNode) Apply(u *model.Update) model.Effect {
	if old := m.keys[string(u.Key)]; old != nil && m.Supersedes(old, u) {
		return model.Effect{Redundant: true}
	}
	return m.ties.Apply(u)
}

func (m *sameNode) Supersedes(a, b *model.Update) bool {
	return bytes.Equal(a.Key, b.Key) && (a.Time > b.Time || a.Time == b.Time && a.Replica.Node > b.Replica.Node)
}

// unsettled keeps every update, and for each key shows the newest; of equal
// timestamps the one that came last.
type unsettled struct{ bag }

func (m *unsettled) show() any {
	newest := map[string]*model.Update{}
	for _, u := range m.all {
		if old := newest[string(u.Key)]; old == nil || u.Time >= old.Time {
			newest[string(u.Key)] = u
		}
	}
	shown := map[string]string{}
	for key, u := range newest {
		shown[key] = u.Dot.String()
	}
	return shown
}

// forgetful deletes without a trace.
type forgetful struct{ register }

func (m *forgetful) Apply(u *model.Update) model.Effect {
	effect := m.register.Apply(u)
	if u.IsTombstone() {
		delete(m.keys, string(u.Key))
	}
	return effect
}

// traceless says so, too.
type traceless struct{ forgetful }

func (m *traceless) Apply(u *model.Update) model.Effect {
	m.forgetful.Apply(u)
	return model.Effect{Redundant: u.IsTombstone()}
}

// shadow hides what a tombstone deletes instead of superseding it.
type shadow struct{ bag }

func (m *shadow) show() any {
	shown := map[string]bool{}
	for _, u := range m.all {
		shown[string(u.Key)] = true
	}
	for _, u := range m.all {
		if u.IsTombstone() {
			delete(shown, string(u.Key))
		}
	}
	return shown
}

// wrecker calls a function in Apply.
type wrecker struct {
	register
	wreck func(u, old *model.Update, e *model.Effect)
}

func (m *wrecker) Apply(u *model.Update) model.Effect {
	old := m.keys[string(u.Key)]
	effect := m.register.Apply(u)
	m.wreck(u, old, &effect)
	return effect
}

func wreckers(wreck func(u, old *model.Update, e *model.Effect)) func() error {
	return run(tables(func() *wrecker { return &wrecker{*newRegister(), wreck} }))
}

func newer(a, b *model.Update) bool { return bytes.Equal(a.Key, b.Key) && later(a, b) }

// opinion has a Supersedes of its own, and an Apply that goes by it.
type opinion struct {
	bag
	supersedes func(m *opinion, a, b *model.Update) bool
}

func (m *opinion) Apply(u *model.Update) model.Effect {
	var effect model.Effect
	for _, o := range m.all {
		switch {
		case o.Dot == u.Dot:
			return model.Effect{}
		case m.Supersedes(o, u):
			return model.Effect{Redundant: true}
		case m.Supersedes(u, o):
			effect.Superseded = append(effect.Superseded, o)
		}
	}
	for _, o := range effect.Superseded {
		m.Discard(o)
	}
	m.all = append(m.all, u)
	return effect
}

func (m *opinion) Supersedes(a, b *model.Update) bool { return m.supersedes(m, a, b) }

func opinions(supersedes func(m *opinion, a, b *model.Update) bool) func() error {
	return run(tables(func() *opinion { return &opinion{supersedes: supersedes} }))
}

// remover has a Discard of its own.
type remover struct {
	register
	remove func(m *register, u *model.Update)
}

func (m *remover) Discard(u *model.Update) { m.remove(&m.register, u) }

func removers(remove func(m *register, u *model.Update)) func() error {
	return run(tables(func() *remover { return &remover{*newRegister(), remove} }))
}

// grudge never takes back what was once removed.
type grudge struct {
	register
	gone map[string]clock.Timestamp
}

func (m *grudge) Apply(u *model.Update) model.Effect {
	if u.Time < m.gone[string(u.Key)] {
		return model.Effect{Redundant: true}
	}
	return m.register.Apply(u)
}

func (m *grudge) Discard(u *model.Update) {
	m.gone[string(u.Key)] = u.Time
	m.register.Discard(u)
}

// naive counts whatever it is given.
type naive struct {
	bag
	n int
}

func (m *naive) Apply(u *model.Update) model.Effect { m.n++; return m.bag.Apply(u) }
func (m *naive) Discard(u *model.Update)            { m.n--; m.bag.Discard(u) }
func (m *naive) show() any                          { return m.n }

// trusting says that it holds whatever it is asked for, wary that it holds nothing.
type (
	trusting struct{ register }
	wary     struct{ register }
)

func (*trusting) Verify(*model.Update) bool { return true }
func (*wary) Verify(*model.Update) bool     { return false }

// mine counts its own writes when they are made, too.
type mine struct {
	bag
	n int
}

// running adds up increments, yet lets a replica's next supersede the last.
type running struct {
	total
	n int
}

func (m *running) Apply(u *model.Update) model.Effect {
	if old := m.sums[u.Replica]; old == nil || old.Version < u.Version {
		m.n++
	}
	return m.total.Apply(u)
}

func (m *running) Discard(u *model.Update) {
	m.n--
	m.total.Discard(u)
}

// patient shows arrival order until it has all that any writer had seen.
type patient struct{ bag }

func (m *patient) write() []model.Draft {
	var seen clock.Vector
	for _, u := range m.all {
		seen.Set(u.Replica, max(seen.Version(u.Replica), u.Version))
	}
	return []model.Draft{{Context: seen}}
}

func (m *patient) show() any {
	var have, need clock.Vector
	dots := []string{}
	for _, u := range m.all {
		have.Set(u.Replica, max(have.Version(u.Replica), u.Version))
		need.Merge(u.Context)
		dots = append(dots, u.Dot.String())
	}
	if o := have.Compare(need); o == clock.After || o == clock.Equal {
		slices.Sort(dots)
	}
	return dots
}

// handle is a register whose methods use the host in any way.
type handle struct {
	register
	host model.Host
}

func (m *handle) Bind(h model.Host) error { m.host = h; return nil }

func (m *handle) set(h model.Host, value string) error {
	return h.Write(context.Background(), true, func(tx *model.Tx) error {
		tx.Put(model.Draft{Key: []byte("k"), Value: []byte(value)})
		return nil
	})
}

func handles(write func(h model.Host, m *handle) error) modeltest.Config[*handle] {
	return modeltest.Config[*handle]{
		New:   func() *handle { return &handle{register: *newRegister()} },
		Write: func(_ *rand.Rand, m *handle) error { return write(m.host, m) },
		Value: func(m *handle) any {
			defer m.host.RUnlock(m.host.RLock())
			return m.show()
		},
	}
}

func misuse(write func(h model.Host, m *handle) error) func() error { return run(handles(write)) }

func run[M model.Model](cfg modeltest.Config[M]) func() error {
	return func() error { return modeltest.Run(cfg) }
}

var errAny = errors.New("any")

// tenant is a lease that takes the news of an expiry in its own way.
type tenant struct {
	lease
	expire func(*lease, *model.Update)
}

func (m *tenant) Expire(u *model.Update) { m.expire(&m.lease, u) }

func leases(expire func(*lease, *model.Update)) func() error {
	return run(modeltest.Config[*tenant]{
		New:    func() *tenant { return &tenant{*newLease(), expire} },
		Drafts: func(rng *rand.Rand, m *tenant) []model.Draft { return draftLease(rng, &m.lease) },
		Value:  func(m *tenant) any { return m.lease.show() },
	})
}
