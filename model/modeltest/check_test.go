package modeltest_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
	"github.com/insecure-scuttlebutt/scuttlebutt/model/modeltest"
)

// recorder is a test that keeps what it is told.
type recorder struct {
	testing.TB
	told []string
}

func (r *recorder) Helper()                           {}
func (r *recorder) Name() string                      { return "TestCart/of+amy" }
func (r *recorder) Error(args ...any)                 { r.told = append(r.told, fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) { r.Error(fmt.Sprintf(format, args...)) }

func TestCheckReports(t *testing.T) {
	t.Parallel()
	var r recorder
	right := tables(newRegister)
	right.Cases = 1
	modeltest.Check(&r, right)
	if len(r.told) > 0 {
		t.Errorf("a right model is reported: %q", r.told)
	}
	modeltest.Check(&r, tables(func() *arrival { return new(arrival) }))
	if want := `replay: go test -run '^TestCart$/^of\+amy$/^seed=0$'`; len(r.told) != 1 || !strings.HasSuffix(r.told[0], want) {
		t.Errorf("got %q, want one report that ends with %q", r.told, want)
	}
	r.told = nil
	modeltest.Check(&r, modeltest.Config[*register]{})
	if len(r.told) != 1 || !strings.Contains(r.told[0], "Config.New") {
		t.Errorf("got %q, want the field that is missing", r.told)
	}
}

// A panic of the model is reported with its history first, and then happens
// again: only so is there a stack that shows where.
func TestCheckPanics(t *testing.T) {
	t.Parallel()
	var r recorder
	defer func() {
		p := recover()
		if p == nil || len(r.told) != 1 || !strings.Contains(r.told[0], fmt.Sprint(p)) {
			t.Errorf("panic %v, reported %q", p, r.told)
		}
	}()
	modeltest.Check(&r, trees(false))
}

// The seed of a report runs that history alone, and it fails in the same way.
func TestSeedReplays(t *testing.T) {
	t.Parallel()
	cfg := tables(func() *sameNode { return &sameNode{ties{*newRegister()}} })
	var first, again *modeltest.Failure
	if !errors.As(modeltest.Run(cfg), &first) || first.Seed == 0 {
		t.Fatalf("got %v, want a failure after some cases", first)
	}
	cfg.Seed, cfg.Cases = first.Seed, 1
	if !errors.As(modeltest.Run(cfg), &again) || again.Error() != first.Error() {
		t.Errorf("first:\n%v\nagain:\n%v", first, again)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		field  string
		change func(*modeltest.Config[*register])
	}{
		{"Config.New", func(c *modeltest.Config[*register]) { c.New = nil }},
		{"Config.Write", func(c *modeltest.Config[*register]) { c.Drafts = nil }},
		{"Config.Drafts", func(c *modeltest.Config[*register]) {
			c.Write = func(*rand.Rand, *register) error { return nil }
		}},
		{"Config.Value", func(c *modeltest.Config[*register]) { c.Value = nil }},
		{"Config.Cases", func(c *modeltest.Config[*register]) { c.Cases = -1 }},
		{"Config.Writes", func(c *modeltest.Config[*register]) { c.Writes = -1 }},
		{"Config.Replicas", func(c *modeltest.Config[*register]) { c.Replicas = 9 }},
	} {
		cfg := tables(newRegister)
		tt.change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), tt.field) {
			t.Errorf("Validate = %v, want an error that names %s", err, tt.field)
		}
	}
}

// A test that writes nothing tests nothing.
func TestNothingWritten(t *testing.T) {
	t.Parallel()
	cfg := tables(newRegister)
	cfg.Drafts = func(*rand.Rand, *register) []model.Draft { return nil }
	cfg.Cases = 10 // fewer prove nothing
	if err := modeltest.Run(cfg); err == nil || !strings.Contains(err.Error(), "nothing was written") {
		t.Errorf("Run = %v, want an error", err)
	}
}

// Writes beyond what a history can hold are left out, whoever makes them.
func TestFullHistory(t *testing.T) {
	t.Parallel()
	many := func(rng *rand.Rand, _ *handle) []model.Draft {
		drafts := make([]model.Draft, 7)
		for i := range drafts {
			drafts[i] = model.Draft{Key: []byte{byte(i)}, Value: []byte{'a' + byte(rng.IntN(26))}}
		}
		return drafts
	}
	cfg := handles(func(h model.Host, m *handle) error { return m.set(h, "x") })
	cfg.Drafts, cfg.Writes, cfg.Replicas, cfg.Cases = many, 40, 8, 10
	modeltest.Check(t, cfg)
}
