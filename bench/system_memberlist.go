package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/vmihailenco/msgpack/v5"
)

// lww is a replicated map as one writes it on top of memberlist: each write is a
// broadcast, which whoever learns something from it passes on; whoever joins, and
// everybody now and then, exchanges the whole map with a peer. Of two writes of a key
// the later one stays.
type lww struct {
	list  *memberlist.Memberlist
	queue *memberlist.TransmitLimitedQueue
	net   *countingTransport
	code  coding
	join  []string

	active  atomic.Bool // false: membership alone
	first   atomic.Int64
	payload atomic.Uint64

	mu    sync.RWMutex
	clock int64
	table map[string]entry
}

var (
	_ contestant          = (*lww)(nil)
	_ memberlist.Delegate = (*lww)(nil)
)

// entry is a value and when it was written, in nanoseconds, larger than every time
// that its writer had seen.
type entry struct {
	Value []byte
	Time  int64
}

// wins reports whether e is later than old; the larger value wins a tie.
func (e entry) wins(old entry) bool {
	return e.Time > old.Time || e.Time == old.Time && bytes.Compare(e.Value, old.Value) > 0
}

// coding turns writes into bytes.
type coding interface {
	encode(key string, e entry) []byte
	decode(b []byte) (key string, e entry, rest []byte, err error)
	encodeAll(table map[string]entry) []byte
	decodeAll(b []byte, each func(key string, e entry)) error
}

// openMemberlist starts a member with the library's defaults for local networks, and
// msgpack.
func openMemberlist(_ context.Context, name string, join []string) (contestant, error) {
	return openLWW(name, join, memberlist.DefaultLANConfig(), packCoding{})
}

// openTuned starts a member that gossips every 10 ms, uncompressed, encoded by hand.
func openTuned(_ context.Context, name string, join []string) (contestant, error) {
	c := memberlist.DefaultLANConfig()
	c.EnableCompression = false
	c.GossipInterval = 10 * time.Millisecond
	return openLWW(name, join, c, rawCoding{})
}

func openLWW(name string, join []string, c *memberlist.Config, code coding) (contestant, error) {
	quiet := log.New(io.Discard, "", 0)
	sockets, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{"127.0.0.1"}, Logger: quiet})
	if err != nil {
		return nil, err
	}
	l := &lww{code: code, join: join, table: map[string]entry{}, net: &countingTransport{NetTransport: sockets}}
	c.Name, c.Label, c.Logger, c.Transport, c.Delegate = name, cluster, quiet, l.net, l
	c.BindAddr, c.BindPort = "127.0.0.1", sockets.GetAutoBindPort()
	if l.list, err = memberlist.Create(c); err != nil {
		return nil, errors.Join(err, sockets.Shutdown())
	}
	l.queue = &memberlist.TransmitLimitedQueue{NumNodes: l.list.NumMembers, RetransmitMult: c.RetransmitMult}
	if len(join) > 0 {
		if _, err := l.list.Join(join); err != nil {
			return nil, errors.Join(err, l.close())
		}
	}
	return l, nil
}

func (l *lww) addr() string { return l.list.LocalNode().Address() }
func (l *lww) peers() int   { return l.list.NumMembers() - 1 }

// begin fetches by joining once more, which exchanges the maps with one peer.
func (l *lww) begin(context.Context) error {
	l.active.Store(true)
	l.first.Store(time.Now().UnixNano())
	if len(l.join) == 0 {
		return nil
	}
	_, err := l.list.Join(l.join[:1])
	return err
}

func (l *lww) begun() time.Time { return time.Unix(0, l.first.Load()) }

func (l *lww) put(_ context.Context, key string, value []byte) error {
	l.mu.Lock()
	l.clock = max(l.clock+1, time.Now().UnixNano())
	e := entry{bytes.Clone(value), l.clock}
	l.table[key] = e
	l.mu.Unlock()
	l.queue.QueueBroadcast(&broadcast{key, l.code.encode(key, e)})
	return nil
}

func (l *lww) get(key string) ([]byte, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	e, ok := l.table[key]
	return e.Value, ok
}

func (l *lww) size() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.table)
}

// merge takes a write of somebody else in, and reports whether it was news. l.mu is
// held.
func (l *lww) merge(key string, e entry) bool {
	l.clock = max(l.clock, e.Time)
	if old, ok := l.table[key]; ok && !e.wins(old) {
		return false
	}
	l.table[key] = entry{bytes.Clone(e.Value), e.Time}
	return true
}

func (l *lww) traffic() traffic { return traffic{l.net.sent.Load(), l.payload.Load()} }
func (l *lww) close() error     { return l.list.Shutdown() }

// NodeMeta implements memberlist.Delegate.
func (l *lww) NodeMeta(int) []byte { return nil }

// NotifyMsg implements memberlist.Delegate.
func (l *lww) NotifyMsg(b []byte) {
	key, e, _, err := l.code.decode(b)
	if err != nil || !l.active.Load() {
		return
	}
	l.mu.Lock()
	news := l.merge(key, e)
	l.mu.Unlock()
	if news {
		l.queue.QueueBroadcast(&broadcast{key, bytes.Clone(b)})
	}
}

// GetBroadcasts implements memberlist.Delegate.
func (l *lww) GetBroadcasts(overhead, limit int) [][]byte {
	if !l.active.Load() {
		return nil
	}
	all := l.queue.GetBroadcasts(overhead, limit)
	for _, b := range all {
		l.payload.Add(uint64(len(b)))
	}
	return all
}

// LocalState implements memberlist.Delegate.
func (l *lww) LocalState(bool) []byte {
	if !l.active.Load() {
		return nil
	}
	l.mu.RLock()
	b := l.code.encodeAll(l.table)
	l.mu.RUnlock()
	l.payload.Add(uint64(len(b)))
	return b
}

// MergeRemoteState implements memberlist.Delegate.
func (l *lww) MergeRemoteState(b []byte, _ bool) {
	if !l.active.Load() || len(b) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.code.decodeAll(b, func(key string, e entry) { l.merge(key, e) }) // a peer's bytes are whole
}

// broadcast is one write on its way; a later one of the same key takes its place.
type broadcast struct {
	key string
	msg []byte
}

var _ memberlist.NamedBroadcast = (*broadcast)(nil)

func (b *broadcast) Invalidates(memberlist.Broadcast) bool { return false } // names are compared
func (b *broadcast) Name() string                          { return b.key }
func (b *broadcast) Message() []byte                       { return b.msg }
func (b *broadcast) Finished()                             {}

// countingTransport counts what leaves through memberlist's own sockets.
type countingTransport struct {
	*memberlist.NetTransport
	sent atomic.Uint64
}

// WriteTo implements memberlist.Transport.
func (t *countingTransport) WriteTo(b []byte, addr string) (time.Time, error) {
	t.sent.Add(uint64(len(b)))
	return t.NetTransport.WriteTo(b, addr)
}

// WriteToAddress implements memberlist.NodeAwareTransport.
func (t *countingTransport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	t.sent.Add(uint64(len(b)))
	return t.NetTransport.WriteToAddress(b, a)
}

// DialTimeout implements memberlist.Transport.
func (t *countingTransport) DialTimeout(addr string, limit time.Duration) (net.Conn, error) {
	c, err := t.NetTransport.DialTimeout(addr, limit)
	return t.counted(c, err)
}

// DialAddressTimeout implements memberlist.NodeAwareTransport.
func (t *countingTransport) DialAddressTimeout(a memberlist.Address, limit time.Duration) (net.Conn, error) {
	c, err := t.NetTransport.DialAddressTimeout(a, limit)
	return t.counted(c, err)
}

// counted counts what goes both ways over a connection: the other end is dialled to
// and its transport sees no connection of its own.
func (t *countingTransport) counted(c net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	return countingConn{c, &t.sent}, nil
}

type countingConn struct {
	net.Conn
	bytes *atomic.Uint64
}

func (c countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.bytes.Add(uint64(n))
	return n, err
}

func (c countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.bytes.Add(uint64(n))
	return n, err
}

// rawCoding is as short as it gets without compression: 132 bytes for a record.
type rawCoding struct{}

const rawHead = 2 + 2 + 8 // lengths of key and value, time

func (rawCoding) append(b []byte, key string, e entry) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(key)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(e.Value)))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Time))
	return append(append(b, key...), e.Value...)
}

func (c rawCoding) encode(key string, e entry) []byte {
	return c.append(make([]byte, 0, rawHead+len(key)+len(e.Value)), key, e)
}

func (rawCoding) decode(b []byte) (key string, e entry, rest []byte, err error) {
	if len(b) < rawHead {
		return "", entry{}, nil, io.ErrUnexpectedEOF
	}
	k, v := int(binary.BigEndian.Uint16(b)), int(binary.BigEndian.Uint16(b[2:]))
	e.Time = int64(binary.BigEndian.Uint64(b[4:]))
	b = b[rawHead:]
	if len(b) < k+v {
		return "", entry{}, nil, io.ErrUnexpectedEOF
	}
	e.Value = b[k : k+v : k+v]
	return string(b[:k]), e, b[k+v:], nil
}

func (c rawCoding) encodeAll(table map[string]entry) []byte {
	b := make([]byte, 0, len(table)*(rawHead+keyBytes+valueBytes))
	for key, e := range table {
		b = c.append(b, key, e)
	}
	return b
}

func (c rawCoding) decodeAll(b []byte, each func(string, entry)) error {
	for len(b) > 0 {
		key, e, rest, err := c.decode(b)
		if err != nil {
			return err
		}
		each(key, e)
		b = rest
	}
	return nil
}

// packCoding is msgpack, which memberlist itself speaks.
type packCoding struct{}

type packedWrite struct {
	Key string
	entry
}

func (packCoding) encode(key string, e entry) []byte { return mustPack(packedWrite{key, e}) }

func (packCoding) decode(b []byte) (string, entry, []byte, error) {
	var w packedWrite
	if err := msgpack.Unmarshal(b, &w); err != nil {
		return "", entry{}, nil, err
	}
	return w.Key, w.entry, nil, nil
}

func (packCoding) encodeAll(table map[string]entry) []byte { return mustPack(table) }

func (packCoding) decodeAll(b []byte, each func(string, entry)) error {
	var table map[string]entry
	if err := msgpack.Unmarshal(b, &table); err != nil {
		return err
	}
	for key, e := range table {
		each(key, e)
	}
	return nil
}

func mustPack(v any) []byte {
	b, err := msgpack.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("bench: %v", err)) // strings and bytes can always be encoded
	}
	return b
}
