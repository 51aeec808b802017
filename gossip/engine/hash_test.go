package engine

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Whatever differs in two updates but their dots shows in their hashes, also what
// one field has more of and the next one less; the dot shows in that of a member.
func TestContentOfEveryField(t *testing.T) {
	t.Parallel()
	h := newHasher("test")
	a := clock.Replica{Node: "a", Epoch: 1}
	base := func() *model.Update {
		return &model.Update{
			Dot: clock.Dot{Replica: a, Version: 1}, Time: 5, Expires: 6, Kind: 7, Space: "space",
			Key: []byte("key"), Value: []byte("value"),
			Context: clock.NewVector([]clock.Entry{{Replica: a, Version: 1}}),
			Deps:    clock.NewDots([]clock.Dot{{Replica: a, Version: 2}}),
		}
	}
	seen := map[uint64]string{h.content(base()): "nothing"}
	for what, change := range map[string]func(*model.Update){
		"time":          func(u *model.Update) { u.Time++ },
		"expiry":        func(u *model.Update) { u.Expires++ },
		"kind":          func(u *model.Update) { u.Kind++ },
		"space":         func(u *model.Update) { u.Space = "spacf" },
		"key":           func(u *model.Update) { u.Key = []byte("kez") },
		"value":         func(u *model.Update) { u.Value = nil },
		"space and key": func(u *model.Update) { u.Space, u.Key = "spacek", []byte("ey") },
		"key and value": func(u *model.Update) { u.Key, u.Value = []byte("keyv"), []byte("alue") },
		"no context":    func(u *model.Update) { u.Context = clock.Vector{} },
		"context":       func(u *model.Update) { u.Context = clock.NewVector([]clock.Entry{{Replica: a, Version: 2}}) },
		"no dependency": func(u *model.Update) { u.Deps = clock.Dots{} },
		"dependency":    func(u *model.Update) { u.Deps = clock.NewDots([]clock.Dot{{Replica: a, Version: 3}}) },
		"a context for what was": func(u *model.Update) {
			u.Context, u.Deps = clock.Vector{}, clock.NewDots([]clock.Dot{{Replica: a, Version: 1}, u.Deps.All()[0]})
		},
	} {
		u := base()
		change(u)
		if other, ok := seen[h.content(u)]; ok {
			t.Errorf("%s: the hash is that of a change of %s", what, other)
		}
		seen[h.content(u)] = what
	}
	if newHasher("toast").content(base()) == h.content(base()) {
		t.Error("the content does not depend on the cluster")
	}
	u := base()
	u.Dot = clock.Dot{Replica: clock.Replica{Node: "b"}, Version: 9}
	if h.content(u) != h.content(base()) {
		t.Error("the content depends on the dot")
	}
}

// A member's hash depends on all of its dot, on its content and on the cluster, and on
// nothing that was hashed before.
func TestMemberOfEveryPart(t *testing.T) {
	t.Parallel()
	h := newHasher("test")
	dot := func(node string, epoch uint64, version clock.Version) clock.Dot {
		return clock.Dot{Replica: clock.Replica{Node: node, Epoch: epoch}, Version: version}
	}
	first := dot("a", 1, 1)
	seen := map[Hash]string{newHasher("toast").member(first, 1): "another cluster"}
	for _, m := range []struct {
		what    string
		dot     clock.Dot
		content uint64
	}{
		{"nothing", first, 1},
		{"another node", dot("b", 1, 1), 1},
		{"another epoch", dot("a", 2, 1), 1},
		{"another version", dot("a", 1, 2), 1},
		{"another content", first, 2},
	} {
		hash := h.member(m.dot, m.content)
		if other, ok := seen[hash]; ok {
			t.Errorf("%s: the hash is that of %s", m.what, other)
		}
		if seen[hash] = m.what; hash != newHasher("test").member(m.dot, m.content) {
			t.Errorf("%s: the hash depends on what was hashed before", m.what)
		}
	}
}

// A set's hash depends on its members alone, however they came and went.
func TestHashIsOfTheSet(t *testing.T) {
	t.Parallel()
	member := rapid.Custom(func(t *rapid.T) Hash {
		return Hash{Hi: rapid.Uint64().Draw(t, "hi"), Lo: rapid.Uint64().Draw(t, "lo")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := member.Draw(t, "a"), member.Draw(t, "b"), member.Draw(t, "c")
		if x, y := a.Plus(b).Plus(c), c.Plus(a).Plus(b); x != y {
			t.Fatalf("in two orders %x and %x", x.Bytes(), y.Bytes())
		}
		if got := a.Plus(b).Plus(c).Minus(a).Minus(c); got != b {
			t.Fatalf("what is left of b is %x, want %x", got.Bytes(), b.Bytes())
		}
	})
}
