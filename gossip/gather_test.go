package gossip

import (
	"testing"
	"time"
)

// After a pause some messages of one update go at once; who has something to send all the
// time sends one for each time of gathering.
func TestGathering(t *testing.T) {
	var f feeder
	now := time.Now()
	for _, pause := range []struct {
		of     time.Duration
		atOnce int
	}{{time.Second, atOnce}, {gathering / 2, 0}, {gathering, 1}, {atOnce * gathering, atOnce}, {time.Hour, atOnce}} {
		now = now.Add(pause.of)
		sent := 0
		for ; !f.due.After(now); sent++ {
			f.gather(now, false)
		}
		if sent != pause.atOnce {
			t.Errorf("after %v %d messages go at once, want %d", pause.of, sent, pause.atOnce)
		}
	}
	begun := now
	for range 1000 {
		now = f.due
		f.gather(now, false)
	}
	if d := now.Sub(begun); d != 1000*gathering {
		t.Errorf("1000 messages took %v, want %v", d, 1000*gathering)
	}
	now = now.Add(time.Second)
	f.gather(now, true)
	if d := f.due.Sub(now); d != gathering {
		t.Errorf("after a message of several updates it waits for %v, want %v", d, gathering)
	}
}
