package modeltest_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

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
		m.Remove(o)
	}
	m.all = append(m.all, u)
	return effect
}

func (m *opinion) Supersedes(a, b *model.Update) bool { return m.supersedes(m, a, b) }

func opinions(supersedes func(m *opinion, a, b *model.Update) bool) func() error {
	return run(tables(func() *opinion { return &opinion{supersedes: supersedes} }))
}

// remover has a Remove of its own.
type remover struct {
	register
	remove func(m *register, u *model.Update)
}

func (m *remover) Remove(u *model.Update) { m.remove(&m.register, u) }

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

func (m *grudge) Remove(u *model.Update) {
	m.gone[string(u.Key)] = u.Time
	m.register.Remove(u)
}

// naive counts whatever it is given.
type naive struct {
	bag
	n int
}

func (m *naive) Apply(u *model.Update) model.Effect { m.n++; return m.bag.Apply(u) }
func (m *naive) Remove(u *model.Update)             { m.n--; m.bag.Remove(u) }
func (m *naive) show() any                          { return m.n }

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

func (m *running) Remove(u *model.Update) {
	m.n--
	m.total.Remove(u)
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
			m.host.RLock()
			defer m.host.RUnlock()
			return m.show()
		},
	}
}

func misuse(write func(h model.Host, m *handle) error) func() error { return run(handles(write)) }

func run[M model.Model](cfg modeltest.Config[M]) func() error {
	return func() error { return modeltest.Run(cfg) }
}

var errAny = errors.New("any")

func TestWrongModelsAreCaught(t *testing.T) {
	reused := make([]byte, 1)
	n := 0
	for _, tt := range []struct {
		name string
		law  modeltest.Law
		run  func() error
	}{
		{"arrival order wins", modeltest.Convergence, run(tables(func() *arrival { return new(arrival) }))},
		{"arrival order wins a tie that nobody reports", modeltest.Convergence, run(tables(func() *unsettled { return new(unsettled) }))},
		{"equal timestamps without a tie-break", modeltest.Supersession, run(tables(func() *ties { return &ties{*newRegister()} }))},
		{"equal timestamps supersede each other", modeltest.StrictOrder, run(tables(func() *mutual { return &mutual{ties{*newRegister()}} }))},
		{"ties broken by node name", modeltest.Supersession, run(tables(func() *sameNode { return &sameNode{ties{*newRegister()}} }))},

		{"delete that forgets", modeltest.Supersession, run(tables(func() *forgetful { return &forgetful{*newRegister()} }))},
		{"delete that is not retained", modeltest.Supersession, run(tables(func() *traceless { return &traceless{forgetful{*newRegister()}} }))},
		{"delete that hides", modeltest.Removal, run(tables(func() *shadow { return new(shadow) }))},

		{"Apply writes into its update", modeltest.Immutability, wreckers(func(u, _ *model.Update, _ *model.Effect) { u.Value = append(u.Value, '!') })},
		{"Apply writes into bytes", modeltest.Immutability, wreckers(func(u, _ *model.Update, _ *model.Effect) { u.Key[0] = 'K' })},
		{"Apply writes into what it drops", modeltest.Immutability, wreckers(func(_, old *model.Update, _ *model.Effect) {
			if old != nil {
				old.Time = 0
			}
		})},
		{"a writer reuses a draft's bytes", modeltest.Immutability, run(func() modeltest.Config[*register] {
			cfg := tables(newRegister)
			cfg.Drafts = func(rng *rand.Rand, _ *register) []model.Draft {
				reused[0] = byte('a' + rng.IntN(26))
				return []model.Draft{{Key: []byte("k"), Value: reused}}
			}
			return cfg
		}())},
		{"Supersedes writes into an update", modeltest.Immutability, opinions(func(m *opinion, a, b *model.Update) bool {
			a.Kind |= 1
			return newer(a, b)
		})},
		{"Value writes into an update", modeltest.Immutability, run(func() modeltest.Config[*register] {
			cfg := tables(newRegister)
			cfg.Value = func(m *register) any {
				for _, u := range m.keys {
					u.Expires = 1
				}
				return nil
			}
			return cfg
		}())},

		{"Superseded reports too little", modeltest.Supersession, wreckers(func(_, _ *model.Update, e *model.Effect) { e.Superseded = nil })},
		{"Superseded reports the update itself", modeltest.Supersession, wreckers(func(u, _ *model.Update, e *model.Effect) {
			if !e.Redundant {
				e.Superseded = []*model.Update{u}
			}
		})},
		{"Superseded reports twice", modeltest.Supersession, wreckers(func(_, _ *model.Update, e *model.Effect) { e.Superseded = append(e.Superseded, e.Superseded...) })},
		{"Superseded reports nil", modeltest.Supersession, wreckers(func(_, _ *model.Update, e *model.Effect) { e.Superseded = []*model.Update{nil} })},
		{"Superseded reports what nobody wrote", modeltest.Supersession, wreckers(func(_, _ *model.Update, e *model.Effect) { e.Superseded = []*model.Update{{}} })},
		{"everything is Redundant", modeltest.Supersession, wreckers(func(_, _ *model.Update, e *model.Effect) { *e = model.Effect{Redundant: true} })},
		{"nothing is Redundant", modeltest.Supersession, wreckers(func(_, _ *model.Update, e *model.Effect) { e.Redundant = false })},
		{"increments supersede", modeltest.Supersession, run(counters(func() *running { return &running{total: *newTotal()} },
			func(m *running) any { return m.n }, func(m *running) int { return 1 }))},

		{"not transitive: a bounded distance", modeltest.StrictOrder, opinions(func(m *opinion, a, b *model.Update) bool {
			return newer(a, b) && a.Time-b.Time <= 1<<16
		})},
		{"not transitive: overwritten dots only", modeltest.StrictOrder, run(multi(func(_ *values, overwritten []*model.Update) clock.Vector {
			var v clock.Vector
			for _, u := range overwritten {
				v.Merge(clock.NewVector([]clock.Entry{clock.Entry(u.Dot)}))
			}
			return v
		}))},
		{"the engine's vector as a context", modeltest.StrictOrder, run(multi(func(m *values, _ []*model.Update) clock.Vector { return m.seen.Clone() }))},
		{"Supersedes itself", modeltest.StrictOrder, opinions(func(m *opinion, a, b *model.Update) bool { return a.Dot == b.Dot || newer(a, b) })},
		{"Supersedes by pointer", modeltest.StrictOrder, opinions(func(m *opinion, a, b *model.Update) bool { return a != b && (a.Dot == b.Dot || newer(a, b)) })},
		{"Supersedes asks the state", modeltest.StrictOrder, opinions(func(m *opinion, a, b *model.Update) bool { return len(m.all) < 2 && newer(a, b) })},

		{"duplicates count", modeltest.Idempotence, run(tables(func() *naive { return new(naive) }))},
		{"duplicates are Redundant", modeltest.Idempotence, wreckers(func(u, old *model.Update, e *model.Effect) {
			e.Redundant = e.Redundant || old != nil && old.Dot == u.Dot
		})},

		{"Remove does nothing", modeltest.Removal, removers(func(*register, *model.Update) {})},
		{"Remove takes more", modeltest.Removal, removers(func(m *register, u *model.Update) { clear(m.keys) })},
		{"Remove has a memory", modeltest.Removal, run(tables(func() *grudge { return &grudge{*newRegister(), map[string]clock.Timestamp{}} }))},

		{"a truncated set in order of arrival", modeltest.Truncation, run(modeltest.Config[*patient]{
			New:    func() *patient { return new(patient) },
			Drafts: func(_ *rand.Rand, m *patient) []model.Draft { return m.write() },
			Value:  func(m *patient) any { return m.show() },
		})},

		{"Value reads a clock", modeltest.Determinism, run(func() modeltest.Config[*register] {
			cfg := tables(newRegister)
			cfg.Value = func(*register) any { return time.Now() }
			return cfg
		}())},
		{"Value depends on the order of a map", modeltest.Determinism, run(func() modeltest.Config[*register] {
			cfg := tables(newRegister)
			cfg.Value = func(m *register) any {
				for key := range m.keys {
					return key
				}
				return nil
			}
			return cfg
		}())},
		{"models have numbers", modeltest.Determinism, run(func() modeltest.Config[*naive] {
			cfg := tables(func() *naive { n++; return &naive{n: n} })
			return cfg
		}())},
		{"a failure that comes and goes", modeltest.Determinism, wreckers(func(_, _ *model.Update, e *model.Effect) {
			if n++; n%331 == 0 {
				e.Redundant = !e.Redundant
			}
		})},

		{"a write counts twice at its writer", modeltest.Convergence, run(modeltest.Config[*mine]{
			New:    func() *mine { return new(mine) },
			Drafts: func(_ *rand.Rand, m *mine) []model.Draft { m.n++; return []model.Draft{{}} },
			Value:  func(m *mine) any { return m.n + len(m.all) },
		})},
		{"a write that fails", modeltest.Writing, misuse(func(model.Host, *handle) error { return errAny })},
		{"a function of a write that fails", modeltest.Writing, misuse(func(h model.Host, _ *handle) error {
			return h.Write(context.Background(), true, func(*model.Tx) error { return errAny })
		})},
		{"a write with a context that is done", modeltest.Writing, misuse(func(h model.Host, _ *handle) error {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return h.Write(ctx, true, func(*model.Tx) error { return nil })
		})},
		{"a write that does not show", modeltest.Writing, run(func() modeltest.Config[*register] {
			cfg := tables(newRegister)
			cfg.Written = func(*register, []*model.Update) error { return errAny }
			return cfg
		}())},
		{"a draft that depends on what its writer lacks", modeltest.Writing, run(modeltest.Config[*bag]{
			New: func() *bag { return new(bag) },
			Drafts: func(*rand.Rand, *bag) []model.Draft {
				return []model.Draft{{Deps: []clock.Dot{{Replica: clock.Replica{Node: "a", Epoch: 1}, Version: 9}}}}
			},
			Value: func(*bag) any { return nil },
		})},
		{"a handle that cannot be bound", modeltest.Writing, run(func() modeltest.Config[*model.Map[int]] {
			var one model.Map[int]
			return modeltest.Config[*model.Map[int]]{
				New:   func() *model.Map[int] { return &one },
				Write: func(*rand.Rand, *model.Map[int]) error { return nil },
				Value: func(*model.Map[int]) any { return nil },
			}
		}())},

		{"RLock twice", modeltest.Locking, misuse(func(h model.Host, m *handle) error {
			h.RLock()
			h.RLock()
			m.show()
			h.RUnlock()
			return nil
		})},
		{"RLock for ever", modeltest.Locking, misuse(func(h model.Host, _ *handle) error { h.RLock(); return nil })},
		{"RUnlock alone", modeltest.Locking, misuse(func(h model.Host, _ *handle) error { h.RUnlock(); return nil })},
		{"RLock in a write", modeltest.Locking, misuse(func(h model.Host, _ *handle) error {
			return h.Write(context.Background(), true, func(*model.Tx) error { h.RLock(); defer h.RUnlock(); return nil })
		})},
		{"a write in a write", modeltest.Locking, misuse(func(h model.Host, m *handle) error {
			return h.Write(context.Background(), true, func(*model.Tx) error { return m.set(h, "x") })
		})},
		{"a write under RLock", modeltest.Locking, misuse(func(h model.Host, m *handle) error {
			h.RLock()
			defer h.RUnlock()
			return m.set(h, "x")
		})},
		{"a read that keeps the lock", modeltest.Locking, run(func() modeltest.Config[*handle] {
			cfg := handles(func(h model.Host, m *handle) error { return m.set(h, "x") })
			cfg.Value = func(m *handle) any { m.host.RLock(); return nil }
			return cfg
		}())},
		{"a read that writes", modeltest.Locking, run(func() modeltest.Config[*handle] {
			cfg := handles(func(h model.Host, m *handle) error { return m.set(h, "x") })
			cfg.Value = func(m *handle) any { return m.set(m.host, "y") }
			return cfg
		}())},

		{"an update before its parent", modeltest.Totality, run(trees(false))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.run()
			var f *modeltest.Failure
			if !errors.As(err, &f) {
				t.Fatalf("got %v, want the law of %s broken", err, tt.law)
			}
			if f.Law != tt.law {
				t.Errorf("got the law of %s broken, want %s", f.Law, tt.law)
			}
			if len(f.History) > 7 && f.Law != modeltest.Determinism || f.Detail == "" || strings.Contains(f.Error(), "%!") {
				t.Errorf("poor report:\n%v", f)
			}
			t.Log(f)
		})
	}
}
