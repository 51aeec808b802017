package main

import (
	"math"
)

// Metrics of package gossip that a row shows.
const (
	metricTransport = "scuttlebutt_transport_total" // by counter; bytes as the sockets carry them
	metricStaleness = "scuttlebutt_staleness_seconds"
)

// sample is what a node has counted up to now.
type sample struct {
	in, out           float64 // updates: applied that others wrote, sent
	bytesIn, bytesOut float64
	stale             histogram
}

// histogram is what a Prometheus histogram has counted: how many values were
// at most each bound.
type histogram struct {
	bounds []float64
	counts []float64
}

// takeSample reads a node's counters: updates from its status, the rest from
// its registry.
func takeSample(m *member) sample {
	stats := m.node.Status().Stats
	s := sample{in: float64(stats.UpdatesApplied), out: float64(stats.UpdatesSent)}
	families, err := m.metrics.Gather()
	if err != nil {
		return s
	}
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			switch f.GetName() {
			case metricStaleness:
				h := metric.GetHistogram()
				for _, b := range h.GetBucket() {
					s.stale.bounds = append(s.stale.bounds, b.GetUpperBound())
					s.stale.counts = append(s.stale.counts, float64(b.GetCumulativeCount()))
				}
				s.stale.bounds = append(s.stale.bounds, math.Inf(1))
				s.stale.counts = append(s.stale.counts, float64(h.GetSampleCount()))
			case metricTransport:
				for _, label := range metric.GetLabel() {
					switch label.GetValue() {
					case "udp_bytes_in", "tcp_bytes_in":
						s.bytesIn += metric.GetCounter().GetValue()
					case "udp_bytes_out", "tcp_bytes_out":
						s.bytesOut += metric.GetCounter().GetValue()
					}
				}
			}
		}
	}
	return s
}

// minus returns what was counted after o.
func (h histogram) minus(o histogram) histogram {
	d := histogram{bounds: h.bounds, counts: make([]float64, len(h.counts))}
	copy(d.counts, h.counts)
	for i := range min(len(d.counts), len(o.counts)) {
		d.counts[i] -= o.counts[i]
	}
	return d
}

// quantile estimates the q-quantile as Prometheus does: linear within the
// bucket. The values are seconds.
func (h histogram) quantile(q float64) string {
	if len(h.counts) == 0 || h.counts[len(h.counts)-1] == 0 {
		return "-"
	}
	rank := q * h.counts[len(h.counts)-1]
	lower, below := 0.0, 0.0
	for i, n := range h.counts {
		if n >= rank {
			if math.IsInf(h.bounds[i], 1) {
				return ">" + seconds(lower)
			}
			return seconds(lower + (h.bounds[i]-lower)*(rank-below)/(n-below))
		}
		lower, below = h.bounds[i], n
	}
	return "-"
}
