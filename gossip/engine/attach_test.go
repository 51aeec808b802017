package engine_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

func TestAttachRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{MaxSpaces: 2}) // it has s
	e := w.nodes[0].e
	for _, name := range []string{"", strings.Repeat("x", engine.MaxName+1)} {
		if err := e.Attach(name, newRegister()); err == nil || !strings.Contains(err.Error(), "space name") {
			t.Errorf("a name of %d bytes: got %v", len(name), err)
		}
	}
	if err := e.Attach("s", newRegister()); !errors.Is(err, engine.ErrAttached) {
		t.Errorf("twice: got %v, want ErrAttached", err)
	}
	if err := e.Attach("second", newRegister()); err != nil {
		t.Errorf("the second of two: %v", err)
	}
	if err := e.Attach("third", newRegister()); err == nil || !strings.Contains(err.Error(), "2 spaces") {
		t.Errorf("the third of two: got %v", err)
	}
	if got := len(e.Spaces()); got != 2 {
		t.Errorf("%d spaces", got)
	}
}

// Of what was relayed, a late model keeps what counts, whether the later update is
// of a replica before or after the earlier one's (R14).
func TestLateAttachDropsWhatIsSuperseded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	first, last := clock.Replica{Node: "a", Epoch: 1}, clock.Replica{Node: "z", Epoch: 1}
	of := func(r clock.Replica, v clock.Version, key string, time clock.Timestamp) *model.Update {
		u := updateOf(r, v, key)
		u.Space, u.Time = "later", u.Time+time
		return u
	}
	give(t, w, n, message(engine.Push, 1,
		batch(first, of(first, 1, "j", 10), of(first, 2, "k", 1)),
		batch(last, of(last, 1, "j", 1), of(last, 2, "k", 10))))
	if got := len(n.e.Retained(first)) + len(n.e.Retained(last)); got != 4 {
		t.Fatalf("a relay retains %d updates, want all 4", got)
	}
	m := newRegister()
	if err := n.e.Attach("later", m); err != nil {
		t.Fatal(err)
	}
	if err := n.e.Check(); err != nil {
		t.Error(err)
	}
	if got, want := fmt.Sprint(m.byKey["j"].Dot, m.byKey["k"].Dot), "a/1:1 z/1:2"; got != want {
		t.Errorf("j and k are %s, want %s", got, want)
	}
	if got := len(n.e.Retained(first)) + len(n.e.Retained(last)); got != 2 {
		t.Errorf("%d updates are retained, want 2", got)
	}
}

// stubborn is a model that supersedes what it is told to.
type stubborn struct {
	register
	superseded []*model.Update
}

func (m *stubborn) Apply(*model.Update) model.Effect {
	return model.Effect{Superseded: m.superseded}
}

// A model that supersedes what is not retained is our bug or its author's: the
// panic names the update.
func TestWrongModelPanics(t *testing.T) {
	t.Parallel()
	known, unknown := update(1, "k"), update(1, "k")
	unknown.Replica.Node = "nobody"
	for _, tt := range []struct {
		superseded []*model.Update
		want       string
	}{
		{[]*model.Update{unknown}, "nobody/1:1"},
		{[]*model.Update{known, known}, "writer/1:1"},
	} {
		w := newWorld(t, 1, 1, engine.Config{})
		n := w.nodes[0]
		m := &stubborn{}
		if err := n.e.Attach("wrong", m); err != nil {
			t.Fatal(err)
		}
		u := *known
		u.Space = "wrong"
		give(t, w, n, message(engine.Push, 1, batch(writer, &u)))
		m.superseded = tt.superseded
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, tt.want) || !strings.Contains(got, `"`) || !strings.Contains(got, "is not retained") {
					t.Errorf("panics with %q, want one that names %s, its space and what is wrong", got, tt.want)
				}
			}()
			_ = w.write(n, "wrong", "k", "v")
		}()
	}
}

// A write of no drafts is none.
func TestEmptyWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 1, engine.Config{})
	n := w.nodes[0]
	next := n.e.Next()
	out, err := n.e.Write(w.now, "s", nil)
	if err != nil || len(out.Send)+len(out.Changed) > 0 || n.e.Vector().Len() != 0 || n.e.Next() != next {
		t.Errorf("%v, %+v, at %v; the next round moved by %v", err, out, n.e.Vector(), n.e.Next().Sub(next))
	}
}
