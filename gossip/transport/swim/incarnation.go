package swim

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"
)

// An incarnation names a process: when it started, and 8 random bytes, in an
// order that bytes.Compare understands. It travels as memberlist's node metadata,
// so that of two processes with one name both know which came later.

// claim is word of somebody having our name at another address.
type claim struct {
	addr        string
	incarnation []byte
}

const claimQuestions = 3 // before a process counts as gone

func newIncarnation(now time.Time) []byte {
	b := make([]byte, 16)
	binary.BigEndian.PutUint64(b, uint64(now.UnixNano()))
	_, _ = rand.Read(b[8:]) // never fails
	return b
}

// judge looks into a claim and reports whether this node must give up its name.
// Only the later of two does, and only when the other answers: a record of our own
// former life at another address, or a recorded packet that says so, names an
// earlier process too.
func (t *Transport) judge(c claim) bool {
	addr, err := netip.ParseAddrPort(c.addr)
	if err != nil || t.socks.isOwn(addr) {
		return false
	}
	t.unlisted.Store(true) // whoever believes the claim does not believe us
	if bytes.Compare(c.incarnation, t.incarnation) > 0 {
		t.letKnow(c.addr)
		return false
	}
	for range claimQuestions {
		if t.ctx.Err() != nil {
			return false
		}
		switch there := t.ask(addr); {
		case there == nil:
		case bytes.Compare(there, t.incarnation) < 0:
			return true
		default:
			t.letKnow(c.addr)
			return false
		}
	}
	t.log.Info("swim: this node's name is listed at an address that does not answer", "addr", c.addr)
	return false
}

// letKnow makes a later process of our name find out about this one.
func (t *Transport) letKnow(addr string) {
	t.log.Info("swim: a later process has this node's name", "addr", addr)
	_ = t.dial(addr)
}

// watchClaims judges the claims that come after Start.
func (t *Transport) watchClaims() {
	for {
		select {
		case c := <-t.claims:
			if t.judge(c) {
				t.fail(ErrNameTaken)
				return
			}
		case <-t.ctx.Done():
			return
		}
	}
}

// checkListed looks for this process in the list of a peer that exchanged lists
// with us to join, or because it was asked to.
func (t *Transport) checkListed(nodes []*memberlist.Node) {
	for _, n := range nodes {
		if n.Name == t.cfg.Name && n.State == memberlist.StateAlive && bytes.Equal(n.Meta, t.incarnation) {
			t.unlisted.Store(false)
		}
	}
}
