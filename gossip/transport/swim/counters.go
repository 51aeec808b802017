package swim

import "sync/atomic"

// counter is an index into counters.
type counter int

const (
	datagramsIn counter = iota
	datagramBytesIn
	datagramsOut
	datagramBytesOut
	streamsIn
	streamBytesIn
	udpBytesIn
	udpBytesOut
	tcpBytesIn
	tcpBytesOut
	dropReceiveFull
	dropSendFull
	dropSendFailed
	dropNoPeer
	rejectLabel
	rejectKey
	rejectMalformed
	rejectStalled
	rejectMember
	rejectOverload
	evictedConns
	nameConflicts
	joinsFailed
	numCounters
)

var counterNames = [numCounters]string{
	datagramsIn:      "datagrams_in",
	datagramBytesIn:  "datagram_bytes_in",
	datagramsOut:     "datagrams_out",
	datagramBytesOut: "datagram_bytes_out",
	streamsIn:        "streams_in",
	streamBytesIn:    "stream_bytes_in",
	udpBytesIn:       "udp_bytes_in",
	udpBytesOut:      "udp_bytes_out",
	tcpBytesIn:       "tcp_bytes_in",
	tcpBytesOut:      "tcp_bytes_out",
	dropReceiveFull:  "drop_receive_queue_full",
	dropSendFull:     "drop_send_queue_full",
	dropSendFailed:   "drop_send_failed",
	dropNoPeer:       "drop_no_peer",
	rejectLabel:      "reject_label",
	rejectKey:        "reject_key",
	rejectMalformed:  "reject_malformed",
	rejectStalled:    "reject_stalled",
	rejectMember:     "reject_member",
	rejectOverload:   "reject_overload",
	evictedConns:     "evicted_connections",
	nameConflicts:    "name_conflicts",
	joinsFailed:      "joins_failed",
}

// counters counts what happened since Start. The zero value is ready.
type counters [numCounters]atomic.Uint64

func (c *counters) add(i counter, n int) { c[i].Add(uint64(n)) }
func (c *counters) inc(i counter)        { c[i].Add(1) }

// Counters returns all counters by name; the package documentation lists them.
// They only grow.
func (t *Transport) Counters() map[string]uint64 {
	m := make(map[string]uint64, numCounters)
	for i, name := range counterNames {
		m[name] = t.count[i].Load()
	}
	for name, v := range t.links.Counters() {
		m[name] += v
	}
	return m
}
