package gossip

import (
	"fmt"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// transportCounters is what a transport may have: counters by name.
type transportCounters interface {
	Counters() map[string]uint64
}

// stalenessBuckets reach from a round trip in a rack to a partition. They are
// narrow where one looks: what a healthy cluster has, 50 to 500 ms, and what lost
// messages and short partitions make of it, 5 to 30 s.
var stalenessBuckets = []float64{
	.001, .005, .01, .025,
	.05, .075, .1, .15, .2, .25, .3, .4, .5,
	1, 2.5,
	5, 7.5, 10, 15, 20, 30,
	60, 300,
}

// collector reads a node's counts when metrics are scraped; but for staleness
// nothing is kept for it.
type collector struct {
	node       *Node
	registerer prometheus.Registerer // with the label node
	staleness  prometheus.Histogram
	waits      prometheus.Histogram // of writes that were held back
}

var _ prometheus.Collector = (*collector)(nil)

// register makes the node's metrics known to Config.Metrics, if there is one.
func (n *Node) register() error {
	if n.cfg.Metrics == nil {
		return nil
	}
	c := &collector{
		node:       n,
		registerer: prometheus.WrapRegistererWith(prometheus.Labels{"node": n.cfg.Name}, n.cfg.Metrics),
		staleness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "scuttlebutt_staleness_seconds",
			Help:    "Age of remote updates when they were applied.",
			Buckets: stalenessBuckets,
		}),
		waits: newWaits(),
	}
	if err := c.registerer.Register(c); err != nil {
		return fmt.Errorf("gossip: Config.Metrics: %w", err)
	}
	n.metrics = c
	return nil
}

func (n *Node) unregister() {
	if n.metrics != nil {
		n.metrics.registerer.Unregister(n.metrics)
	}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("scuttlebutt_"+name, help, labels, nil)
}

var (
	descExchanges  = desc("exchanges_total", "Exchanges that this node began, by how they ended.", "result")
	descAnswered   = desc("exchanges_answered_total", "Exchanges that others began with this node.")
	descUpdates    = desc("updates_total", "Updates sent, received and new, received and known already, written here.", "direction")
	descBytes      = desc("bytes_total", "Bytes of messages, before the transport's own overhead.", "direction", "channel")
	descMessages   = desc("messages_total", "Messages by kind.", "direction", "kind")
	descDropped    = desc("dropped_total", "Messages that were refused, or could not be sent, by reason.", "reason")
	descTransport  = desc("transport_total", "The transport's own counters.", "counter")
	descLive       = desc("live_updates_total", "Updates that went over links at once: put into messages, received and new, received and known already.", "direction")
	descLiveGaps   = desc("live_gaps_total", "Live messages of which something could not be applied, because something before it was missing.")
	descLinks      = desc("links", "Connections over which live updates come and go.")
	descOpenHoles  = desc("open_holes_total", "Batches applied with an open hole.")
	descRefused    = desc("batches_refused_total", "Batches that were not applied.")
	descGaps       = desc("gaps_total", "Batches that began after what is known.")
	descPulls      = desc("pulls_total", "Requests for more.")
	descCatchUps   = desc("catch_ups_total", "Times that this node began to fetch much from one peer.")
	descCatchUp    = desc("catch_up_versions", "Of what this node is fetching from a peer: what came, and what is still lacking; 0 while it does not catch up.", "state")
	descHeld       = desc("held_total", "Batches cut short because a clock ran ahead.")
	descForks      = desc("forks_total", "Updates seen with two contents.")
	descEpochs     = desc("epochs_total", "New epochs that this node took after its start.")
	descConflicts  = desc("type_conflicts_total", "Peers seen to have a model of another type in a space.")
	descMismatches = desc("mismatches_total", "Equal vectors with different state.")
	descCleanings  = desc("cleanings_total", "Cleaning exchanges that a clean peer granted.")
	descRebased    = desc("rebased_total", "Horizons freed of what died with its holders.")
	descRepairs    = desc("repairs_total", "Repairs begun.")
	descRepaired   = desc("repaired_updates_total", "Updates that repairs brought.")
	descRepairedB  = desc("repaired_bytes_total", "Bytes of updates that repairs brought.")
	descDamaged    = desc("damaged_updates_total", "Updates that were not any more what they were when they came, or that their model had lost.")
	descReports    = desc("reports_total", "Reports to the other members of what is known here, written.")
	descCollected  = desc("collected_updates_total", "Tombstones and expired updates dropped because all members know them.")
	descCollectedB = desc("collected_bytes_total", "Bytes of tombstones and expired updates that were dropped.")
	descResets     = desc("resets_total", "Times that this node was brought up to date on what was collected without it.")
	descDead       = desc("reset_updates_total", "Dead updates that resets removed.")
	descDeadB      = desc("reset_bytes_total", "Bytes of dead updates that resets removed.")
	descVanished   = desc("vanished_total", "Replicas of which nothing has to be known any more.")

	descRetired    = desc("retired_nodes", "Node names of which something is over.")
	descLag        = desc("stable_lag_seconds", "Age of the oldest tombstone or expired update that waits to be collected; 0 when none does.")
	descBlocked    = desc("collection_blocked", "Members and conditions that keep tombstones from being collected.")
	descDeadBytes  = desc("dead_bytes", "Bytes of tombstones and expired updates held in a space.", "space")
	descClean      = desc("clean", "1 while the state is exact for all that is known, 0 while an update is on its way.")
	descPending    = desc("pending", "Updates that peers know and this node does not, as last seen.")
	descReplicas   = desc("replicas", "Replicas of which something is known.")
	descMembers    = desc("members", "Known nodes, this one included, by state.", "state")
	descRetained   = desc("retained_updates", "Updates held in a space, tombstones included.", "space")
	descTombstones = desc("tombstones", "Tombstones held in a space.", "space")
	descExpired    = desc("expired_updates", "Updates held in a space that have expired.", "space")
	descLimit      = desc("space_limit", "What a space may hold; infinite without a limit.", "space", "limit")
	descQuota      = desc("quota_refused_total", "Local writes refused because their space is full.", "space")
	descWatchers   = desc("watchers", "Watches under way.")
	descUnseen     = desc("watch_pending", "Changes that are kept for watches: not shown yet, or being shown.")
	descStored     = desc("stored_bytes", "Bytes of keys and values held in a space.", "space")
)

// scalars are the metrics without labels that come straight from the engine.
var scalars = []struct {
	desc  *prometheus.Desc
	value func(engine.Stats) uint64
}{
	{descAnswered, func(s engine.Stats) uint64 { return s.Exchanges.Answered }},
	{descOpenHoles, func(s engine.Stats) uint64 { return s.OpenHoles }},
	{descRefused, func(s engine.Stats) uint64 { return s.BatchesRefused }},
	{descLiveGaps, func(s engine.Stats) uint64 { return s.LiveGaps }},
	{descGaps, func(s engine.Stats) uint64 { return s.Gaps }},
	{descPulls, func(s engine.Stats) uint64 { return s.Pulls }},
	{descCatchUps, func(s engine.Stats) uint64 { return s.CatchUps }},
	{descHeld, func(s engine.Stats) uint64 { return s.Held }},
	{descForks, func(s engine.Stats) uint64 { return s.Forks }},
	{descEpochs, func(s engine.Stats) uint64 { return s.Epochs }},
	{descConflicts, func(s engine.Stats) uint64 { return s.TypeConflicts }},
	{descMismatches, func(s engine.Stats) uint64 { return s.Mismatches }},
	{descCleanings, func(s engine.Stats) uint64 { return s.Cleanings }},
	{descRebased, func(s engine.Stats) uint64 { return s.Rebased }},
	{descRepairs, func(s engine.Stats) uint64 { return s.Repairs }},
	{descRepaired, func(s engine.Stats) uint64 { return s.Repaired }},
	{descRepairedB, func(s engine.Stats) uint64 { return s.RepairedBytes }},
	{descDamaged, func(s engine.Stats) uint64 { return s.Damaged }},
	{descReports, func(s engine.Stats) uint64 { return s.Reports }},
	{descCollected, func(s engine.Stats) uint64 { return s.Collected }},
	{descCollectedB, func(s engine.Stats) uint64 { return s.CollectedBytes }},
	{descResets, func(s engine.Stats) uint64 { return s.Resets }},
	{descDead, func(s engine.Stats) uint64 { return s.Dead }},
	{descDeadB, func(s engine.Stats) uint64 { return s.DeadBytes }},
	{descVanished, func(s engine.Stats) uint64 { return s.Vanished }},
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, s := range scalars {
		ch <- s.desc
	}
	for _, d := range []*prometheus.Desc{
		descExchanges, descUpdates, descLive, descLinks, descBytes, descMessages, descDropped, descTransport,
		descRetired, descLag, descBlocked, descDeadBytes, descClean, descPending, descCatchUp, descReplicas, descMembers, descRetained, descTombstones, descExpired, descStored, descLimit, descQuota,
		descWatchers, descUnseen,
	} {
		ch <- d
	}
	c.staleness.Describe(ch)
	c.describeThrottle(ch)
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	var status Status
	var replicas int // without a copy of the vector
	c.node.status(&status, func() { replicas = c.node.engine.Replicas() })
	stats := status.Stats
	for _, s := range scalars {
		count(s.desc, s.value(stats))
	}
	count(descExchanges, stats.Exchanges.Equal, "equal")
	count(descExchanges, stats.Exchanges.Complete, "complete")
	count(descExchanges, stats.Exchanges.Partial, "partial")
	count(descExchanges, stats.Exchanges.Timeout, "timeout")
	count(descUpdates, stats.UpdatesSent, "sent")
	count(descUpdates, stats.UpdatesApplied, "received")
	count(descUpdates, stats.UpdatesRedundant, "redundant")
	count(descUpdates, stats.UpdatesWritten, "written")
	count(descLive, stats.LiveSent, "sent")
	count(descLive, stats.LiveApplied, "received")
	count(descLive, stats.LiveRedundant, "redundant")
	gauge(descLinks, float64(status.Links))
	c.collectMessages(count)
	if t, ok := c.node.transport.(transportCounters); ok {
		for name, v := range t.Counters() {
			count(descTransport, v, name)
		}
	}
	clean := 0.0
	if status.Clean {
		clean = 1
	}
	gauge(descClean, clean)
	gauge(descPending, float64(status.Pending))
	gauge(descCatchUp, float64(status.CatchUp.Have), "have")
	gauge(descCatchUp, float64(status.CatchUp.Want-status.CatchUp.Have), "lacking")
	gauge(descReplicas, float64(replicas))
	gauge(descRetired, float64(status.Retired))
	gauge(descBlocked, float64(len(status.Waiting)))
	lag := 0.0
	if !status.Oldest.IsZero() {
		lag = max(time.Since(status.Oldest).Seconds(), 0)
	}
	gauge(descLag, lag)
	gauge(descWatchers, float64(c.node.watches.count.Load()))
	gauge(descUnseen, float64(c.node.watches.pending.Load()))
	c.collectMembers(gauge)
	collectSpaces(count, gauge, status.Spaces)
	c.staleness.Collect(ch)
	c.collectThrottle(ch, status.Rates, count, gauge)
}

func (c *collector) collectMessages(count func(*prometheus.Desc, uint64, ...string)) {
	counters := &c.node.counters
	for direction, name := range []string{outgoing: "sent", incoming: "received"} {
		for ch := range counters.bytes[direction] {
			count(descBytes, counters.bytes[direction][ch].Load(), name, transport.Channel(ch).String())
		}
		for k := engine.Syn; int(k) < kinds; k++ {
			count(descMessages, counters.messages[direction][k].Load(), name, k.String())
		}
	}
	for r := range counters.dropped {
		count(descDropped, counters.dropped[r].Load(), reason(r).String())
	}
}

func (c *collector) collectMembers(gauge func(*prometheus.Desc, float64, ...string)) {
	var members [transport.Left + 1]int
	for _, m := range c.node.Members() {
		if int(m.State) < len(members) {
			members[m.State]++
		}
	}
	for s, n := range members {
		gauge(descMembers, float64(n), transport.State(s).String())
	}
}

// collectSpaces reports the attached spaces by name. All others are one, of the
// empty name: their names come from the network, and so does their number.
func collectSpaces(count func(*prometheus.Desc, uint64, ...string), gauge func(*prometheus.Desc, float64, ...string), spaces []engine.SpaceStatus) {
	var relayed engine.SpaceStatus
	report := func(s engine.SpaceStatus) {
		gauge(descRetained, float64(s.Updates), s.Space)
		gauge(descTombstones, float64(s.Tombstones), s.Space)
		gauge(descExpired, float64(s.Expired), s.Space)
		gauge(descDeadBytes, float64(s.DeadBytes), s.Space)
		gauge(descStored, float64(s.Bytes), s.Space)
	}
	for _, s := range spaces {
		if s.Attached {
			report(s)
			gauge(descLimit, limit(int64(s.Limits.MaxKeys)), s.Space, "keys")
			gauge(descLimit, limit(s.Limits.MaxBytes), s.Space, "bytes")
			count(descQuota, s.Refused, s.Space)
			continue
		}
		relayed.Updates += s.Updates
		relayed.Tombstones += s.Tombstones
		relayed.Bytes += s.Bytes
		relayed.DeadBytes += s.DeadBytes
	}
	report(relayed)
}

// limit is a limit as the metric has it.
func limit(most int64) float64 {
	if most == 0 {
		return math.Inf(1)
	}
	return float64(most)
}
