package swim

import (
	"bytes"
	"crypto/rand"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"
)

// A question asks whoever is at an address for its incarnation, if it has our
// name. memberlist's own probes would not do: their numbers begin at 1 in every
// process, so an answer that was recorded once serves for ever, and a node must
// not give up its name on the word of a recording. The nonce is drawn anew for
// each question and comes back in the answer.
//
//	question  nonce, incarnation and length of name of who asks, its name, its address
//	answer    nonce, incarnation of who answers

const (
	nonceBytes       = 16
	incarnationBytes = 16
)

// question is one that waits for its answer.
type question struct {
	nonce  []byte
	answer chan []byte // holds the incarnation that came back
}

// reply is an answer on its way.
type reply struct {
	to      string
	payload []byte
}

// ask returns the incarnation of the process of our name at addr, nil when none
// answers in time. One question is open at a time.
func (t *Transport) ask(addr netip.AddrPort) []byte {
	q := &question{nonce: make([]byte, nonceBytes), answer: make(chan []byte, 1)}
	_, _ = rand.Read(q.nonce) // never fails
	t.question.Store(q)
	defer t.question.Store(nil)
	msg := append(bytes.Clone(q.nonce), t.incarnation...)
	msg = append(msg, byte(len(t.cfg.Name)))
	msg = append(append(msg, t.cfg.Name...), t.Addr()...)
	to := memberlist.Address{Addr: addr.String(), Name: t.cfg.Name}
	if err := t.list.Load().SendToAddress(to, append(msg, questionTag)); err != nil {
		return nil
	}
	timeout := time.NewTimer(t.cfg.ProbeTimeout)
	defer timeout.Stop()
	select {
	case incarnation := <-q.answer:
		return incarnation
	case <-timeout.C:
	case <-t.ctx.Done():
	}
	return nil
}

// asked answers a question of another process of our name. It reports whether b
// is a question.
func (t *Transport) asked(b []byte) bool {
	const head = nonceBytes + incarnationBytes + 1
	if len(b) < head || len(b) < head+int(b[head-1]) {
		return false
	}
	nonce, theirs, name, from := b[:nonceBytes], b[nonceBytes:head-1], b[head:head+int(b[head-1])], b[head+int(b[head-1]):]
	addr, err := netip.ParseAddrPort(string(from))
	if err != nil {
		return false
	}
	if string(name) != t.cfg.Name || bytes.Equal(theirs, t.incarnation) {
		return true
	}
	payload := append(append(bytes.Clone(nonce), t.incarnation...), answerTag)
	select {
	case t.replies <- reply{addr.String(), payload}:
	default: // it will ask again
	}
	return true
}

// answered takes the answer to the open question; late ones and recordings are
// ignored. It reports whether b is an answer.
func (t *Transport) answered(b []byte) bool {
	if len(b) != nonceBytes+incarnationBytes {
		return false
	}
	q := t.question.Load()
	if q == nil || !bytes.Equal(q.nonce, b[:nonceBytes]) {
		return true
	}
	select {
	case q.answer <- bytes.Clone(b[nonceBytes:]):
	default: // repeated
	}
	return true
}
