package gossip

import (
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
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

// A message has several updates in one batch, or in several.
func TestHasSeveral(t *testing.T) {
	batch := func(updates int) engine.Batch { return engine.Batch{Updates: make([]*model.Update, updates)} }
	for _, tt := range []struct {
		batches []engine.Batch
		want    bool
	}{{[]engine.Batch{batch(1)}, false}, {[]engine.Batch{batch(2)}, true}, {[]engine.Batch{batch(1), batch(1)}, true}} {
		if got := hasSeveral(engine.LiveEnvelope{Message: &engine.Message{Batches: tt.batches}}); got != tt.want {
			t.Errorf("%d batches, the first of %d updates: %v", len(tt.batches), len(tt.batches[0].Updates), got)
		}
	}
}
