package gossip

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/insecure-scuttlebutt/scuttlebutt/flowcontrol"
)

var (
	descRate      = desc("write_rate", "Updates per second that are written or wanted, that may be written, and that exchanges can carry.", "rate")
	descThrottled = desc("throttled_total", "Writes that were refused because they would have had to wait.")
	descWaiting   = desc("writers_waiting", "Writes that wait for their turn.")
)

// waitBuckets reach from a moment to the patience of most callers.
var waitBuckets = []float64{.0001, .001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

func newWaits() prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "scuttlebutt_write_wait_seconds",
		Help:    "How long writes waited that were held back, those given up included.",
		Buckets: waitBuckets,
	})
}

// waited notes how long a write was held back.
func (c *collector) waited(d time.Duration) {
	if c != nil {
		c.waits.Observe(d.Seconds())
	}
}

func (c *collector) describeThrottle(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRate, descThrottled, descWaiting} {
		ch <- d
	}
	c.waits.Describe(ch)
}

// collectThrottle reports on flow control. Without it there is nothing to report.
func (c *collector) collectThrottle(ch chan<- prometheus.Metric, rates flowcontrol.Rates,
	count func(*prometheus.Desc, uint64, ...string), gauge func(*prometheus.Desc, float64, ...string),
) {
	t := c.node.throttle
	if t == nil {
		return
	}
	gauge(descRate, rates.Desired, "desired")
	gauge(descRate, rates.Maximum, "maximum")
	gauge(descRate, rates.Capacity, "capacity")
	count(descThrottled, t.refused.Load())
	gauge(descWaiting, float64(t.waiting.Load()))
	c.waits.Collect(ch)
}
