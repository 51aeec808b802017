package main

import (
	"context"
	"runtime"
	"runtime/metrics"
	"sync"
	"time"
)

// meter measures what the process uses between two moments.
type meter struct {
	fleet  fleet
	at     time.Time
	cpu    float64
	sent   traffic
	heap   uint64
	stop   context.CancelFunc
	loop   sync.WaitGroup
	summit uint64 // the largest heap so far; the loop's until it has ended
}

const heapEvery = 10 * time.Millisecond

// startMeter collects garbage and begins to measure.
func startMeter(f fleet) *meter {
	runtime.GC()
	m := &meter{fleet: f, heap: heapBytes()}
	m.summit = m.heap
	var ctx context.Context
	ctx, m.stop = context.WithCancel(context.Background())
	m.loop.Go(func() {
		tick := time.NewTicker(heapEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				m.summit = max(m.summit, heapBytes())
			case <-ctx.Done():
				return
			}
		}
	})
	m.sent, m.cpu, m.at = f.traffic(), cpuSeconds(), time.Now()
	return m
}

// end stops measuring and writes what it was into r, but for the time.
func (m *meter) end(r *result) {
	cpu, sent := cpuSeconds(), m.fleet.traffic()
	m.stop()
	m.loop.Wait()
	r.CPU = number(cpu - m.cpu)
	r.Bytes = number(sent.wire - m.sent.wire)
	r.Payload = number(sent.payload - m.sent.payload)
	r.Heap = number(max(m.summit, heapBytes()) - m.heap)
}

// heapBytes is the size of all objects on the heap, dead ones that were not
// collected yet included.
func heapBytes() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s[0].Value.Uint64()
}
