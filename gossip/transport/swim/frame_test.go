package swim

import (
	"bytes"
	"testing"
	"testing/quick"
)

// split takes a stream payload apart as NotifyMsg does.
func split(b []byte) (msgs [][]byte, ok bool) {
	if len(b) == 0 || b[len(b)-1] != streamTag {
		return nil, false
	}
	for b = b[:len(b)-1]; len(b) > 0; {
		msg, rest, ok := nextMessage(b)
		if !ok {
			return msgs, false
		}
		msgs, b = append(msgs, msg), rest
	}
	return msgs, true
}

func TestFrameRoundTrip(t *testing.T) {
	check := func(msgs [][]byte) bool {
		got, ok := split(frameStream(msgs))
		if !ok || len(got) != len(msgs) {
			return false
		}
		for i := range got {
			if !bytes.Equal(got[i], msgs[i]) {
				return false
			}
		}
		return true
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
	if !check([][]byte{{}, make([]byte, 1<<20), {1}}) {
		t.Error("an empty, a large and a small message do not come back")
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(frameStream([][]byte{{1, 2, 3}, {}}))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 1, streamTag})
	f.Add([]byte{5, 1, streamTag})
	f.Fuzz(func(t *testing.T, b []byte) {
		msgs, _ := split(b)
		total := 0
		for _, m := range msgs {
			total += len(m)
		}
		if total > len(b) {
			t.Errorf("%d bytes out of %d", total, len(b))
		}
	})
}
