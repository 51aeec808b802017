package main

import (
	"math"
	"slices"
	"testing"
)

// A run of hand-made figures: 400 up to second 25, then a rise of 40 per second to
// 2,400 at 75, and back to 400 by 100 per second.
func TestReconciled(t *testing.T) {
	r := reconciledAs("x")
	for at := range reconcileS + 1 {
		v := 400.0
		switch {
		case at > doubleFrom && at <= doubleTo:
			v += 40 * float64(at-doubleFrom)
		case at > doubleTo:
			v = max(400, 2400-100*float64(at-doubleTo))
		}
		r.note(lag{stale: v, worst: []float64{1, float64(at), 3, 2}})
	}
	if got := r.steady(); got != 400 {
		t.Errorf("steady %v, want 400", got)
	}
	if peak, at := r.peak(); peak != 2400 || at != 75 {
		t.Errorf("peak %v at %d, want 2400 at 75", peak, at)
	}
	// A twentieth of the rise is 100: one second before the end of the fall.
	if got := r.recovered(); got != 94 {
		t.Errorf("recovered at %v, want 94", got)
	}
	if got := r.settled(); got != 95 { // 440 lies between the values of 94 and 95 s
		t.Errorf("settled at %v, want 95", got)
	}
	if got := r.worstAt(); got != 99 {
		t.Errorf("max staleness around 99 s: %v, want 99", got)
	}
	if got := r.lightWorst(); got != 3 {
		t.Errorf("light writers' worst staleness %v, want 3, which the lower half has", got)
	}
	r.stale.values = slices.Repeat([]float64{400}, reconcileS+1)
	r.stale.values[80] = 5000
	for i := 81; i <= reconcileS; i++ {
		r.stale.values[i] = 4999
	}
	if got := r.recovered(); got != 75 {
		t.Errorf("recovered at %v, want 75: it was never away before", got)
	}
	r.stale.values[75], r.stale.values[76], r.stale.values[77], r.stale.values[78], r.stale.values[79] = 5000, 5000, 5000, 5000, 5000
	if got := r.recovered(); !math.IsNaN(got) {
		t.Errorf("recovered at %v, want never", got)
	}
}

func TestWritesIn(t *testing.T) {
	for _, tt := range []struct{ t, want int }{{0, 1}, {24, 1}, {25, 2}, {74, 2}, {75, 1}, {119, 1}, {120, 0}, {150, 0}} {
		if got := writesIn(tt.t); got != tt.want {
			t.Errorf("writesIn(%d) = %d, want %d", tt.t, got, tt.want)
		}
	}
}

// Both loads write equally often; the skewed one's first participant writes twice
// as often as the second one, and so on.
func TestLoads(t *testing.T) {
	const seconds, n = 300, 4
	for _, tt := range []struct {
		name  string
		load  load
		share [n]float64
	}{
		{"even", evenLoad, [n]float64{.25, .25, .25, .25}},
		{"zipf", zipfLoad, [n]float64{12. / 25, 6. / 25, 4. / 25, 3. / 25}},
	} {
		w, err := newSwarm(scale{nodes: n, keys: 8, budget: 100}, 0, 1, random, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = w.seconds(t.Context(), seconds, func(at int) {
			if at < seconds {
				tt.load(w, 2)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for i := range n {
			total += len(w.ledger.owners[i].at)
		}
		if total != 2*n*seconds {
			t.Errorf("%s: %d writes, want %d", tt.name, total, 2*n*seconds)
		}
		for i := range n {
			got := float64(len(w.ledger.owners[i].at)) / float64(total)
			if math.Abs(got-tt.share[i]) > 0.03 {
				t.Errorf("%s: participant %d wrote %.3f of all, want %.3f", tt.name, i, got, tt.share[i])
			}
		}
	}
}

// What the ledger says of a swarm is what its engines say.
func TestSwarmLag(t *testing.T) {
	w, err := newSwarm(scale{nodes: 5, keys: 4, budget: 100}, 0, 1, random, nil)
	if err != nil {
		t.Fatal(err)
	}
	stale := 0.0
	err = w.seconds(t.Context(), 30, func(at int) {
		l := w.lag()
		stale += l.stale
		if at < 10 {
			evenLoad(w, 3)
		}
		if at == 30 && (l.stale != 0 || l.max() != 0) {
			t.Errorf("20 s after the last write: # stale %v, max staleness %v", l.stale, l.max())
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if stale == 0 {
		t.Error("nothing was ever stale")
	}
	for i, n := range w.sim.Nodes() {
		if got, want := int(n.Engine().Vector().Version(w.replicas[i])), len(w.ledger.owners[i].at); got != want {
			t.Errorf("participant %d wrote %d, the ledger says %d", i, got, want)
		}
	}
}
