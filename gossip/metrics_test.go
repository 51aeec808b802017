package gossip

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := memnet.New(memnet.Config{})
		registry := prometheus.NewPedanticRegistry()
		metrics := func(c *Config) { c.Metrics = registry }
		a, b := startOn(t, net, "a", metrics), startOn(t, net, "b", metrics)
		var numbers model.Map[int]
		attach(t, a.Node, "n", &numbers)
		set(t, &a.m, "k", "v")
		set(t, &a.m, "l", "v")
		_ = numbers.Set(t.Context(), "n", 1)
		eventually(t, 10*time.Second, "b has three", func() bool { return b.Status().Stats.UpdatesApplied == 3 })
		_ = a.m.Delete(t.Context(), "l")
		eventually(t, 10*time.Second, "b has four", func() bool { return b.Status().Stats.UpdatesApplied == 4 })
		time.Sleep(time.Second) // rounds go on, and nothing is collected yet

		got := scrape(t, registry)
		for name, want := range map[string]float64{
			`scuttlebutt_updates_total{direction="written",node="a"}`:  4,
			`scuttlebutt_updates_total{direction="received",node="b"}`: 4,
			`scuttlebutt_clean{node="b"}`:                              1,
			`scuttlebutt_pending{node="b"}`:                            0,
			`scuttlebutt_replicas{node="b"}`:                           1,
			`scuttlebutt_members{node="a",state="alive"}`:              2,
			`scuttlebutt_members{node="a",state="failed"}`:             0,
			`scuttlebutt_retained_updates{node="b",space="s"}`:         2,
			`scuttlebutt_tombstones{node="b",space="s"}`:               1,
			`scuttlebutt_retained_updates{node="b",space=""}`:          1, // relayed
			`scuttlebutt_retained_updates{node="a",space="n"}`:         1,
			`scuttlebutt_staleness_seconds_count{node="b"}`:            3,
			`scuttlebutt_dropped_total{node="a",reason="cluster"}`:     0,
		} {
			if v, ok := got[name]; !ok || v != want {
				t.Errorf("%s = %v, %v, want %v", name, v, ok, want)
			}
		}
		for _, name := range []string{
			`scuttlebutt_messages_total{direction="sent",kind="syn",node="a"}`,
			`scuttlebutt_messages_total{direction="received",kind="ack",node="a"}`,
			`scuttlebutt_bytes_total{channel="datagram",direction="sent",node="a"}`,
			`scuttlebutt_bytes_total{channel="datagram",direction="received",node="b"}`,
			`scuttlebutt_exchanges_total{node="a",result="equal"}`,
		} {
			if got[name] == 0 {
				t.Errorf("%s is %v, want more than 0", name, got[name])
			}
		}

		// One registry has no room for two nodes of one name.
		endpoint, err := memnet.New(memnet.Config{}).Join("a")
		if err != nil {
			t.Fatal(err)
		}
		defer endpoint.Close(t.Context())
		if _, err := Start(t.Context(), Config{Name: "a", Transport: endpoint, Metrics: registry}); err == nil {
			t.Error("two nodes of one name have registered")
		}

		_ = a.Close()
		if got := scrape(t, registry); len(got) == 0 || slices.ContainsFunc(keys(got), func(s string) bool { return strings.Contains(s, `node="a"`) }) {
			t.Error("a closed node's metrics are still registered")
		}
		again := startOn(t, net, "a", metrics)
		_ = again.Close()
		_ = b.Close()
		if got := scrape(t, registry); len(got) != 0 {
			t.Errorf("%d metrics are left", len(got))
		}
	})
}

// A quantile is known to a bucket: where a cluster is healthy, and where it is
// not, that must say something.
func TestStalenessBuckets(t *testing.T) {
	for _, r := range []struct{ from, to, ratio float64 }{
		{stalenessBuckets[0], 300, 5}, {.05, .5, 1.5001}, {5, 30, 1.5001},
	} {
		at := r.from
		if !slices.Contains(stalenessBuckets, r.from) || !slices.Contains(stalenessBuckets, r.to) {
			t.Errorf("no bucket ends at %v, or at %v", r.from, r.to)
		}
		for _, b := range stalenessBuckets {
			if b <= r.from || b > r.to {
				continue
			}
			if b > r.ratio*at {
				t.Errorf("from %v to %v in one bucket, want at most %v times", at, b, r.ratio)
			}
			at = b
		}
	}
}

// Every metric is listed in the package's documentation, and no other.
func TestMetricsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, name := range regexp.MustCompile(`\bscuttlebutt_[a-z_]+`).FindAllString(string(doc), -1) {
		listed[name] = true
	}
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewPedanticRegistry()
		startOn(t, memnet.New(memnet.Config{}), "a", func(c *Config) {
			c.Metrics = registry
			c.Transport = counting{c.Transport.(*memnet.Endpoint)}
		})
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if !listed[f.GetName()] {
				t.Errorf("%s is not documented", f.GetName())
			}
			delete(listed, f.GetName())
		}
	})
	for name := range listed {
		t.Errorf("%s is documented and does not exist", name)
	}
}

// counting is a transport with counters of its own.
type counting struct{ *memnet.Endpoint }

func (counting) Counters() map[string]uint64 { return map[string]uint64{"resent": 3} }

func TestMetricsLint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewPedanticRegistry()
		startOn(t, memnet.New(memnet.Config{}), "a", func(c *Config) { c.Metrics = registry })
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		problems, err := promlint.NewWithMetricFamilies(families).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	})
}

// scrape returns all samples by their name in the text format.
func scrape(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name := fmt.Sprintf("%s{%s}", f.GetName(), strings.Join(labels, ","))
			switch {
			case m.GetHistogram() != nil:
				samples[strings.Replace(name, "{", "_count{", 1)] = float64(m.GetHistogram().GetSampleCount())
			case m.GetCounter() != nil:
				samples[name] = m.GetCounter().GetValue()
			default:
				samples[name] = m.GetGauge().GetValue()
			}
		}
	}
	return samples
}

func keys(m map[string]float64) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	return list
}
