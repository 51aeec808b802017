package gossip

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// limited starts a node whose map has limits.
func limited(t *testing.T, net *memnet.Network, name string, cfg SpaceConfig, change ...func(*Config)) *peer {
	t.Helper()
	p := &peer{Node: startBare(t, net, name, change...)}
	if err := p.AttachWith("s", &p.m, cfg); err != nil {
		t.Fatal(err)
	}
	return p
}

// A full space refuses what makes it larger, and takes everything else.
func TestQuota(t *testing.T) {
	long := strings.Repeat("x", 40)
	for name, tt := range map[string]struct {
		cfg  SpaceConfig
		full string // in the error
	}{
		"keys":  {SpaceConfig{MaxKeys: 3}, `"s" has 3 of at most 3 keys`},
		"bytes": {SpaceConfig{MaxBytes: 3 * (2 + 40)}, `"s" has 126 of at most 126 bytes`},
		"both":  {SpaceConfig{MaxKeys: 3, MaxBytes: 1 << 20}, `"s" has 3 of at most 3 keys`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := limited(t, memnet.New(memnet.Config{}), "a", tt.cfg)
				refused := func(what string, err error) {
					t.Helper()
					if !errors.Is(err, ErrQuota) {
						t.Errorf("%s: %v, want ErrQuota", what, err)
					}
				}
				for i := range 3 {
					set(t, &a.m, fmt.Sprint("k", i), long)
				}
				err := a.m.Set(t.Context(), "k3", long)
				if refused("one more", err); !strings.Contains(err.Error(), tt.full) {
					t.Errorf("the error is %q, want that %s", err, tt.full)
				}
				refused("TrySet", a.m.TrySet(t.Context(), "k3", long))
				refused("SetTTL", a.m.SetTTL(t.Context(), "k3", long, time.Second))
				refused("Update", a.m.Update(t.Context(), "k3", func(string, bool) string { return long }))
				if a.m.Len() != 3 || !has(&a.m, "k3", "")() {
					t.Errorf("%d keys after refused writes", a.m.Len())
				}
				set(t, &a.m, "k0", strings.ToUpper(long))
				set(t, &a.m, "k1", "shorter")
				if err := a.m.SetTTL(t.Context(), "k0", long, time.Second); err != nil {
					t.Errorf("one that expires in the place of one that does not: %v", err)
				}
				if err := a.m.Delete(t.Context(), "k2"); err != nil {
					t.Errorf("delete: %v", err)
				}
				set(t, &a.m, "k3", "v")     // there is room again
				time.Sleep(2 * time.Second) // virtual time
				if tt.cfg.MaxKeys > 0 {
					set(t, &a.m, "k4", "v") // in the place of what has expired
				}
				if err := a.check(); err != nil {
					t.Error(err)
				}
				if s := a.Status().Spaces[0]; s.Refused != 4 || s.Limits.MaxKeys != tt.cfg.MaxKeys || s.Limits.MaxBytes != tt.cfg.MaxBytes {
					t.Errorf("status: %+v", s)
				}
			})
		})
	}
}

// Others' writes are always taken, and the way back below the limit is open.
func TestQuotaDoesNotBreakReplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, registry := memnet.New(memnet.Config{}), prometheus.NewPedanticRegistry()
		small := limited(t, net, "small", SpaceConfig{MaxKeys: 2, MaxBytes: 100}, func(c *Config) { c.Metrics = registry })
		large := startOn(t, net, "large")
		for i := range 10 {
			set(t, &large.m, fmt.Sprint("k", i), strings.Repeat("x", 50))
		}
		eventually(t, time.Minute, "small has all", func() bool { return small.m.Len() == 10 })
		if err := small.m.Set(t.Context(), "k0", strings.Repeat("x", 51)); !errors.Is(err, ErrQuota) {
			t.Errorf("an overwrite that grows: %v", err)
		}
		set(t, &small.m, "k0", strings.Repeat("y", 50))
		for i := 1; i < 10; i++ {
			if err := small.m.Delete(t.Context(), fmt.Sprint("k", i)); err != nil {
				t.Fatal(err)
			}
		}
		set(t, &small.m, "k0", "v")
		set(t, &small.m, "l", "v")
		eventually(t, time.Minute, "both are equal", func() bool { return has(&large.m, "l", "v")() && large.m.Len() == 2 })
		got := scrape(t, registry)
		for name, want := range map[string]float64{
			`scuttlebutt_space_limit{limit="keys",node="small",space="s"}`:  2,
			`scuttlebutt_space_limit{limit="bytes",node="small",space="s"}`: 100,
			`scuttlebutt_quota_refused_total{node="small",space="s"}`:       1,
			`scuttlebutt_expired_updates{node="small",space="s"}`:           0,
		} {
			if v, ok := got[name]; !ok || v != want {
				t.Errorf("%s = %v, %v, want %v", name, v, ok, want)
			}
		}
		var free model.Map[string]
		attach(t, small.Node, "free", &free)
		if v := scrape(t, registry)[`scuttlebutt_space_limit{limit="keys",node="small",space="free"}`]; !math.IsInf(v, 1) {
			t.Errorf("without a limit the metric is %v", v)
		}
	})
}

// A write of several updates is refused as a whole, and counts what its updates do to
// each other.
func TestQuotaOfOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := limited(t, memnet.New(memnet.Config{}), "a", SpaceConfig{MaxKeys: 2})
		write := func(keys ...string) error {
			return a.spaces["s"].Write(t.Context(), true, func(tx *model.Tx) error {
				for _, k := range keys {
					d := model.Draft{Key: []byte(strings.TrimPrefix(k, "-")), Value: []byte(k)}
					if k[0] == '-' {
						d.Kind = model.Tombstone
					}
					tx.Put(d)
				}
				return nil
			})
		}
		for _, tt := range []struct {
			keys []string
			ok   bool
			left int
		}{
			{[]string{"a", "b", "c"}, false, 0},
			{[]string{"a", "a", "a", "b"}, true, 2},
			{[]string{"-a", "c", "d"}, false, 2},
			{[]string{"-a", "c", "b"}, true, 2},
			{[]string{"c", "d", "-d"}, true, 2},
			{[]string{"-z"}, true, 2},
		} {
			err := write(tt.keys...)
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrQuota) || a.m.Len() != tt.left {
				t.Errorf("%v: %v, %d keys; want ok %v, %d", tt.keys, err, a.m.Len(), tt.ok, tt.left)
			}
			if err := a.check(); err != nil {
				t.Fatal(err)
			}
		}
		if !has(&a.m, "a", "")() || !has(&a.m, "b", "b")() || !has(&a.m, "c", "c")() {
			t.Error("the map shows something else than what was written")
		}
	})
}

func TestSpaceConfigValidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := startBare(t, memnet.New(memnet.Config{}), "a")
		for field, cfg := range map[string]SpaceConfig{"MaxKeys": {MaxKeys: -1}, "MaxBytes": {MaxBytes: -1}} {
			var m model.Map[string]
			if err := a.AttachWith("s", &m, cfg); err == nil || !strings.HasPrefix(err.Error(), "gossip: SpaceConfig."+field+": ") {
				t.Errorf("%s: %v", field, err)
			}
		}
	})
}
