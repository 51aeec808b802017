package swim

import (
	"bytes"
	"context"
	"testing"
)

// Questions and answers that make no sense are counted, those that concern
// somebody else ignored; only the answer to the open question is taken.
func TestQuestions(t *testing.T) {
	tr, err := Start(context.Background(), Config{Name: "a", Bind: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tr.Close(doneContext()) }()
	open := &question{nonce: bytes.Repeat([]byte{7}, nonceBytes), answer: make(chan []byte, 1)}
	tr.question.Store(open)
	fixed := func(nonce byte) []byte {
		return append(bytes.Repeat([]byte{nonce}, nonceBytes), bytes.Repeat([]byte{9}, incarnationBytes)...)
	}
	ask := func(length byte, rest string) []byte {
		return append(append(fixed(1), length), rest+string(questionTag)...)
	}
	for _, tt := range []struct {
		what    string
		payload []byte
		bad     uint64
	}{
		{"empty question", []byte{questionTag}, 1},
		{"name cut off", ask(9, "a"), 1},
		{"no address", ask(1, "a"), 1},
		{"bad address", ask(1, "anowhere:1"), 1},
		{"for somebody else", ask(1, "b127.0.0.1:1"), 0},
		{"own question", append(append(append(bytes.Clone(open.nonce), tr.incarnation...), 1), "a127.0.0.1:1q"...), 0},
		{"empty answer", []byte{answerTag}, 1},
		{"long answer", append(fixed(7), 0, answerTag), 1},
		{"answer to another question", append(fixed(8), answerTag), 0},
	} {
		before := tr.Counters()["reject_malformed"]
		delegate{tr}.NotifyMsg(tt.payload)
		if got := tr.Counters()["reject_malformed"] - before; got != tt.bad {
			t.Errorf("%s: counted %d times as malformed, want %d", tt.what, got, tt.bad)
		}
		if len(open.answer) > 0 {
			t.Errorf("%s: taken as the answer", tt.what)
		}
	}
	for range 2 { // repeated
		delegate{tr}.NotifyMsg(append(fixed(7), answerTag))
	}
	if got := <-open.answer; !bytes.Equal(got, fixed(0)[nonceBytes:]) {
		t.Errorf("the answer is %x", got)
	}
	tr.question.Store(nil)
	delegate{tr}.NotifyMsg(append(fixed(7), answerTag))
}
