package memnet

import (
	"cmp"
	"fmt"
	"time"
)

// Config says how a network behaves. Zero fields take the default on their line.
type Config struct {
	Seed        int64         // of all fault decisions; 0 is a seed like any other
	Faults      Faults        // of every link without faults of its own; default: none
	MaxDatagram int           // bytes of one datagram; default 1,472
	MaxStream   int           // bytes of one stream message; default 4 MiB
	Queue       int           // messages that wait in one node's receive queue; default 1,024
	DetectAfter time.Duration // from being cut off to Failed; default 1 s
	RemoveAfter time.Duration // from Failed or Left to being forgotten; default 10 min
}

// Validate reports the first field that cannot be used.
func (c Config) Validate() error {
	switch {
	case c.MaxDatagram < 0:
		return fmt.Errorf("memnet: MaxDatagram is negative: %d", c.MaxDatagram)
	case c.MaxStream < 0:
		return fmt.Errorf("memnet: MaxStream is negative: %d", c.MaxStream)
	case c.Queue < 0:
		return fmt.Errorf("memnet: Queue is negative: %d", c.Queue)
	case c.DetectAfter < 0:
		return fmt.Errorf("memnet: DetectAfter is negative: %v", c.DetectAfter)
	case c.RemoveAfter < 0:
		return fmt.Errorf("memnet: RemoveAfter is negative: %v", c.RemoveAfter)
	}
	return c.Faults.Validate()
}

func (c Config) withDefaults() Config {
	c.MaxDatagram = cmp.Or(c.MaxDatagram, 1472)
	c.MaxStream = cmp.Or(c.MaxStream, 4<<20)
	c.Queue = cmp.Or(c.Queue, 1024)
	c.DetectAfter = cmp.Or(c.DetectAfter, time.Second)
	c.RemoveAfter = cmp.Or(c.RemoveAfter, 10*time.Minute)
	return c
}

// Faults is what a link does to messages. The zero value does nothing.
type Faults struct {
	MinDelay  time.Duration // every message takes at least this long
	MaxDelay  time.Duration // and at most this, evenly drawn; less than MinDelay means MinDelay
	Loss      float64       // probability that a message is lost
	Duplicate float64       // probability that a message arrives twice, each with a delay of its own
	Streams   bool          // Loss and Duplicate concern streams too
}

// Validate reports the first field that cannot be used.
func (f Faults) Validate() error {
	switch {
	case f.MinDelay < 0:
		return fmt.Errorf("memnet: MinDelay is negative: %v", f.MinDelay)
	case f.MaxDelay < 0:
		return fmt.Errorf("memnet: MaxDelay is negative: %v", f.MaxDelay)
	case !(f.Loss >= 0 && f.Loss <= 1):
		return fmt.Errorf("memnet: Loss is not in 0..1: %v", f.Loss)
	case !(f.Duplicate >= 0 && f.Duplicate <= 1):
		return fmt.Errorf("memnet: Duplicate is not in 0..1: %v", f.Duplicate)
	}
	return nil
}
