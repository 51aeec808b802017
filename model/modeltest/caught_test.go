package modeltest_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
	"github.com/insecure-scuttlebutt/scuttlebutt/model/modeltest"
)

// The mistakes of which the guide of package model warns are among these, and break the
// laws that it says.
func TestWrongModelsAreCaught(t *testing.T) {
	t.Parallel()
	built, applied := 0, 0
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

		{"Discard does nothing", modeltest.Removal, removers(func(*register, *model.Update) {})},
		{"Discard takes more", modeltest.Removal, removers(func(m *register, u *model.Update) { clear(m.keys) })},
		{"Discard has a memory", modeltest.Removal, run(tables(func() *grudge { return &grudge{*newRegister(), map[string]clock.Timestamp{}} }))},

		{"what has expired shows", modeltest.Expiry, leases(func(m *lease, u *model.Update) {})},
		{"Expire forgets", modeltest.Supersession, leases(func(m *lease, u *model.Update) { m.Expire(u); delete(m.keys, string(u.Key)) })},
		{"Expire does not count", modeltest.Expiry, leases(func(m *lease, u *model.Update) { m.past = u.Expires })},

		{"a truncated set in order of arrival", modeltest.Truncation, run(modeltest.Config[*patient]{
			New:    func() *patient { return new(patient) },
			Drafts: func(_ *rand.Rand, m *patient) []model.Draft { return m.write() },
			Value:  func(m *patient) any { return m.show() },
		})},

		{"Verify takes all on trust", modeltest.Verification, run(tables(func() *trusting { return &trusting{*newRegister()} }))},
		{"Verify trusts nothing", modeltest.Verification, run(tables(func() *wary { return &wary{*newRegister()} }))},

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
		{"what has expired is hidden by the clock of its reader", modeltest.Determinism, run(perishables())},
		{"models have numbers", modeltest.Determinism, run(func() modeltest.Config[*naive] {
			cfg := tables(func() *naive { built++; return &naive{n: built} })
			return cfg
		}())},
		{"a failure that comes and goes", modeltest.Determinism, wreckers(func(_, _ *model.Update, e *model.Effect) {
			if applied++; applied%331 == 0 {
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
			reader := h.RLock()
			m.show()
			h.RUnlock(reader)
			return nil
		})},
		{"RLock for ever", modeltest.Locking, misuse(func(h model.Host, _ *handle) error { h.RLock(); return nil })},
		{"RUnlock alone", modeltest.Locking, misuse(func(h model.Host, _ *handle) error { h.RUnlock(0); return nil })},
		{"RUnlock of another", modeltest.Locking, misuse(func(h model.Host, _ *handle) error { h.RUnlock(h.RLock() + 1); return nil })},
		{"RLock in a write", modeltest.Locking, misuse(func(h model.Host, _ *handle) error {
			return h.Write(context.Background(), true, func(*model.Tx) error { defer h.RUnlock(h.RLock()); return nil })
		})},
		{"a write in a write", modeltest.Locking, misuse(func(h model.Host, m *handle) error {
			return h.Write(context.Background(), true, func(*model.Tx) error { return m.set(h, "x") })
		})},
		{"a write under RLock", modeltest.Locking, misuse(func(h model.Host, m *handle) error {
			defer h.RUnlock(h.RLock())
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
			t.Parallel()
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
