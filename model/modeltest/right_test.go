package modeltest_test

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
	"github.com/insecure-scuttlebutt/scuttlebutt/model/modeltest"
)

// Models that keep the laws, each in its own way. The wrong ones are made of them.

// register is a map without a handle: the last writer of a key wins.
type register struct {
	keys map[string]*model.Update
}

func newRegister() *register { return &register{keys: map[string]*model.Update{}} }

func later(a, b *model.Update) bool {
	return cmp.Or(cmp.Compare(a.Time, b.Time), a.Dot.Compare(b.Dot)) > 0
}

func (m *register) Apply(u *model.Update) model.Effect {
	old := m.keys[string(u.Key)]
	switch {
	case old == nil:
		m.keys[string(u.Key)] = u
		return model.Effect{}
	case old.Dot == u.Dot:
		return model.Effect{}
	case later(old, u):
		return model.Effect{Redundant: true}
	}
	m.keys[string(u.Key)] = u
	return model.Effect{Superseded: []*model.Update{old}}
}

func (m *register) Discard(u *model.Update) {
	if old := m.keys[string(u.Key)]; old != nil && old.Dot == u.Dot {
		delete(m.keys, string(u.Key))
	}
}

func (m *register) Supersedes(a, b *model.Update) bool {
	return bytes.Equal(a.Key, b.Key) && later(a, b)
}

func (m *register) retained(key string) *model.Update { return m.keys[key] }

func (m *register) show() any {
	var b bytes.Buffer
	for _, key := range slices.Sorted(maps.Keys(m.keys)) {
		if u := m.keys[key]; !u.IsTombstone() {
			fmt.Fprintf(&b, "%s=%s ", key, u.Value)
		}
	}
	return b.String()
}

// table is what the models with keys have in common.
type table interface {
	model.Model
	retained(key string) *model.Update
	show() any
}

// draftKey sets or deletes one of two keys.
func draftKey[M table](rng *rand.Rand, m M) []model.Draft {
	key := []string{"k", "l"}[rng.IntN(2)]
	if u := m.retained(key); u != nil && rng.IntN(3) == 0 {
		return []model.Draft{{Key: []byte(key), Kind: model.Tombstone}}
	}
	drafts := []model.Draft{{Key: []byte(key), Value: strconv.AppendInt(nil, rng.Int64N(100), 10)}}
	if rng.IntN(8) == 0 {
		drafts = append(drafts, model.Draft{Key: []byte("m"), Value: []byte("x")})
	}
	return drafts
}

func tables[M table](fresh func() M) modeltest.Config[M] {
	return modeltest.Config[M]{New: fresh, Drafts: draftKey[M], Value: func(m M) any { return m.show() }}
}

// bag keeps every update; what it shows is up to those who embed it.
type bag struct {
	all []*model.Update // in the order of arrival
}

func (m *bag) Apply(u *model.Update) model.Effect {
	if !slices.ContainsFunc(m.all, func(o *model.Update) bool { return o.Dot == u.Dot }) {
		m.all = append(m.all, u)
	}
	return model.Effect{}
}

func (m *bag) Discard(u *model.Update) {
	m.all = slices.DeleteFunc(m.all, func(o *model.Update) bool { return o.Dot == u.Dot })
}

func (*bag) Supersedes(a, b *model.Update) bool { return false }

func (m *bag) retained(key string) *model.Update {
	for _, u := range m.all {
		if string(u.Key) == key {
			return u
		}
	}
	return nil
}

func (m *bag) show() any {
	var dots []string
	for _, u := range m.all {
		if !u.IsTombstone() {
			dots = append(dots, u.Dot.String())
		}
	}
	slices.Sort(dots)
	return dots
}

// total is a counter: each replica's newest update carries its sum so far.
type total struct {
	sums map[clock.Replica]*model.Update
}

func newTotal() *total { return &total{sums: map[clock.Replica]*model.Update{}} }

func (m *total) Apply(u *model.Update) model.Effect {
	old := m.sums[u.Replica]
	switch {
	case old == nil || old.Version == u.Version:
		m.sums[u.Replica] = u
		return model.Effect{}
	case old.Version > u.Version:
		return model.Effect{Redundant: true}
	}
	m.sums[u.Replica] = u
	return model.Effect{Superseded: []*model.Update{old}}
}

func (m *total) Discard(u *model.Update) { delete(m.sums, u.Replica) }

func (m *total) Supersedes(a, b *model.Update) bool {
	return a.Replica == b.Replica && a.Version > b.Version
}

func (m *total) sum() any {
	n := 0
	for _, u := range m.sums {
		n += int(u.Value[0])
	}
	return n
}

// values is a register that shows all concurrent writes of a key. clip is what a
// writer makes of the per-key vector of what it overwrites.
type values struct {
	keys map[string][]*model.Update
	seen clock.Vector // everything ever applied, whatever its key
	clip func(m *values, overwritten []*model.Update) clock.Vector
}

func (m *values) Apply(u *model.Update) model.Effect {
	m.seen.Set(u.Replica, max(u.Version, m.seen.Version(u.Replica)))
	var effect model.Effect
	var kept []*model.Update
	for _, o := range m.keys[string(u.Key)] {
		switch {
		case o.Dot == u.Dot:
			return effect
		case m.Supersedes(o, u):
			return model.Effect{Redundant: true}
		case m.Supersedes(u, o):
			effect.Superseded = append(effect.Superseded, o)
		default:
			kept = append(kept, o)
		}
	}
	m.keys[string(u.Key)] = append(kept, u)
	return effect
}

func (m *values) Discard(u *model.Update) {
	m.keys[string(u.Key)] = slices.DeleteFunc(m.keys[string(u.Key)], func(o *model.Update) bool { return o.Dot == u.Dot })
}

func (m *values) Supersedes(a, b *model.Update) bool {
	return bytes.Equal(a.Key, b.Key) && a.Context.Covers(b.Dot)
}

func (m *values) write(rng *rand.Rand) []model.Draft {
	key := []string{"k", "l"}[rng.IntN(2)]
	return []model.Draft{{Key: []byte(key), Value: []byte("v"), Context: m.clip(m, m.keys[key])}}
}

func (m *values) show() any {
	shown := map[string][]string{}
	for key, us := range m.keys {
		for _, u := range us {
			shown[key] = append(shown[key], u.Dot.String())
		}
		slices.Sort(shown[key])
	}
	return shown
}

// perKey is the context that DESIGN §5 asks for: what was overwritten, and what
// that had overwritten.
func perKey(_ *values, overwritten []*model.Update) clock.Vector {
	var v clock.Vector
	for _, u := range overwritten {
		v.Merge(u.Context)
		v.Merge(clock.NewVector([]clock.Entry{clock.Entry(u.Dot)}))
	}
	return v
}

func multi(clip func(*values, []*model.Update) clock.Vector) modeltest.Config[*values] {
	return modeltest.Config[*values]{
		New:    func() *values { return &values{keys: map[string][]*model.Update{}, clip: clip} },
		Drafts: func(rng *rand.Rand, m *values) []model.Draft { return m.write(rng) },
		Value:  func(m *values) any { return m.show() },
		Written: func(m *values, updates []*model.Update) error {
			if n := len(m.keys[string(updates[0].Key)]); n != 1 {
				return fmt.Errorf("%d values after a write that has seen all, want 1", n)
			}
			return nil
		},
	}
}

// tree is a causal model: an update must not come before its parent.
type tree struct{ bag }

func (m *tree) Apply(u *model.Update) model.Effect {
	if i := slices.IndexFunc(m.all, func(o *model.Update) bool { return o.Dot.String() == string(u.Value) }); i < 0 && len(u.Value) > 0 {
		panic("no parent " + string(u.Value))
	}
	return m.bag.Apply(u)
}

func (m *tree) grow(rng *rand.Rand, deps bool) []model.Draft {
	if len(m.all) == 0 {
		return []model.Draft{{}}
	}
	parent := m.all[rng.IntN(len(m.all))].Dot
	d := model.Draft{Value: []byte(parent.String())}
	if deps {
		d.Deps = []clock.Dot{parent}
	}
	return []model.Draft{d}
}

func trees(deps bool) modeltest.Config[*tree] {
	return modeltest.Config[*tree]{
		New:    func() *tree { return new(tree) },
		Drafts: func(rng *rand.Rand, m *tree) []model.Draft { return m.grow(rng, deps) },
		Value:  func(m *tree) any { return m.show() },
	}
}

func counters[M model.Model](fresh func() M, value func(M) any, sum func(M) int) modeltest.Config[M] {
	return modeltest.Config[M]{
		New:    fresh,
		Drafts: func(rng *rand.Rand, m M) []model.Draft { return []model.Draft{{Value: []byte{byte(sum(m))}}} },
		Value:  value,
	}
}

// next is the sum of the next update. A draft does not know its replica, so
// sums run ahead; the laws are about what is made of them.
func (m *total) next() int { return m.sum().(int) + 1 }

// lease gives a key to the update that expires last; of equal ones, to the newest. It
// counts the keys that are given to somebody.
type lease struct {
	register
	past  clock.Timestamp
	given int
}

func newLease() *lease { return &lease{register: *newRegister()} }

func (m *lease) shows(u *model.Update) bool {
	return !u.IsTombstone() && (u.Expires == 0 || u.Expires > m.past)
}

func (m *lease) Expire(u *model.Update) {
	m.past = u.Expires
	m.given--
}

func (m *lease) Discard(u *model.Update) {
	if m.shows(u) {
		m.given--
	}
	m.register.Discard(u)
}

func (m *lease) Apply(u *model.Update) model.Effect {
	var e model.Effect
	switch old := m.keys[string(u.Key)]; {
	case old != nil && m.Supersedes(old, u):
		return model.Effect{Redundant: true}
	case old != nil && old.Dot == u.Dot:
		return e
	case old != nil:
		m.Discard(old)
		e.Superseded = []*model.Update{old}
	}
	if m.shows(u) {
		m.given++
	}
	m.register.Apply(u)
	return e
}

func (m *lease) Supersedes(a, b *model.Update) bool {
	return bytes.Equal(a.Key, b.Key) && (a.Expires > b.Expires || a.Expires == b.Expires && later(a, b))
}

func (m *lease) show() any {
	until := map[string]clock.Timestamp{}
	for key, u := range m.keys {
		if m.shows(u) {
			until[key] = u.Expires
		}
	}
	return []any{m.given, until}
}

// draftLease is draftKey with an expiry, or none.
func draftLease(rng *rand.Rand, m *lease) []model.Draft {
	drafts := draftKey(rng, m)
	for i := range drafts {
		drafts[i].TTL = time.Duration(rng.IntN(4)) * time.Millisecond
	}
	return drafts
}

// cases is how many histories a right model is put through here; others find
// their mistakes in fewer.
var cases = flag.Int("cases", 25, "histories for each right model")

func check[M model.Model](cfg modeltest.Config[M]) func(*testing.T) {
	cfg.Cases = *cases
	return func(t *testing.T) {
		t.Parallel()
		modeltest.Check(t, cfg)
	}
}

func TestRightModelsPass(t *testing.T) {
	t.Parallel()
	right := tables(newLease)
	right.Drafts = draftLease
	for name, run := range map[string]func(*testing.T){
		"register": check(tables(newRegister)),
		"bag":      check(tables(func() *bag { return new(bag) })),
		"total":    check(counters(newTotal, (*total).sum, (*total).next)),
		"values":   check(multi(perKey)),
		"tree":     check(trees(true)),
		"handle":   check(handles(func(h model.Host, m *handle) error { return m.set(h, "x") })),
		"lease":    check(right),
	} {
		t.Run(name, run)
	}
}

// An update expires when its draft says, at its writer and everywhere else.
func TestExpiryIsCarried(t *testing.T) {
	t.Parallel()
	written, received := map[clock.Timestamp]bool{}, map[clock.Timestamp]bool{} // times until then
	note := func(seen map[clock.Timestamp]bool, u *model.Update) {
		if u.Expires != 0 {
			seen[u.Expires-u.Time] = true
		}
	}
	cfg := tables(newLease)
	cfg.Drafts = draftLease
	cfg.Cases = 20
	cfg.Written = func(m *lease, updates []*model.Update) error {
		for _, u := range updates {
			note(written, u)
		}
		return nil
	}
	cfg.Value = func(m *lease) any {
		for _, u := range m.keys {
			note(received, u)
		}
		return m.show()
	}
	modeltest.Check(t, cfg)
	if want := map[clock.Timestamp]bool{1 << 16: true, 2 << 16: true, 3 << 16: true}; !maps.Equal(written, want) || !maps.Equal(received, want) {
		t.Errorf("written %v, received %v, want %v", written, received, want)
	}
}
