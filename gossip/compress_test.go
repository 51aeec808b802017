package gossip_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
)

// A newcomer that does not compress itself catches up with one that does: it gets
// everything, in fewer bytes.
func TestCompressAbove(t *testing.T) {
	const keys = 3000
	registry := prometheus.NewRegistry()
	old, m := start(t, gossip.Config{Name: "old", CompressAbove: 4096, Flow: gossip.FlowOff, Metrics: registry})
	value := func(i int) string { return fmt.Sprint(i, strings.Repeat(" and so on", 20)) }
	for i := range keys {
		if err := m.Set(t.Context(), fmt.Sprint("key-", i), value(i)); err != nil {
			t.Fatal(err)
		}
	}
	_, copied := start(t, gossip.Config{Name: "young", Join: []string{old.Status().Addr}})
	waitFor(t, 20*time.Second, "the newcomer has everything", func() bool { return copied.Len() == keys })
	for i := range keys {
		if got, _ := copied.Get(fmt.Sprint("key-", i)); got != value(i) {
			t.Fatalf("key-%d is %q, want %q", i, got, value(i))
		}
	}
	messages, wire := transported(t, registry, "stream_bytes_out"), transported(t, registry, "tcp_bytes_out")
	if messages < keys*200 || wire > messages/2 {
		t.Errorf("messages of %.0f bytes took %.0f", messages, wire)
	}
}

// transported returns a counter of a node's transport.
func transported(t *testing.T, registry *prometheus.Registry, counter string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "scuttlebutt_transport_total" && l.GetValue() == counter {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	t.Fatalf("there is no counter %s", counter)
	return 0
}
