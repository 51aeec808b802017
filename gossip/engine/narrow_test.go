package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Where nothing larger than a datagram arrives, all that fits into some is everywhere all
// the same; and when streams do arrive again they are used again.
func TestStreamsThatDoNotArrive(t *testing.T) {
	t.Parallel()
	for _, loss := range []float64{0, 0.2} {
		w := newWorld(t, 1, 5, engine.Config{})
		w.faults.loss, w.faults.delay = loss, 2*time.Millisecond
		datagrams, streams := 0, 0
		lost := true
		w.spy = func(m *engine.Message, d *delivery) bool {
			if len(d.bytes) <= 1400 {
				datagrams++
				return true
			}
			streams++
			return !lost
		}
		const each = 60
		write := func(n *node, what string) {
			w.mustIssue(n, "s", drafts(each, func(i int) model.Draft { return draft(fmt.Sprint(what, i), strings.Repeat("v", 100)) })...)
		}
		for _, n := range w.nodes {
			write(n, n.name)
		}
		if took := w.converge(10 * time.Second); took > 5*time.Second {
			t.Errorf("loss %v: %d updates were everywhere after %v", loss, each*len(w.nodes), took)
		}
		if datagrams < 4*streams {
			t.Errorf("loss %v: %d datagrams, and still %d streams", loss, datagrams, streams)
		}
		w.faults.loss, lost = 0, false
		w.pass(3 * time.Minute)
		datagrams, streams = 0, 0
		write(w.nodes[0], "again")
		w.converge(5 * time.Second)
		if streams == 0 {
			t.Errorf("loss %v: streams arrive, and are not used: %d datagrams", loss, datagrams)
		}
	}
}
