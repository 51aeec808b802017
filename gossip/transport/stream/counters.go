package stream

import (
	"errors"
	"os"
	"sync/atomic"
)

// counter is an index into counters.
type counter int

const (
	linksDialed counter = iota
	linksAccepted
	linksDuplicate
	linksBroken
	linksEvicted
	dialsFailed
	evictedConns
	streamsOut
	streamBytesOut
	dropSendFull
	dropSendFailed
	rejectLabel
	rejectKey
	rejectMalformed
	rejectStalled
	numCounters
)

var counterNames = [numCounters]string{
	linksDialed:     "links_dialed",
	linksAccepted:   "links_accepted",
	linksDuplicate:  "links_duplicate",
	linksBroken:     "links_broken",
	linksEvicted:    "links_evicted",
	dialsFailed:     "link_dials_failed",
	evictedConns:    "evicted_connections",
	streamsOut:      "streams_out",
	streamBytesOut:  "stream_bytes_out",
	dropSendFull:    "drop_send_queue_full",
	dropSendFailed:  "drop_send_failed",
	rejectLabel:     "reject_label",
	rejectKey:       "reject_key",
	rejectMalformed: "reject_malformed",
	rejectStalled:   "reject_stalled",
}

// counters counts what happened since New. The zero value is ready.
type counters [numCounters]atomic.Uint64

func (c *counters) add(i counter, n int) { c[i].Add(uint64(n)) }
func (c *counters) inc(i counter)        { c[i].Add(1) }

// Counters returns all counters by name; the package documentation lists them. They
// only grow.
func (l *Links) Counters() map[string]uint64 {
	m := make(map[string]uint64, numCounters)
	for i, name := range counterNames {
		m[name] = l.count[i].Load()
	}
	return m
}

// reject counts why what came in was refused. What only ended counts as nothing.
func (c *counters) reject(err error) {
	switch {
	case errors.Is(err, errCluster):
		c.inc(rejectLabel)
	case errors.Is(err, errKey):
		c.inc(rejectKey)
	case errors.Is(err, errMalformed), errors.Is(err, errStranger), errors.Is(err, errRecorded), errors.Is(err, errSelf):
		c.inc(rejectMalformed)
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.inc(rejectStalled)
	}
}
