package swim

import (
	"bytes"
	"reflect"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// delegate is what memberlist calls. Events, NotifyAlive and NotifyConflict come
// under memberlist's lock: nothing here waits or calls memberlist back.
type delegate struct{ *Transport }

var (
	_ memberlist.Delegate         = delegate{}
	_ memberlist.EventDelegate    = delegate{}
	_ memberlist.AliveDelegate    = delegate{}
	_ memberlist.ConflictDelegate = delegate{}
	_ memberlist.MergeDelegate    = delegate{}
	_ memberlist.PingDelegate     = delegate{}
)

// NodeMeta tells which process this is, and nothing of the application.
func (d delegate) NodeMeta(int) []byte { return d.incarnation }

// The application's state travels in no message of memberlist's own.
func (d delegate) GetBroadcasts(int, int) [][]byte { return nil }
func (d delegate) LocalState(bool) []byte          { return nil }
func (d delegate) MergeRemoteState([]byte, bool)   {}
func (d delegate) AckPayload() []byte              { return nil }
func (d delegate) NotifyMerge(n []*memberlist.Node) error {
	d.checkListed(n)
	return nil
}

// NotifyMsg takes what came in a packet.
func (d delegate) NotifyMsg(b []byte) {
	if len(b) == 0 {
		d.count.inc(rejectMalformed)
		return
	}
	body := b[:len(b)-1]
	ok := true
	switch b[len(b)-1] {
	case questionTag:
		ok = d.asked(body)
	case answerTag:
		ok = d.answered(body)
	case datagramTag:
		d.receive(body)
	default:
		ok = false
	}
	if !ok {
		d.count.inc(rejectMalformed)
	}
}

// receive queues a datagram, or drops it when there is no room: it might have been
// lost, too.
func (d delegate) receive(msg []byte) {
	if !d.inbox.put(transport.Packet{Channel: transport.Datagram, Bytes: bytes.Clone(msg)}) {
		d.count.inc(dropReceiveFull)
		return
	}
	d.count.inc(datagramsIn)
	d.count.add(datagramBytesIn, len(msg))
}

// NotifyJoin implements memberlist.EventDelegate.
func (d delegate) NotifyJoin(n *memberlist.Node) { d.roster.join(n) }

// NotifyUpdate comes when a node restarted before anybody missed it.
func (d delegate) NotifyUpdate(n *memberlist.Node) { d.roster.join(n) }

// NotifyLeave comes for nodes that failed and for nodes that left.
func (d delegate) NotifyLeave(n *memberlist.Node) {
	s := transport.Failed
	if m := d.list.Load(); m != nil && hasLeft(m, n.Name) {
		s = transport.Left
	}
	d.roster.set(n.Name, s)
	d.links.Drop(n.Name)
}

// NotifyAlive comes with every word of a node being alive, even an old one.
func (d delegate) NotifyAlive(n *memberlist.Node) error {
	if err := d.roster.admit(n); err != nil {
		d.count.inc(rejectMember)
		return err
	}
	d.roster.trust(n.Name)
	return nil
}

// NotifyPingComplete comes when a node has answered a probe.
func (d delegate) NotifyPingComplete(n *memberlist.Node, _ time.Duration, _ []byte) {
	d.roster.trust(n.Name)
}

// NotifyConflict comes when a name is claimed at two addresses.
func (d delegate) NotifyConflict(_, other *memberlist.Node) {
	d.count.inc(nameConflicts)
	if other.Name != d.cfg.Name || bytes.Equal(other.Meta, d.incarnation) {
		return
	}
	c := claim{addr: other.Address(), incarnation: bytes.Clone(other.Meta)}
	select {
	case d.claims <- c:
	default: // one is waiting to be looked at; this one will come again
	}
}

// hasLeft reads the state that memberlist has for a node. It tells delegates only
// that a node is gone, not which way, and has no other way to ask. The caller is
// inside NotifyLeave, so memberlist's lock is held and reading is safe. Should the
// fields be different in another version, every node counts as failed: safe, as
// that only makes others wait for its return. TestLeftIsSeen notices.
func hasLeft(m *memberlist.Memberlist, name string) bool {
	nodes := reflect.ValueOf(m).Elem().FieldByName("nodeMap")
	if nodes.Kind() != reflect.Map || nodes.Type().Key().Kind() != reflect.String {
		return false
	}
	node := nodes.MapIndex(reflect.ValueOf(name))
	if node.Kind() != reflect.Pointer || node.Elem().Kind() != reflect.Struct {
		return false
	}
	state := node.Elem().FieldByName("State")
	return state.IsValid() && state.CanInt() && state.Int() == int64(memberlist.StateLeft)
}
