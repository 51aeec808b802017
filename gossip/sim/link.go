package sim

import (
	"fmt"
	"math/rand"
	"time"
)

// Link is what the network does to the messages from one node to another.
type Link struct {
	Delay     Delay         // of each message; default none
	Loss      float64       // probability that a message is lost
	Duplicate float64       // probability that it arrives twice, each time with a delay of its own
	Late      float64       // probability that it takes up to MaxLate longer: past other exchanges
	MaxLate   time.Duration // default 8 s
}

// Delay draws how long one message takes. What is below zero counts as zero.
type Delay func(rng *rand.Rand) time.Duration

// Constant is always d.
func Constant(d time.Duration) Delay { return func(*rand.Rand) time.Duration { return d } }

// Uniform is anything from lo to hi.
func Uniform(lo, hi time.Duration) Delay {
	return func(rng *rand.Rand) time.Duration { return lo + time.Duration(rng.Int63n(int64(max(hi-lo, 0))+1)) }
}

// Exponential is short most of the time, and mean on average.
func Exponential(mean time.Duration) Delay {
	return func(rng *rand.Rand) time.Duration { return time.Duration(rng.ExpFloat64() * float64(mean)) }
}

// Normal is around mean, with a standard deviation.
func Normal(mean, deviation time.Duration) Delay {
	return func(rng *rand.Rand) time.Duration { return mean + time.Duration(rng.NormFloat64()*float64(deviation)) }
}

// SetLink replaces Config.Link, and Config.LinkOf: so end faults of the network.
func (s *Sim) SetLink(l Link) error {
	if err := l.validate(); err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	s.cfg.Link, s.cfg.LinkOf = l, nil
	return nil
}

// draw returns how long one message takes on top of now, and whether it is late.
func (l *Link) draw(rng *rand.Rand) (d time.Duration, late bool) {
	if l.Delay != nil {
		d = max(l.Delay(rng), 0)
	}
	if l.Late > 0 && rng.Float64() < l.Late {
		most := l.MaxLate
		if most == 0 {
			most = 8 * time.Second
		}
		return d + time.Duration(rng.Int63n(int64(most)+1)), true
	}
	return d, false
}

func (l *Link) validate() error {
	for _, p := range []struct {
		name string
		of   float64
	}{{"Loss", l.Loss}, {"Duplicate", l.Duplicate}, {"Late", l.Late}} {
		if !(p.of >= 0 && p.of <= 1) {
			return fmt.Errorf("%s is %v, from 0 to 1", p.name, p.of)
		}
	}
	if l.MaxLate < 0 {
		return fmt.Errorf("MaxLate is %v", l.MaxLate)
	}
	return nil
}
