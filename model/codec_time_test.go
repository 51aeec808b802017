package model_test

import (
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Times are extensions, and are read as they were written.
func TestDefaultCodecKeepsTimes(t *testing.T) {
	t.Parallel()
	want := time.Unix(1_700_000_000, 543_000_000)
	var m model.Map[time.Time]
	attach(&m)
	if err := m.Set(t.Context(), "k", want); err != nil {
		t.Fatal(err)
	}
	if got, ok := m.Get("k"); !ok || !got.Equal(want) {
		t.Errorf("got %v, %v, want %v", got, ok, want)
	}
}
